"""Abort of an update, by a user or after a failed check."""

from __future__ import annotations

from serinus.api.rollout import RolloutStatus
from serinus.api.values.times import format_time
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.status import duration
from serinus.engine.status.promotion import end_pauses


def abort(builder: PlanBuilder, why: str) -> None:
    """Abort the update from this pass on. `why` goes into the condition and the Event."""
    builder.status.abort = True
    builder.abort_message = why
    apply_abort(builder)


def full_promotion_wanted(status: RolloutStatus) -> bool:
    """Whether `promoteFull` applies. Of an abort and a full promotion, the later one applies.

    An abort removes `promoteFull`, so a `promoteFull` beside `abortedAt` came after it.
    """
    return status.promote_full and (not status.abort or bool(status.aborted_at))


def apply_abort(builder: PlanBuilder) -> None:
    """The effects of an abort on the status, for any cause."""
    s, status = builder.context, builder.status
    end_pauses(builder)
    status.promote_full = False
    status.current_step_index = 0 if s.steps else None
    status.aborted_at = status.aborted_at or format_time(s.now)
    duration.complete(status, "Aborted")
    duration.finish(status, s.now)
