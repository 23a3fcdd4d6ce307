"""The effect of an action: an action without effect is not reported as done, and the reason is named."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.commands.effects import ACTIONS, SKIPS, no_effect

Json = dict[str, Any]
STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]
PAUSE = [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]
PROMOTIONS = {"promote", "promote-full", *SKIPS}


def rollout(
    status: Json, *, steps: list[Json] = STEPS, generation: int = 2, blue_green: bool = False, **spec: Any
) -> Json:
    strategy = {"blueGreen": {"activeService": "web"}} if blue_green else {"canary": {"steps": steps}}
    known = {"currentPodHash": "b", "stableRS": "a", "observedGeneration": "2", "currentStepIndex": 1, **status}
    return {"metadata": {"generation": generation}, "spec": {"strategy": strategy, **spec}, "status": known}


STABLE = {"currentPodHash": "a", "phase": "Healthy", "currentStepIndex": 3}
ALL: set[str] = set(ACTIONS)
CASES: dict[str, tuple[Json, set[str]]] = {
    # name: (a Rollout, the actions that have an effect)
    "in a pause": (rollout({"pauseConditions": PAUSE}), ALL - {"retry"}),
    "in a step that takes its time": (rollout({}), ALL - {"retry"}),
    "settled": (rollout(STABLE), {"pause", "restart"}),
    "settled and paused by hand": (rollout(STABLE, paused=True), {"promote", "promote-full", "restart"}),
    "written, and not observed yet": (rollout(STABLE, generation=3), {"pause", "restart"}),
    "new, and not observed yet": ({"metadata": {"generation": 1}, "spec": {}}, {"pause", "restart"}),
    "aborted": (rollout({"abort": True, "phase": "Degraded"}), {"promote-full", "retry", "pause", "restart"}),
    "aborted and paused by hand": (
        rollout({"abort": True}, paused=True),
        {"promote", "promote-full", "retry", "restart"},
    ),
    "timed out": (rollout({"phase": "Degraded"}), ALL - {"retry"}),
    "all steps are done": (rollout({"currentStepIndex": 3}), {"promote-full", "abort", "pause", "restart"}),
    "without steps": (rollout({}, steps=[]), {"promote-full", "abort", "pause", "restart"}),
    "blue-green before its pause": (rollout({}, blue_green=True), {"promote-full", "abort", "pause", "restart"}),
    "blue-green in its pause": (
        rollout({"pauseConditions": PAUSE}, blue_green=True),
        {"promote", "promote-full", "abort", "pause", "restart"},
    ),
    "in a full promotion": (rollout({"promoteFull": True}), {"abort", "pause", "restart"}),
    "without replicas": (rollout(STABLE, replicas=0), {"pause"}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_has_an_effect(name: str) -> None:
    made, effective = CASES[name]
    found = {action: no_effect(action, made) for action in ACTIONS}
    assert {action for action, nothing in found.items() if nothing is None} == effective
    assert all(nothing is None or nothing.why for nothing in found.values())


@pytest.mark.parametrize(
    ("name", "action", "holds"),
    [
        ("settled", "promote", True),
        ("settled", "promote-full", True),
        ("settled", "abort", False),
        ("settled", "retry", True),
        ("written, and not observed yet", "promote", False),
        ("written, and not observed yet", "abort", False),
        ("aborted", "promote", False),
        ("aborted", "abort", True),
        ("timed out", "retry", False),
        ("all steps are done", "promote", False),
        ("in a full promotion", "promote-full", True),
        ("settled and paused by hand", "pause", True),
    ],
)
def test_what_is_so_already_is_no_failure_and_what_cannot_come_about_is(name: str, action: str, holds: bool) -> None:
    found = no_effect(action, CASES[name][0])
    assert found is not None
    assert found.holds == holds
