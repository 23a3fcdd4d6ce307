"""`get rollout` and `get experiment`, character for character: screens that users' scripts and eyes know.

`screens/*.txt` have the output for a state; here the state is made by hand. Most come from recorded plays with
`NAMESPACE` = play, pods of one age sorted by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serinus.cli.framework.colors import Paint
from serinus.cli.framework.terminal import shown
from serinus.cli.tree import experiment_lines, rollout_lines
from serinus.view.rollout_info import Surroundings, experiment_info, rollout_info
from tests.support.cli.screen_states import (
    BLUE,
    GREEN,
    NEW,
    NOW,
    STABLE,
    STEPS,
    analysis,
    analysis_jobs,
    analysis_step_fails,
    bluegreen_manual,
    canary,
    counts,
    experiment_alone,
    experiment_step,
    nginx_deadline_abort,
    nginx_third_revision,
    nginx_walk,
    paused,
    pod,
    replica_set,
)

Json = dict[str, Any]

SCREENS = Path(__file__).parent / "screens"


PLAYS = [
    nginx_walk,
    nginx_third_revision,
    nginx_deadline_abort,
    analysis_step_fails,
    analysis_jobs,
    bluegreen_manual,
    experiment_step,
    experiment_alone,
]


def drawn(obj: Json, around: Surroundings, *, colors: bool = False) -> str:
    if "spec" in obj:
        lines = rollout_lines(rollout_info(obj, around), NOW, Paint(colors))
    else:
        lines = experiment_lines(experiment_info(obj, around), NOW, Paint(colors))
    return shown("\n".join(lines) + "\n")


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_a_recorded_state_looks_as_it_was_recorded(play: Any) -> None:
    expected = (SCREENS / f"{play.__name__.replace('_', '-')}.txt").read_text(encoding="utf-8")
    assert drawn(*play()) == expected


DAY, HOUR = 86400.0, 3600.0


def canary_with_analysis() -> tuple[Json, Surroundings]:
    message = "more replicas need to be updated"
    status = {"phase": "Progressing", "message": message, "currentStepIndex": 1, **counts(2, 1, 2, 2)}
    status |= {"stableRS": "5b8c6d7f9", "currentPodHash": "6d9c7b5f48"}
    old, new, since = "web-5b8c6d7f9", "web-6d9c7b5f48", 3 * DAY + 2 * HOUR
    steps: list[Json] = [{"setWeight": 50}, {"analysis": {}}, {"setWeight": 75}, {"pause": {}}]
    sets = [replica_set(old, "web:1", since, 1, revision=1), replica_set(new, "web:2", 185, 1, revision=2)]
    job = {"job": "4e2d824d-01af.smoke.1", "job_phase": "Successful", "at": 90}
    run = analysis(f"{new}-2-1", "web", 95, "Running", 2, successful=2, failed=1, **job)
    seen = [pod(old, "4qz8m", since), pod(new, "x7k2p", 185, restarts=1)]
    rollout = canary(status, age=since, routed=False, steps=steps)
    rollout["metadata"]["namespace"] = "prod"
    return rollout, Surroundings(sets, seen, analysis_runs=[run])


def bluegreen_three_revisions() -> tuple[Json, Surroundings]:
    selectors = {"activeSelector": "6cbccd9f99", "previewSelector": "74b948fccb"}
    status = {**paused(0, "BlueGreenPause"), **counts(2, 1, 2, 1), "blueGreen": selectors}
    rollout = canary({**status, "currentPodHash": "74b948fccb", "stableRS": "6cbccd9f99"}, age=12 * DAY, replicas=1)
    rollout["metadata"] |= {"name": "shop", "namespace": "prod", "uid": "shop"}
    rollout["spec"]["strategy"] = {"blueGreen": {"activeService": "shop"}}
    sets = [
        replica_set("shop-746d5fddf6", "shop:0", 12 * DAY, 0, owner="shop", revision=1),
        replica_set("shop-6cbccd9f99", "shop:1", 2 * DAY, 1, owner="shop", revision=2),
        replica_set("shop-74b948fccb", "shop:2", 240, 1, owner="shop", revision=3),
    ]
    return rollout, Surroundings(sets, [pod("shop-6cbccd9f99", "gk78v", 2 * DAY), pod("shop-74b948fccb", "5jz59", 240)])


@pytest.mark.parametrize("state", [canary_with_analysis, bluegreen_three_revisions], ids=lambda state: state.__name__)
def test_the_documented_examples_look_as_documented(state: Any) -> None:
    expected = (SCREENS / f"{state.__name__.replace('_', '-')}.txt").read_text(encoding="utf-8")
    assert drawn(*state()) == expected


@pytest.mark.parametrize("play", [*PLAYS, canary_with_analysis], ids=lambda play: play.__name__)
def test_colours_never_move_a_column(play: Any) -> None:
    import re

    assert re.sub(r"\x1b\[\d+m", "", drawn(*play(), colors=True)) == drawn(*play())


def test_colours_say_which_version_is_which() -> None:
    screen = drawn(*nginx_walk(), colors=True)
    assert f"\x1b[33m{NEW}\x1b[0m" in screen
    assert f"\x1b[32m{STABLE}\x1b[0m" in screen
    assert "\x1b[32m✔\x1b[0m Healthy" in screen


def test_what_belongs_to_another_rollout_is_not_shown() -> None:
    """A namespace has many Rollouts; a similar name does not make an object ours."""
    rollout, around = nginx_walk()
    foreign = replica_set("web-5b8c6d7f9", "other:1", 3, 4, owner="web-2", revision=3)
    stray = pod(STABLE, "stray", 3)
    stray["metadata"]["ownerReferences"] = []
    more = Surroundings([*around.replica_sets, foreign], [*around.pods, stray])
    assert drawn(rollout, more) == drawn(rollout, around)


@pytest.mark.parametrize(
    ("status", "steps", "asked", "real"),
    [
        pytest.param({"currentStepIndex": 0}, STEPS, "20", "0", id="nothing available yet"),
        pytest.param({"currentStepIndex": 3, "availableReplicas": 4}, STEPS, "40", "25", id="one canary pod of four"),
        pytest.param({"currentStepIndex": 6, "availableReplicas": 4}, STEPS, "100", "100", id="past the last step"),
        pytest.param({"currentStepIndex": 0, "availableReplicas": 4}, [{"pause": {}}], "0", "25", id="no weight asked"),
        pytest.param({"currentStepIndex": 1, "abort": True, "availableReplicas": 4}, STEPS, "0", "25", id="aborted"),
    ],
)
def test_weights_without_a_router_are_shares_of_pods(status: Json, steps: list[Json], asked: str, real: str) -> None:
    rollout = canary({**status, "currentPodHash": "77f97bbcbf"}, routed=False, steps=steps)
    info = rollout_info(rollout, Surroundings([replica_set(STABLE, BLUE, 9, 3), replica_set(NEW, GREEN, 9, 1)]))
    assert (info.set_weight, info.actual_weight) == (asked, real)


def test_a_router_that_counts_to_more_than_a_hundred_is_believed() -> None:
    rollout = canary({"currentStepIndex": 6, "availableReplicas": 2})
    rollout["spec"]["strategy"]["canary"]["trafficRouting"]["maxTrafficWeight"] = 1000
    info = rollout_info(rollout, Surroundings())
    assert (info.set_weight, info.actual_weight) == ("1000", "1000")
