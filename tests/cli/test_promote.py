"""`promote` sends exactly the patches of its table."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.cli.framework.errors import Problem
from serinus.cli.rollouts.promote import requests

Json = dict[str, Any]
STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]
PAUSE = {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}
INCONCLUSIVE = {
    **PAUSE,
    "controllerPause": True,
    "currentStepIndex": 1,
    "canary": {"currentStepAnalysisRunStatus": {"status": "Inconclusive"}},
}
UNPAUSE = {"spec": {"paused": False}}


def canary(status: Json, *, steps: list[Json] | None = None, paused: bool = False) -> Json:
    strategy = {"canary": {"steps": STEPS if steps is None else steps}}
    return {"spec": {"paused": paused, "strategy": strategy}, "status": status}


def blue_green(status: Json, *, paused: bool = False) -> Json:
    return {"spec": {"paused": paused, "strategy": {"blueGreen": {"activeService": "a"}}}, "status": status}


@pytest.mark.parametrize(
    ("rollout", "flags", "expected"),
    [
        (canary({"currentStepIndex": 1}), {"skip_current": True}, ({"currentStepIndex": 2}, None)),
        (canary({}), {"skip_current": True}, ({"currentStepIndex": 1}, None)),
        (canary({"currentStepIndex": 3}), {"skip_current": True}, ({"currentStepIndex": 3}, None)),
        (canary({"currentStepIndex": 1}), {"skip_all": True}, ({"currentStepIndex": 3}, None)),
        (canary({"currentPodHash": "b", "stableRS": "a"}), {"full": True}, ({"promoteFull": True}, None)),
        (canary({"currentPodHash": "a", "stableRS": "a"}), {"full": True}, (None, None)),
        (canary({"stableRS": "a"}, paused=True), {"full": True}, ({"promoteFull": True}, UNPAUSE)),
        (
            canary(INCONCLUSIVE),
            {},
            ({"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}, None),
        ),
        (canary({**PAUSE, "currentStepIndex": 1}), {}, ({"pauseConditions": None}, None)),
        (canary({**PAUSE, "currentStepIndex": 1}, paused=True), {}, ({"pauseConditions": None}, UNPAUSE)),
        (canary({"currentStepIndex": 0}), {}, ({"pauseConditions": None, "currentStepIndex": 1}, None)),
        (canary({}, steps=[]), {}, (None, None)),
        (canary({}, steps=[], paused=True), {}, (None, UNPAUSE)),
        (blue_green(PAUSE), {}, ({"pauseConditions": None}, None)),
        (blue_green({}), {}, (None, None)),
        (blue_green({"currentPodHash": "b"}, paused=True), {"full": True}, ({"promoteFull": True}, UNPAUSE)),
    ],
)
def test_promote_ends_the_pause_or_skips_what_it_is_told_to(
    rollout: Json, flags: dict[str, bool], expected: tuple[Json | None, Json | None]
) -> None:
    status, spec = requests(rollout, **flags)
    assert (status and status["status"], spec) == expected


@pytest.mark.parametrize(
    ("rollout", "flag", "message"),
    [
        (blue_green({}), "skip_all", "Cannot skip steps of a bluegreen rollout. Run without a flags"),
        (blue_green({}), "skip_current", "Cannot skip steps of a bluegreen rollout. Run without a flags"),
        (canary({}, steps=[]), "skip_all", "Cannot skip steps of a rollout without steps"),
    ],
)
def test_steps_that_are_not_there_cannot_be_skipped(rollout: Json, flag: str, message: str) -> None:
    with pytest.raises(Problem) as problem:
        requests(rollout, **{flag: True})
    assert problem.value.message == message
