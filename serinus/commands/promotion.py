"""The patches of a promotion. Source: the command line, section 1 ("promote"): the first matching row of the table."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def promotion_patches(rollout: Json, *, full: bool = False) -> tuple[Json | None, Json | None]:
    """(merge patch of the status, merge patch of the spec); None for no patch."""
    spec, status = rollout.get("spec") or {}, rollout.get("status") or {}
    canary: Json | None = (spec.get("strategy") or {}).get("canary")
    steps = len((canary or {}).get("steps") or [])
    unpause: Json | None = {"spec": {"paused": False}} if spec.get("paused") else None
    if full:
        differs = status.get("currentPodHash") != status.get("stableRS")
        return ({"status": {"promoteFull": True}} if differs else None), unpause
    waits = bool(status.get("pauseConditions"))
    run_status: Json = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    inconclusive = run_status.get("status") == "Inconclusive" and waits and bool(status.get("controllerPause"))
    if canary is not None and inconclusive and steps:
        changed = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": following_step(rollout)}
        return {"status": changed}, unpause
    if waits:
        return {"status": {"pauseConditions": None}}, unpause
    if canary is not None and steps:
        return {"status": {"pauseConditions": None, "currentStepIndex": following_step(rollout)}}, unpause
    return None, unpause


def following_step(rollout: Json) -> int:
    """Index of the step after the current one; the number of steps after the last."""
    spec, status = rollout.get("spec") or {}, rollout.get("status") or {}
    steps = len(((spec.get("strategy") or {}).get("canary") or {}).get("steps") or [])
    return min(int(status.get("currentStepIndex") or 0) + 1, steps)
