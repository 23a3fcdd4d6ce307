"""The stages of a pass that canary and blue-green share. Each returns a value for the strategy to use."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of, revision_of, serving
from serinus.engine.judging import analyses
from serinus.engine.replicasets import ephemeral_roles
from serinus.engine.replicasets.revision import ensure_new
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import selected_hash
from serinus.engine.replicasets.workload import follow
from serinus.engine.status import duration
from serinus.engine.status.abort import apply_abort, full_promotion_wanted
from serinus.engine.status.conditions import find, promoted, record_not_completed, set_conditions
from serinus.engine.status.phase import phase_of
from serinus.engine.status.promotion import end_pauses, promote
from serinus.engine.status.refused_writes import report_held, report_only_held, report_unconfirmed


class NewVersion(NamedTuple):
    """The ReplicaSet of the current template. `created`: this pass creates it."""

    rs: ReplicaSet
    created: bool


def begin(builder: PlanBuilder) -> NewVersion | None:
    """The new version, planned if its ReplicaSet is missing. None ends the pass: no version can get pods."""
    s = builder.context
    created = s.new is None
    new = ensure_new(builder, ephemeral_roles.for_new(s))
    if builder.missing(new) and s.stable is None:
        report_only_held(builder, new)
        return None
    follow(builder)
    return NewVersion(new, created)


def end_commands(builder: PlanBuilder) -> None:
    """A new template ends the pauses, the abort and the full promotion of the update before."""
    end_pauses(builder)
    builder.status.abort, builder.status.aborted_at, builder.status.promote_full = False, None, False


def first_deploy(builder: PlanBuilder, new: ReplicaSet) -> None:
    """Without a stable version there is none to compare with, and none to serve: the new one becomes stable at once."""
    s, status = builder.context, builder.status
    if (status.stable_rs and s.stable is not None) or _recover_stable(builder):
        return
    how = "Stable ReplicaSet is gone" if status.stable_rs and status.stable_rs != hash_of(new) else "Initial deploy"
    s.stable = new
    if s.blue_green is None and find(status, "Completed") is None:
        record_not_completed(builder)
    promote(builder, new, how)


def _recover_stable(builder: PlanBuilder) -> bool:
    """Find the stable version while the status names none. False if there is none.

    Every write of the status may have failed since the first version was created. It serves already, and another version
    must not go live without its steps. The stable or active Service decides; without one, the first version that serves.
    """
    s, status = builder.context, builder.status
    if status.stable_rs:
        return False
    service = service_names(s.canary, status)[1] if s.canary else s.blue_green.active_service if s.blue_green else ""
    selected = selected_hash(builder, service) if service else ""
    candidates = [rs for rs in s.others if serving(rs) and (not service or hash_of(rs) == selected)]
    if not candidates:
        return False
    s.stable = min(candidates, key=revision_of)
    s.others.remove(s.stable)
    status.stable_rs = hash_of(s.stable)
    return True


class UpdateCommand(Enum):
    """The command that decides about the update in this pass."""

    NONE = auto()
    COMPLETE = auto()
    """The new version is the stable one, so no command applies."""
    PROMOTE = auto()
    ABORT = auto()


def apply_commands(builder: PlanBuilder, *, skips_trial: bool) -> UpdateCommand:
    """Apply the users' commands to the status. `skips_trial`: the version needs none, so it is promoted fully."""
    status = builder.status
    if promoted(status):
        status.abort, status.promote_full = False, False
        end_pauses(builder)
        return UpdateCommand.COMPLETE
    if full_promotion_wanted(status) or (skips_trial and not status.abort):
        status.abort = False
        end_pauses(builder)
        return UpdateCommand.PROMOTE
    if status.abort:
        apply_abort(builder)
        return UpdateCommand.ABORT
    return UpdateCommand.NONE


def begin_retry(builder: PlanBuilder) -> None:
    """Forget the checks of the aborted attempt: a retried update starts new ones.

    This precedes every stage that reads them. A retry may follow the abort before any other pass has removed them.
    """
    status = builder.status
    if not status.aborted_at or status.abort or status.promote_full or promoted(status):
        return
    analyses.forget(builder, *analyses.KINDS)
    status.canary.current_experiment, status.canary.step_plugin_statuses = "", []


def end_abort(builder: PlanBuilder) -> None:
    """Remove the time of an abort that no longer holds, and begin the duration of an update that continues after one."""
    status = builder.status
    if status.abort:
        return
    if status.aborted_at and not promoted(status):
        duration.begin(status, builder.context.now)
    status.aborted_at = None


class PodCounts(NamedTuple):
    """Pods of some ReplicaSets, by their status. Pods that this pass evicts are neither ready nor available."""

    existing: int
    ready: int
    available: int


def count_pods(builder: PlanBuilder, sets: Sequence[ReplicaSet]) -> PodCounts:
    """The pods of these ReplicaSets together."""
    existing = ready = available = 0
    for rs in sets:
        status = rs.status
        if not status.replicas:
            continue  # the API server refuses a status with more ready pods than pods
        existing += status.replicas
        ready += builder.ready_not_evicted(rs, status.ready_replicas)
        available += builder.ready_not_evicted(rs, status.available_replicas)
    return PodCounts(existing, ready, available)


def progressed(builder: PlanBuilder) -> bool:
    """Whether pods became ready, or versions changed, since the status was stored. The counts must be in the status."""
    status, old = builder.status, builder.context.rollout.status
    return (
        status.updated_replicas != old.updated_replicas
        or status.ready_replicas > old.ready_replicas
        or status.available_replicas > old.available_replicas
        or status.stable_rs != old.stable_rs
        or status.current_pod_hash != old.current_pod_hash
        or builder.evicts()
    )


class UpdateOutcome(NamedTuple):
    """The state of the update at the end of a pass.

    `healthy`, `available`, `progressed`: as of `set_conditions`. `for_user`: it waits for a user. `own`, `has_traffic`:
    as `available` and `has_traffic` of `phase_of`.
    """

    healthy: bool
    available: bool
    progressed: bool
    for_user: bool
    own: int | None = None
    has_traffic: bool = True


def report(builder: PlanBuilder, new: NewVersion, outcome: UpdateOutcome) -> None:
    """Write the conditions, the time of pauses, the phase and the message. The rest of the status must be complete."""
    s, status = builder.context, builder.status
    report_held(builder)
    report_unconfirmed(builder)
    set_conditions(
        builder,
        healthy=outcome.healthy,
        available=outcome.available,
        progressed=outcome.progressed,
        created=new.created and not builder.missing(new.rs),
    )
    duration.count_pause(status, s.now, manual=s.spec.paused or outcome.for_user)
    status.phase, status.message = phase_of(s.spec, status, available=outcome.own, has_traffic=outcome.has_traffic)
