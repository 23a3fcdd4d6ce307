"""`status.phase` and `status.message`: one word and one line for all clients.

Source: the Rollout resource, section 3 ("Phase, message"): the first rule that matches. Healthy means more than in the
source: the current version's own pods are available, and all requests go to it.
"""

from __future__ import annotations

from serinus.api.rollout import RolloutSpec, RolloutStatus
from serinus.engine.status.conditions import WRITE_REFUSED, find, promoted

TRAFFIC_SHIFTING = "traffic is still shifting to the current version"
"""Message of a promoted or rolled back canary while requests still go to another version."""


def phase_of(
    spec: RolloutSpec, status: RolloutStatus, *, available: int | None = None, has_traffic: bool = True
) -> tuple[str, str]:
    """(phase, message) of a Rollout whose status is complete except for these two.

    `available`: the current version's own available pods; `status.availableReplicas` of a canary counts those of all
    versions. `has_traffic`: whether all requests go to the current version. Without them the status alone decides.
    """
    replicas = 1 if spec.replicas is None else spec.replicas
    available = status.available_replicas if available is None else available
    if degraded := _degraded(status):
        return "Degraded", degraded
    if spec.paused:
        return "Paused", "manually paused"
    if status.pause_conditions:
        return "Paused", status.pause_conditions[0].reason
    if spec.restart_at and spec.restart_at != status.restarted_at:
        return "Progressing", "rollout is restarting"
    if status.updated_replicas < replicas:
        return "Progressing", "more replicas need to be updated"
    if available < status.updated_replicas:
        return "Progressing", "updated replicas are still becoming available"
    waiting = _blue_green(spec, status) if spec.strategy.blue_green else _canary(spec, status, has_traffic)
    return ("Progressing", waiting) if waiting else ("Healthy", "")


def _degraded(status: RolloutStatus) -> str:
    """The message of a Degraded Rollout; "" for others."""
    if invalid := find(status, "InvalidSpec"):
        return f"InvalidSpec: {invalid.message}"
    if refused := find(status, WRITE_REFUSED):
        return f"{WRITE_REFUSED}: {refused.message}"
    for condition in status.conditions:
        if condition.reason in ("RolloutAborted", "ProgressDeadlineExceeded"):
            return f"{condition.reason}: {condition.message}"
    return ""


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


def _canary(spec: RolloutSpec, status: RolloutStatus, has_traffic: bool) -> str:
    canary = spec.strategy.canary
    if canary and canary.traffic_routing is None and status.replicas > status.updated_replicas:
        return "old replicas are pending termination"
    if not promoted(status):
        return "waiting for all steps to complete"
    return "" if has_traffic else TRAFFIC_SHIFTING
