"""Conditions of a Rollout: its present state, the time of the last change, and whether it makes progress.

A condition is rewritten only when its status or reason changes. Progressing is also rewritten after progress, which
restarts the progress deadline. A rewritten condition moves to the end of the list. Source: the Rollout resource,
section 4.
"""

from __future__ import annotations

from msgspec import structs

from serinus.api.messages.cutting import shortened
from serinus.api.meta import Condition
from serinus.api.rollout import RolloutStatus
from serinus.api.values.times import format_time, parse_time
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import DEFAULT_PROGRESS_DEADLINE, RolloutContext, revision_of
from serinus.engine.core.held_writes import words_of
from serinus.engine.core.step_kinds import stops_deadline
from serinus.engine.status.pod_troubles import TIMED_OUT, of_version
from serinus.engine.status.scale_down_delay import deadline_of

WRITE_REFUSED = wait_reasons.REFUSED.code
"""The condition that exists while the API server refuses a write."""

CREATE_ERROR = "ReplicaSetCreateError"

TRAFFIC_VERIFIED = "TrafficVerified"
"""The condition that exists, with status False, while a router that can confirm the weight does not confirm it.

Its status is Unknown if the reports of the router ended, and the update no longer waits for them.
"""


def find(status: RolloutStatus, kind: str) -> Condition | None:
    for condition in status.conditions:  # called several times in each pass: a plain loop is the fastest
        if condition.type == kind:
            return condition
    return None


def put(
    status: RolloutStatus, now: float, kind: str, value: str, reason: str, message: str, *, renew: bool = False
) -> None:
    """Set a condition. With the same status and reason it stays unchanged, unless `renew` is set.

    Its message is cut to a readable length: a name or a value in it may be as long as an object.
    """
    old = find(status, kind)
    if old and old.status == value and old.reason == reason and not renew:
        return
    message = shortened(message)
    since = old.last_transition_time if old and old.status == value else format_time(now)
    status.conditions = [c for c in status.conditions if c.type != kind]
    status.conditions.append(Condition(kind, value, format_time(now), since, reason, message))


def drop(status: RolloutStatus, *kinds: str) -> None:
    for condition in status.conditions:
        if condition.type in kinds:
            status.conditions = [c for c in status.conditions if c.type not in kinds]
            return


def promoted(status: RolloutStatus) -> bool:
    return bool(status.stable_rs) and status.stable_rs == status.current_pod_hash


def set_conditions(builder: PlanBuilder, *, healthy: bool, available: bool, progressed: bool, created: bool) -> None:
    """Write all conditions for the status at the end of this pass.

    `healthy`: the update is complete and no other version remains. `available`: enough pods serve. `progressed`: the
    update made progress since the status was stored. `created`: this pass creates the new ReplicaSet. `report_held` has
    set the conditions of held writes before.
    """
    s, status, now = builder.context, builder.status, builder.context.now
    if not builder.invalid:
        drop(status, "InvalidSpec")
    paused = s.spec.paused or bool(status.pause_conditions)
    done, aborted = promoted(status), status.abort
    _completed(builder, done)
    refused = find(status, WRITE_REFUSED) is not None
    fell = _health(status, now, healthy=healthy and not paused and not refused) and not healthy
    put(
        status,
        now,
        "Available",
        "True" if available else "False",
        "AvailableReason",
        f"Rollout {'has' if available else 'does not have'} minimum availability",
    )
    if aborted:
        _aborted(builder)
    else:
        if paused:
            put(status, now, "Paused", "True", "RolloutPaused", "Rollout is paused")
        elif find(status, "Paused"):
            put(status, now, "Paused", "False", "RolloutPaused", "Rollout is paused")
        _progressing(
            builder,
            healthy=healthy and not paused,
            paused=paused and not done,
            progressed=progressed or fell,
            created=created,
            fell=fell,
        )
    _failure(s, status, now)


def _completed(builder: PlanBuilder, done: bool) -> None:
    status = builder.status
    if not done:
        before = find(status, "Completed")
        if before is None or before.status == "True":
            record_not_completed(builder)
    put(status, builder.context.now, "Completed", "True" if done else "False", "RolloutCompleted", "RolloutCompleted")


def record_not_completed(builder: PlanBuilder) -> None:
    new = builder.context.new
    if new is not None:
        builder.record_event(
            "RolloutNotCompleted",
            f"Rollout not completed, started update to revision {revision_of(new)} ({builder.status.current_pod_hash})",
        )


def _health(status: RolloutStatus, now: float, *, healthy: bool) -> bool:
    """Set Healthy. Returns whether it has just become False."""
    if healthy:
        put(status, now, "Healthy", "True", "RolloutHealthy", "Rollout is healthy")
        return False
    before = find(status, "Healthy")
    if before:
        put(status, now, "Healthy", "False", "RolloutHealthy", "Rollout is not healthy")
    return before is not None and before.status == "True"


def _aborted(builder: PlanBuilder) -> None:
    s, status = builder.context, builder.status
    revision = revision_of(s.new) if s.new else 0
    message = f"Rollout aborted update to revision {revision}" + (
        f": {builder.abort_message}" if builder.abort_message else ""
    )
    before = find(status, "Progressing")
    if before is None or before.reason != "RolloutAborted":
        builder.record_event("RolloutAborted", message, warning=True)
    put(status, s.now, "Progressing", "False", "RolloutAborted", message)


