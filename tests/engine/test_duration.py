"""`status.duration`: how an update ended, and when it began. A rollback is not shown as an update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.meta import Json
from serinus.api.values.times import format_time
from tests.support.engine.blue_green import blue_green
from tests.support.engine.restarts import basic
from tests.support.engine.world import World, release, routed

GATE: list[Json] = [{"setWeight": 50}, {"pause": {}}]
Make = Callable[..., World]


def with_router(*, window: int | None = None, delay: int = 4) -> World:
    return windowed(routed(steps=GATE, scaleDownDelaySeconds=delay), window)


def pods_alone(*, window: int | None = None, delay: int = 0) -> World:
    return windowed(basic(steps=GATE), window)


def by_service(*, window: int | None = None, delay: int = 4) -> World:
    return windowed(blue_green(autoPromotionEnabled=False, scaleDownDelaySeconds=delay), window)


def windowed(world: World, revisions: int | None) -> World:
    if revisions is not None:
        world.patch("Rollout", "web", {"spec": {"rollbackWindow": {"revisions": revisions}}})
    return world


KINDS: dict[str, Make] = {"router": with_router, "pods alone": pods_alone, "blue-green": by_service}


def begin(world: World, image: str) -> str:
    """Release an image, up to its gate; when the update began."""
    world.after(10)
    release(world, image)
    world.settle()
    return told(world)["rolloutStartedAt"]


def say(world: World, **status: Any) -> None:
    world.patch("Rollout", "web", {"status": status})
    world.settle()


def finish(world: World, image: str) -> None:
    begin(world, image)
    if world.rollout.status.pause_conditions:
        say(world, pauseConditions=None)
    world.after(10)
    assert world.rollout.status.stable_rs == world.rollout.status.current_pod_hash


def told(world: World) -> Json:
    return world.rollout.status.duration or {}


def ended(world: World) -> tuple[str | None, bool]:
    """(how, whether it has finished)"""
    world.after(10)
    return told(world).get("completionStatus"), "finishedAt" in told(world)


def first_deploy(make: Make) -> World:
    return make()


def promoted(make: Make) -> World:
    world = make()
    finish(world, "green")
    return world


def promoted_in_full(make: Make) -> World:
    world = make()
    begin(world, "green")
    say(world, promoteFull=True)
    return world


def back_to_stable(make: Make) -> World:
    world = make()
    began = begin(world, "green")
    world.now += 5
    release(world, "blue")
    world.once()
    assert told(world)["completionStatus"] == "FastRolledBack", "told at once"
    assert told(world)["rolloutStartedAt"] == began, "it is the end of the update that was under way"
    return world


def back_inside_the_window(make: Make) -> World:
    world = make(window=1, delay=0)
    finish(world, "green")
    begin(world, "blue")
    return world


def back_inside_the_window_in_mid_update(make: Make) -> World:
    world = make(window=1, delay=0)
    finish(world, "green")
    began = begin(world, "yellow")
    assert begin(world, "blue") == began
    return world


def back_through_the_steps(make: Make) -> World:
    world = make(delay=0)
    finish(world, "green")
    assert "completionStatus" not in told_at_gate(world, "blue"), "it is told when it is promoted"
    say(world, pauseConditions=None)
    return world


def back_outside_the_window_in_mid_update(make: Make) -> World:
    world = make(window=1, delay=0)
    for image in ("green", "yellow"):
        finish(world, image)
    begin(world, "red")
    assert "completionStatus" not in told_at_gate(world, "blue")
    say(world, pauseConditions=None)
    return world


def told_at_gate(world: World, image: str) -> Json:
    begin(world, image)
    assert world.rollout.status.phase == "Paused"
    return told(world)


def back_in_full(make: Make) -> World:
    world = make(delay=0)
    finish(world, "green")
    begin(world, "blue")
    say(world, promoteFull=True)
    return world


def superseded(make: Make) -> World:
    world = make()
    first = begin(world, "green")
    assert begin(world, "yellow") != first, "a new version is an update of its own"
    say(world, pauseConditions=None)
    return world


def aborted(make: Make) -> World:
    world = make()
    begin(world, "green")
    say(world, abort=True)
    return world


def retried(make: Make) -> World:
    world = aborted(make)
    began = told(world)["rolloutStartedAt"]
    world.now += 5
    say(world, abort=False)
    assert {"completionStatus", "finishedAt"}.isdisjoint(told(world))
    assert told(world)["rolloutStartedAt"] != began
    say(world, pauseConditions=None)
    return world


def aborted_and_promoted_in_full(make: Make) -> World:
    world = aborted(make)
    say(world, promoteFull=True)
    return world


def aborted_and_gone_back(make: Make) -> World:
    world = aborted(make)
    world.now += 5
    release(world, "blue")
    world.once()
    assert told(world)["rolloutStartedAt"] == format_time(world.now), "the update had ended with the abort"
    return world


def aborted_in_a_full_promotion(make: Make) -> World:
    world = make()
    world.after(10)
    release(world, "green")
    world.settle(ready=False)
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    world.settle(ready=False)
    world.patch("Rollout", "web", {"status": {"abort": True}})
    return world


SITUATIONS: dict[Callable[[Make], World], str] = {
    first_deploy: "Promoted",
    promoted: "Promoted",
    promoted_in_full: "FastPromoted",
    back_to_stable: "FastRolledBack",
    back_inside_the_window: "FastRolledBack",
    back_inside_the_window_in_mid_update: "FastRolledBack",
    back_through_the_steps: "RolledBack",
    back_outside_the_window_in_mid_update: "RolledBack",
    back_in_full: "FastRolledBack",
    superseded: "Promoted",
    aborted: "Aborted",
    retried: "Promoted",
    aborted_and_promoted_in_full: "FastPromoted",
    aborted_and_gone_back: "FastRolledBack",
    aborted_in_a_full_promotion: "Aborted",
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("situation", "how"), SITUATIONS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_how_an_update_ended(make: Make, situation: Callable[[Make], World], how: str):
    assert ended(situation(make)) == (how, True)


@pytest.mark.parametrize("in_mid_update", [True, False])
def test_blue_green_goes_back_fast_within_the_scale_down_delay(in_mid_update: bool):
    world = by_service(delay=600)
    finish(world, "green")
    if in_mid_update:
        begin(world, "yellow")
    begin(world, "blue")
    assert ended(world) == ("FastRolledBack", True)


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_other_sizes_and_other_steps_are_no_update(make: Make):
    world = promoted(make)
    before = told(world)
    world.now += 5
    world.patch("Rollout", "web", {"spec": {"replicas": 3}})
    world.settle()
    if "canary" in world.objects["Rollout", "web"]["spec"]["strategy"]:
        world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 10}]}}}})
        world.settle()
    assert told(world) == before
