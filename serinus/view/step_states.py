"""The state of each canary step: done, current, to do, aborted, skipped or unknown. Pure.

The status does not name the step of an abort, nor the steps that a full promotion skipped. Events and the analyses of
steps have them, as long as the API server keeps these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serinus.view.rollout_info import REVISION

Json = dict[str, Any]

STEP_INDEX = "step-index"
"""Label of a step's AnalysisRun."""

_BAD = ("Failed", "Error", "Inconclusive")


def step_states(rollout: Json, runs: Iterable[Json], completed: int | None) -> tuple[list[str], str]:
    """The states, and a note about states that are not known, or "".

    `runs`: AnalysisRuns of the Rollout. `completed`: steps that the current update completed by its Events, None if
    there are no Events.
    """
    status, count = _map(rollout, "status"), len(_steps(rollout))
    index = int(status.get("currentStepIndex") or 0)
    if status.get("abort"):
        at = _aborted_at(rollout, runs, completed)
        if at is None:
            return ["todo"] * count, "The step of the abort is not known: its Events are gone."
        return [_around(i, at, "aborted") for i in range(count)], ""
    if index < count:
        return [_around(i, index, "current") for i in range(count)], ""
    if not _without_steps(rollout):
        return ["done"] * count, ""
    if completed is None and _revision(rollout) != "1":
        return ["unknown"] * count, "It was promoted without the rest of its steps. The Events about them are gone."
    ran = completed or 0
    return ["done" if i < ran else "skipped" for i in range(count)], ""


def _around(i: int, at: int, state: str) -> str:
    return "done" if i < at else state if i == at else "todo"


def _aborted_at(rollout: Json, runs: Iterable[Json], completed: int | None) -> int | None:
    """The index of the step during which the update was aborted."""
    current, revision = _map(rollout, "status").get("currentPodHash"), _revision(rollout)
    judged = [
        int(index)
        for run in runs
        if _map(run, "status").get("phase") in _BAD
        and (index := str(_labels(run).get(STEP_INDEX) or "")).isdigit()
        and str(_labels(run).get("rollouts-pod-template-hash") or current) == current
        and _revision(run) == revision
    ]
    known = [*judged, *([] if completed is None else [completed])]
    return max(known) if known else None


def _without_steps(rollout: Json) -> bool:
    """Whether the current version was promoted without all of its steps: the first one, or a fast promotion."""
    status = _map(rollout, "status")
    how = str(_map(status, "duration").get("completionStatus") or "")
    return how.startswith("Fast") or bool(status.get("promoteFull")) or _revision(rollout) == "1"


def _steps(rollout: Json) -> list[Json]:
    return _map(_map(_map(rollout, "spec"), "strategy"), "canary").get("steps") or []


def _revision(obj: Json) -> str:
    return str(_map(_map(obj, "metadata"), "annotations").get(REVISION) or "")


def _labels(obj: Json) -> Json:
    return _map(_map(obj, "metadata"), "labels")


def _map(obj: Json, key: str) -> Json:
    value = obj.get(key)
    return value if isinstance(value, dict) else {}
