"""The identity of an occurrence of an Event: each occurrence is sent once, even if it is recorded repeatedly."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def identity(reason: str, message: str, rollout: Json, run: str = "") -> str:
    """ "" where every Event counts. `run`: the AnalysisRun or Experiment that the Event is about."""
    status: Json = rollout.get("status") or {}
    version = str(status.get("currentPodHash") or "")
    if run:
        return f"{reason}/{run}"
    if reason == "RolloutAborted":
        return f"{reason}/{version}/{status.get('abortedAt')}"
    if reason == "RolloutPaused":
        pauses = [str(pause.get("startTime")) for pause in status.get("pauseConditions") or []]
        return f"{reason}/{version}/{status.get('currentStepIndex')}/{'+'.join(pauses)}"
    if reason == "RolloutCompleted":
        revision = ((rollout.get("metadata") or {}).get("annotations") or {}).get("rollout.argoproj.io/revision")
        return f"{reason}/{version}/{revision}"
    return ""


def is_available(rollout: Json) -> bool:
    """Whether the promoted version counts as completed: it is healthy, and the status is of the current spec."""
    status: Json = rollout.get("status") or {}
    return status.get("phase") == "Healthy" and is_observed(rollout)


def is_observed(rollout: Json) -> bool:
    """Whether the status is of the current spec, not of the previous one."""
    metadata, status = rollout.get("metadata") or {}, rollout.get("status") or {}
    return str(status.get("observedGeneration") or "") == str(metadata.get("generation") or "")
