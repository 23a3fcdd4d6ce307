"""Why a Rollout waits, in words for users, and that every wait has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import serinus.engine
from serinus.cli.rollouts.why import told
from serinus.engine.core import wait_reasons
from serinus.engine.explain.why import Why, WhyReason, explain, sentence
from tests.support.engine.blue_green import blue_green
from tests.support.engine.world import World, release, routed

ENGINE = Path(serinus.engine.__file__).parent


def said(world: World) -> str:
    return sentence(explain(world.snapshot()), world.now)


@pytest.mark.parametrize("reason", wait_reasons.ALL, ids=lambda reason: reason.code)
def test_every_reason_says_what_it_means_what_ends_it_and_whether_time_does(reason: wait_reasons.WaitReason):
    assert re.fullmatch(r"[A-Z][A-Za-z]+", reason.code)
    assert reason.meaning
    assert reason.ends
    assert reason.deadline in ("none", "3s", "duration", "progressDeadlineSeconds", "scaleDownDelaySeconds")


@pytest.mark.parametrize(
    "reason",
    [
        WhyReason("TimedPause", "step 1 of 2 pauses", "a pause", "it is over", until=100.0),
        WhyReason("PodsNotReady", "step 1 of 2 pauses", "a pause", "it is over", gives_up_at=100.0),
    ],
    ids=["until", "gives up"],
)
def test_a_moment_that_has_passed_is_not_promised(reason: WhyReason):
    assert "in " in told("web", Why("Paused", "", (reason,)), 90.0).splitlines()[3]
    assert " (in " not in told("web", Why("Paused", "", (reason,)), 110.0)
    first, later = (sentence(Why("Paused", "", (reason,)), now) for now in (90.0, 110.0))
    assert " 10s" in first
    assert later == "waiting: step 1 of 2 pauses"


def test_every_wait_of_the_engine_has_one_of_these_reasons():
    used = set(re.findall(r"wait_reasons\.([A-Z_]+)\.code", "".join(p.read_text() for p in ENGINE.rglob("*.py"))))
    known = {name for name, value in vars(wait_reasons).items() if value in wait_reasons.ALL}
    assert used
    assert used <= known
    assert len({reason.code for reason in wait_reasons.ALL}) == len(wait_reasons.ALL)


def test_pods_that_are_missing_come_with_since_until_and_what_follows():
    world = routed(replicas=5)
    release(world, "green")
    world.settle(ready=False)
    world.now += 130
    assert said(world) == (
        "waiting: step 1: canary has 0/1 ready pods, for 2m10s, gives up in 7m50s, next: pause until promoted"
    )


def test_a_pause_that_waits_for_a_person_says_so_and_what_comes_then():
    world = routed()
    release(world, "green")
    world.settle()
    world.now += 60
    assert said(world) == "waiting: step 2 of 6 waits until it is promoted, for 60s, next: set the weight to 50 %"
    assert explain(world.snapshot()).observed == (
        "weight 20 of 100",
        "new web-77f97bbcbf: 1/1 pods serve",
        "stable web-68fb5766d6: 2/2 pods serve",
    )


def test_a_timed_pause_says_when_it_ends():
    world = routed(steps=[{"setWeight": 50}, {"pause": {"duration": "5m"}}])
    release(world, "green")
    world.settle()
    world.now += 60
    assert said(world).startswith("waiting: step 2 of 2 pauses for 5m, for 60s, until 4m from now")


def test_a_settled_rollout_waits_for_nothing():
    world = routed()
    world.after(60)
    assert said(world) == "nothing waits"


def test_an_invalid_spec_says_what_is_wrong():
    world = routed()
    del world.objects["Service", "web"]
    world.once()
    assert "spec.strategy.canary.stableService" in said(world)


def test_a_blue_green_preview_waits_until_it_is_promoted():
    world = blue_green(autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    assert said(world).startswith("waiting: the new version waits until it is promoted")
