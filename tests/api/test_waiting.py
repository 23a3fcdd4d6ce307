"""One sentence for why a Rollout does not go on, since when, until when, and what comes next."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.waiting import Waiting, next_step, step_words, waiting

Json = dict[str, Any]
STEPS: list[Json] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "1m"}}]
START = "2026-01-01T00:00:00Z"
AT = 1_767_225_600.0


def canary(index: int, spec: Json | None = None, **status: Any) -> Json:
    return {
        "metadata": {"generation": 1},
        "spec": {"replicas": 4, "strategy": {"canary": {"steps": STEPS}}, **(spec or {})},
        "status": {"phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": index, **status},
    }


def pause(reason: str = "CanaryPauseStep") -> list[Json]:
    return [{"reason": reason, "startTime": START}]


CASES: dict[str, tuple[Json, Waiting]] = {
    "healthy waits for nothing": (canary(4, phase="Healthy", message=""), Waiting()),
    "a pause for a person has no end": (
        canary(1, pauseConditions=pause()),
        Waiting(
            "step 2 of 4 lasts until somebody promotes it", AT, None, "promote, or abort", "set the weight to 50 %"
        ),
    ),
    "a timed pause has one": (
        canary(3, pauseConditions=pause()),
        Waiting("step 4 of 4 pauses for 1m", AT, AT + 60, "time", "all traffic to the new version"),
    ),
    "an inconclusive analysis is for a person": (
        canary(2, pauseConditions=pause("InconclusiveAnalysisRun"), message="InconclusiveAnalysisRun"),
        Waiting("an analysis was inconclusive: a person has to decide", AT, None, "promote, or abort", "pause for 1m"),
    ),
    "pods that are not ready have a deadline": (
        canary(
            0,
            {"progressDeadlineSeconds": 100},
            phase="Progressing",
            message="updated replicas are still becoming available",
            availableReplicas=3,
            conditions=[{"type": "Progressing", "lastUpdateTime": START}],
        ),
        Waiting(
            "updated replicas are still becoming available: 3 of 4 are available",
            AT,
            AT + 100,
            "its pods are ready; at the deadline it is Degraded",
            "pause until promoted",
        ),
    ),
    "paused by hand": (
        canary(0, {"paused": True}, message="manually paused"),
        Waiting("it is paused by hand (spec.paused)", None, None, "promote", "pause until promoted"),
    ),
    "aborted": (
        canary(0, phase="Degraded", message="RolloutAborted: why", abort=True, abortedAt=START),
        Waiting("RolloutAborted: why", AT, None, "retry, or a new version", ""),
    ),
    "an invalid spec": (
        canary(0, phase="Degraded", message="InvalidSpec: spec.x is wrong"),
        Waiting("InvalidSpec: spec.x is wrong", None, None, "the spec, or what it names, is mended", ""),
    ),
    "blue-green waits for a person": (
        {
            "spec": {"strategy": {"blueGreen": {}}},
            "status": {"phase": "Paused", "message": "BlueGreenPause", "pauseConditions": pause("BlueGreenPause")},
        },
        Waiting(
            "the new version goes live when somebody promotes it",
            AT,
            None,
            "promote, or abort",
            "the active Service moves to the new version",
        ),
    ),
    "blue-green promotes by itself": (
        {
            "spec": {"strategy": {"blueGreen": {"autoPromotionSeconds": 30}}},
            "status": {"phase": "Paused", "message": "BlueGreenPause", "pauseConditions": pause("BlueGreenPause")},
        },
        Waiting(
            "the new version is held before it goes live",
            AT,
            AT + 30,
            "time",
            "the active Service moves to the new version",
        ),
    ),
}


@pytest.mark.parametrize(("rollout", "expected"), CASES.values(), ids=list(CASES))
def test_why_it_waits(rollout: Json, expected: Waiting) -> None:
    assert waiting(rollout) == expected


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"setWeight": 0}, "set the weight to 0 %"),
        ({"pause": {}}, "pause until promoted"),
        ({"pause": {"duration": 30}}, "pause for 30s"),
        ({"pause": {"duration": "1h30m"}}, "pause for 1h30m"),
        ({"setCanaryScale": {"matchTrafficWeight": True}}, "scale the canary with its weight"),
        ({"setCanaryScale": {"replicas": 0}}, "scale the canary to 0 pods"),
        ({"setCanaryScale": {"weight": 25}}, "scale the canary to 25 %"),
        ({"setHeaderRoute": {"name": "beta"}}, "route by header beta"),
        ({"setMirrorRoute": {"name": "m"}}, "mirror requests m"),
        ({"plugin": {"name": "org/check"}}, "run the plugin org/check"),
        ({"analysis": {"templates": [{"templateName": "a"}, {"templateName": "b"}]}}, "run the analysis a, b"),
        ({"experiment": {}}, "run an experiment"),
        ({}, "unknown step"),
    ],
)
def test_each_step_has_words(step: Json, words: str) -> None:
    assert step_words(step) == words


def test_nothing_comes_next_after_an_abort_or_the_last_step() -> None:
    assert not next_step(canary(0, abort=True))
    assert not next_step(canary(4))
