"""Events come in the order of Argo Rollouts: its own tests compare it, and users read it as the history of an update."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.plays.player import played
from tests.support.plays.recordings import REPOSITORY, few_of, plays, reference

TRAFFIC = ("SwitchService", "PatchingCanaryIngress", "CreatingCanaryIngress", "TrafficWeightUpdated")
"""When traffic moves is a matter of its own (docs/differences.md)."""
COMMANDS = ("Abort", "Promote", "PromoteFull", "Restart", "Retry", "Pause", "SetImage", "Terminate", "Undo")
BUDGET = 25
"""Events of one object that the reference writes at once."""
OTHERWISE = {
    "basic-services": "the version is promoted before the last pods of the old one go",
    "basic-surge": "surge comes first, so sizes change in other steps",
    "basic-third-revision": "surge comes first, so sizes change in other steps",
    "bluegreen-back": "a version that is gone back to is promoted in one pass: it was not uncompleted in between",
    "bluegreen-seconds": "the pause ends before the Service moves",
    "experiment-step": "an experiment's analyses are told of the Experiment",
    "experiment-step-fails": "an experiment's analyses are told of the Experiment",
    "nginx-dynamic-stable": "a pass may complete a step and begin the pause after it: sizes follow",
    "nginx-pause-command": "a promotion while all is paused by hand does not begin the step's pause anew",
    "nginx-promote-variants": "a step that a person skips ends its pause before the next step completes",
    "nginx-scale-mid": "weights follow the ready pods, so that their Events use up the budget sooner",
}
"""Plays with another order of Events because other actions happen: docs/differences.md has each."""


def test_the_page_has_each_play_whose_events_differ():
    page = (REPOSITORY / "docs" / "differences.md").read_text()
    assert [name for name in OTHERWISE if f"{name} " not in page and f"{name}," not in page] == []


def reasons(trace: list[dict[str, Any]]) -> list[str]:
    found = [line["event"].split()[1] for line in trace if "event" in line and line["of"] == "Rollout/web"]
    return [reason for reason in found if reason not in COMMANDS]


@pytest.mark.parametrize("name", few_of([name for name in plays() if name not in OTHERWISE]))
def test_events_come_in_the_order_of_argo_rollouts(name: str):
    """As far as the reference writes all of them."""
    theirs, ours = (reasons(trace) for trace in (reference(name), played(name).trace))
    theirs = [reason for reason in theirs[:BUDGET] if reason not in TRAFFIC]
    ours = [reason for reason in ours if reason not in TRAFFIC]
    assert ours[: len(theirs)] == theirs


@pytest.mark.parametrize("name", few_of(plays()))
def test_a_new_version_begins_with_its_number_its_replicaset_and_that_the_rollout_is_not_complete(name: str):
    told = [reason for reason in reasons(played(name).trace) if reason not in TRAFFIC]
    for place, reason in enumerate(told):
        if reason == "NewReplicaSetCreated":
            assert told[place - 1] == "RolloutUpdated"
            routine_may_be_dropped = [*told[place + 1 :], ""][0]
            follows = ("RolloutNotCompleted", "ScalingReplicaSet", "RolloutResumed", "RolloutCompleted", "")
            assert routine_may_be_dropped in follows, told[place - 2 : place + 3]