def _progressing(
    builder: PlanBuilder, *, healthy: bool, paused: bool, progressed: bool, created: bool, fell: bool
) -> None:
    s, status, now = builder.context, builder.status, builder.context.now
    if s.new is not None and builder.missing(s.new) and not paused:
        return put_creation_refused(builder, s.new)
    name = s.new.metadata.name if s.new else ""
    if paused:
        return put(status, now, "Progressing", "Unknown", "RolloutPaused", "Rollout is paused")
    if healthy:
        return put(
            status,
            now,
            "Progressing",
            "True",
            "NewReplicaSetAvailable",
            f'ReplicaSet "{name}" has successfully progressed.',
        )
    before = find(status, "Progressing")
    reason = before.reason if before else ""
    if created and not promoted(status):
        return put(
            status, now, "Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"', renew=True
        )
    if fell and promoted(status):
        return put(
            status,
            now,
            "Progressing",
            "True",
            "ReplicaSetNotAvailable",
            "Rollout does not have minimum availability",
            renew=True,
        )
    if progressed or created:
        return put(
            status, now, "Progressing", "True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.', renew=True
        )
    if reason == "RolloutAborted":
        return put(status, now, "Progressing", "Unknown", "RolloutRetry", "Retrying Rollout after abort")
    if reason == "RolloutPaused":
        return put(status, now, "Progressing", "Unknown", "RolloutResumed", "Rollout is resumed")
    if before is None:
        return put(status, now, "Progressing", "True", "FoundNewReplicaSet", f'Found new replica set "{name}"')
    _give_up_when_late(builder, name)
    return None


def put_creation_refused(builder: PlanBuilder, rs: ReplicaSet) -> None:
    """The new ReplicaSet cannot be created: no progress until the deadline. Source: the Rollout resource, section 4."""
    status, name = builder.status, rs.metadata.name
    before = find(status, "Progressing")
    if before and f'"{name}"' in before.message and before.reason in (CREATE_ERROR, "ProgressDeadlineExceeded"):
        _give_up_when_late(builder, name)
        return
    words = next((words_of(h) for h in builder.held if (h.verb, h.name) == ("create", name)), "")
    message = f'Failed to create new replica set "{name}": {words}'
    put(status, builder.context.now, "Progressing", "False", CREATE_ERROR, message, renew=True)


def _give_up_when_late(builder: PlanBuilder, name: str) -> None:
    """After the progress deadline: no progress is expected any more, or the update is aborted."""
    s, status, before = builder.context, builder.status, find(builder.status, "Progressing")
    if (before is None or before.reason != "ProgressDeadlineExceeded") and not timed_out(builder):
        return
    message = f'ReplicaSet "{name}" {TIMED_OUT}'
    trouble = of_version(s, s.new)
    if trouble is not None:
        message += f" {trouble.lasting or trouble.sentence}"
    if s.spec.progress_deadline_abort and status.stable_rs and not promoted(status):
        refused = find(status, WRITE_REFUSED)
        _abort_stuck(builder, f"{message} {refused.message}" if refused else message)
    else:
        put(status, s.now, "Progressing", "False", "ProgressDeadlineExceeded", message)
        if trouble is not None and trouble.lasting:  # the trouble may have changed since the deadline passed
            status.conditions = [
                structs.replace(c, message=message) if c.type == "Progressing" else c for c in status.conditions
            ]


def _abort_stuck(builder: PlanBuilder, message: str) -> None:
    """`progressDeadlineAbort`: the next pass rolls back traffic and pods."""
    builder.status.abort, builder.status.aborted_at = True, format_time(builder.context.now)
    builder.status.promote_full = False
    builder.abort_message = message
    builder.record_event("RolloutAborted", message, warning=True)
    _aborted(builder)


def deadline(s: RolloutContext, status: RolloutStatus) -> float | None:
    """When the update counts as stuck (seconds since the epoch); None while the deadline does not run."""
    before = find(status, "Progressing")
    if before is None or before.reason in (
        "RolloutPaused",
        "RolloutAborted",
        "NewReplicaSetAvailable",
        "ProgressDeadlineExceeded",
    ):
        return None
    if (p := find(status, "Paused")) and p.status == "True":
        return None
    index = status.current_step_index
    step = s.steps[index] if index is not None and index < len(s.steps) else None
    if step is not None and stops_deadline(step) and find(status, WRITE_REFUSED) is None:
        return None
    since = parse_time(before.last_update_time)
    seconds = (
        DEFAULT_PROGRESS_DEADLINE if s.spec.progress_deadline_seconds is None else s.spec.progress_deadline_seconds
    )
    if since is None:
        return None
    # While an old version is in its scale-down delay the update is not stuck. An empty one may keep an abort's
    # deadline.
    delays = [at for r in s.others if r.spec.replicas and (at := deadline_of(r)) is not None]
    return max([since + seconds, *delays])


def timed_out(builder: PlanBuilder) -> bool:
    """Whether the progress deadline is over. Otherwise, requeue at that time."""
    at = deadline(builder.context, builder.status)
    if at is None:
        return False
    # Stored times are truncated to whole seconds. One more second keeps the deadline from being short.
    if builder.context.now <= at + 1:
        builder.requeue(at + 1.001)
        return False
    return True


def _failure(s: RolloutContext, status: RolloutStatus, now: float) -> None:
    """Copy ReplicaFailure from the ReplicaSet that has it, the new one first."""
    for rs in (s.new, s.stable, *s.others):
        for failed in rs.status.conditions if rs else ():
            if failed.type == "ReplicaFailure":
                return put(status, now, "ReplicaFailure", failed.status, failed.reason, failed.message)
    return drop(status, "ReplicaFailure")
