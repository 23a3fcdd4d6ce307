"""Promotion of a version to stable, and rollbacks to a version that needs no second trial."""

from __future__ import annotations

from serinus.api.names import UNPROMOTED
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import born, hash_of, revision_of
from serinus.engine.status import duration


def in_rollback_window(builder: PlanBuilder) -> bool:
    """Whether the template was stable recently, so that it needs no second trial (`rollbackWindow.revisions`)."""
    s = builder.context
    window = s.spec.rollback_window
    if (
        window is None
        or window.revisions <= 0
        or s.new is None
        or s.stable is None
        or s.new is s.stable
        or builder.created(s.new)
        or never_promoted(s.new)
    ):
        return False
    since, limit = born(s.new), born(s.stable)
    between = [r for r in s.sets if since < born(r) < limit]
    return since < limit and len(between) < window.revisions


def goes_back(builder: PlanBuilder) -> bool:
    """Whether the wanted version is older than the stable one, or the stable one itself."""
    s = builder.context
    if s.new is None or s.stable is None or builder.created(s.new):
        return False
    return s.new is s.stable or born(s.new) < born(s.stable)


def never_promoted(rs: ReplicaSet) -> bool:
    """Whether it was replaced before it became stable. A rollback to it is an ordinary update."""
    return UNPROMOTED in rs.metadata.annotations


def note_replaced(builder: PlanBuilder) -> None:
    """Mark the versions that were replaced before they were promoted.

    These have a higher revision number than the stable one and are no longer wanted. A revision gets a new number each
    time it is wanted. Call this before the new version gets its number, or the stable one a new number.
    """
    s = builder.context
    if s.stable is None or (s.blue_green is None and s.spec.rollback_window is None):
        return  # every rollback needs a trial
    for rs in s.sets:
        if rs in (s.new, s.stable) or rs.metadata.deletion_timestamp or never_promoted(rs):
            continue
        if revision_of(rs) > revision_of(s.stable):
            builder.annotate(rs, {UNPROMOTED: "true"}, f"{rs.metadata.name} is replaced before it was promoted")


def promote(builder: PlanBuilder, new: ReplicaSet, how: str, *, fast: bool = False) -> None:
    """Make `new` the stable version. `fast`: without the steps, pauses and analyses of its strategy."""
    status, pods = builder.status, hash_of(new)
    if status.stable_rs != pods:
        builder.record_event(
            "RolloutCompleted", f"Rollout completed update to revision {revision_of(new)} ({pods}): {how}"
        )
    duration.complete(
        status, duration.promoted_as(back=new is not builder.context.stable and goes_back(builder), fast=fast)
    )
    canary = builder.context.canary
    if canary and canary.ping_pong and status.stable_rs != pods:
        status.canary.stable_ping_pong = "pong" if status.canary.stable_ping_pong == "ping" else "ping"
    status.stable_rs = pods
    if never_promoted(new):
        builder.annotate(new, {UNPROMOTED: None}, f"{new.metadata.name} is the stable version")
    status.abort, status.promote_full = False, False
    status.current_step_index = len(builder.context.steps) or None
    end_pauses(builder)


def end_pauses(builder: PlanBuilder, reason: str = "") -> None:
    """End the pauses of one reason, or all. Records an Event when none is left; an abort has its own Event."""
    status = builder.status
    if not status.pause_conditions:
        status.controller_pause = False
        return
    left = [p for p in status.pause_conditions if reason and p.reason != reason]
    if not left and not status.abort:
        builder.record_event("RolloutResumed", "Rollout is resumed")
    status.pause_conditions, status.controller_pause = left, bool(left)
