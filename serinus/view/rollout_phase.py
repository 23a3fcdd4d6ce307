"""The phase and message of a status without them: before Argo Rollouts 1.0, clients computed them.

Source: the Rollout resource, section 3, "Phase, message". `serinus.engine.status.phase` has these rules for the
controller, on typed objects, and further ones that old controllers lack. A test compares the two.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_DONE = ("Successful", "Failed", "Error", "Inconclusive")


def calculated_phase(spec: Json, status: Json) -> tuple[str, str]:
    """(phase, message): the first rule that matches."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "InvalidSpec":
            return "Degraded", f"InvalidSpec: {condition.get('message') or ''}"
        if condition.get("reason") in ("RolloutAborted", "ProgressDeadlineExceeded"):
            return "Degraded", f"{condition['reason']}: {condition.get('message') or ''}"
    if spec.get("paused"):
        return "Paused", "manually paused"
    if pauses := status.get("pauseConditions"):
        return "Paused", str(pauses[0].get("reason") or "")
    if spec.get("restartAt") and spec["restartAt"] != status.get("restartedAt"):
        return "Progressing", "rollout is restarting"
    waiting = _waits_for(spec, status)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _waits_for(spec: Json, status: Json) -> str:
    """The message of a Rollout that is progressing; "" if it is complete."""
    strategy: Json = spec.get("strategy") or {}
    replicas = spec.get("replicas")
    if (status.get("updatedReplicas") or 0) < (1 if replicas is None else replicas):
        return "more replicas need to be updated"
    if (status.get("availableReplicas") or 0) < (status.get("updatedReplicas") or 0):
        return "updated replicas are still becoming available"
    if strategy.get("blueGreen") is not None:
        return _blue_green(strategy["blueGreen"], spec, status)
    return _canary(strategy["canary"], status) if strategy.get("canary") is not None else ""


def _blue_green(blue_green: Json, spec: Json, status: Json) -> str:
    stored: Json = status.get("blueGreen") or {}
    active = stored.get("activeSelector") or ""
    if (active or spec.get("replicas") != 0) and active != (status.get("currentPodHash") or ""):
        return "active service cutover pending"
    if _promoted(status):
        return ""
    run: Json = stored.get("postPromotionAnalysisRunStatus") or {}
    if blue_green.get("postPromotionAnalysis") and run.get("status") not in _DONE:
        return "waiting for analysis to complete"
    return "waiting for post-promotion verification to complete"


def _canary(canary: Json, status: Json) -> str:
    if canary.get("trafficRouting") is None and (status.get("replicas") or 0) > (status.get("updatedReplicas") or 0):
        return "old replicas are pending termination"
    return "" if _promoted(status) else "waiting for all steps to complete"


def _promoted(status: Json) -> bool:
    """Controllers before 0.9 had the stable hash in `status.canary`."""
    stable = (status.get("canary") or {}).get("stableRS") or status.get("stableRS")
    return bool(stable) and stable == status.get("currentPodHash")
