"""The one word and one line that everybody looks at: `status.phase` and `status.message`.

Source: the Rollout resource, section 3 ("Phase, message"): the first rule that matches.
"""

from __future__ import annotations

from serinus.api.rollout import RolloutSpec, RolloutStatus
from serinus.engine.conditions import promoted


def phase_of(spec: RolloutSpec, status: RolloutStatus) -> tuple[str, str]:
    """(phase, message) of a Rollout whose status is complete but for these two."""
    replicas = 1 if spec.replicas is None else spec.replicas
    for c in status.conditions:
        if c.type == "InvalidSpec":
            return "Degraded", f"InvalidSpec: {c.message}"
        if c.reason in ("RolloutAborted", "ProgressDeadlineExceeded"):
            return "Degraded", f"{c.reason}: {c.message}"
    if spec.paused:
        return "Paused", "manually paused"
    if status.pause_conditions:
        return "Paused", status.pause_conditions[0].reason
    if spec.restart_at and spec.restart_at != status.restarted_at:
        return "Progressing", "rollout is restarting"
    if status.updated_replicas < replicas:
        return "Progressing", "more replicas need to be updated"
    if status.available_replicas < status.updated_replicas:
        return "Progressing", "updated replicas are still becoming available"
    waiting = _blue_green(spec, status) if spec.strategy.blue_green else _canary(spec, status)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _blue_green(spec: RolloutSpec, status: RolloutStatus) -> str:
    active = status.blue_green.active_selector
    if (active or spec.replicas != 0) and active != status.current_pod_hash:
        return "active service cutover pending"
    if not promoted(status):
        run = status.blue_green.post_promotion_analysis_run_status
        strategy = spec.strategy.blue_green
        if (
            strategy
            and strategy.post_promotion_analysis
            and (run is None or run.get("status") in ("", "Pending", "Running"))
        ):
            return "waiting for analysis to complete"
        return "waiting for post-promotion verification to complete"
    return ""


def _canary(spec: RolloutSpec, status: RolloutStatus) -> str:
    canary = spec.strategy.canary
    if canary and canary.traffic_routing is None and status.replicas > status.updated_replicas:
        return "old replicas are pending termination"
    return "" if promoted(status) else "waiting for all steps to complete"
