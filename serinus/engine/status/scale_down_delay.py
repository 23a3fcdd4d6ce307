"""Old pods stay for a delay after traffic has left them (promise: drain after observe).

The ReplicaSet records the deadline (annotation `scale-down-deadline`), so it survives a restart of the controller.
Source: canary strategy, section 5.
"""

from __future__ import annotations

from collections.abc import Callable

from serinus.api.names import SCALE_DOWN_DEADLINE
from serinus.api.values.times import format_deadline, parse_time
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder


def deadline_of(rs: ReplicaSet) -> float | None:
    """Seconds since the epoch; None without one or with one that cannot be read."""
    return parse_time(rs.metadata.annotations.get(SCALE_DOWN_DEADLINE))


def has_deadline(rs: ReplicaSet) -> bool:
    return SCALE_DOWN_DEADLINE in rs.metadata.annotations


def mark(builder: PlanBuilder, rs: ReplicaSet, seconds: int, because: str) -> str:
    """Write the deadline, `seconds` from now. Returns it as written."""
    at = format_deadline(builder.context.now + seconds)
    builder.annotate(rs, {SCALE_DOWN_DEADLINE: at}, because)
    return at


def set_deadline(builder: PlanBuilder, rs: ReplicaSet, seconds: int, because: str) -> None:
    """Keep the ReplicaSet for at least `seconds` more."""
    at = mark(builder, rs, seconds, f"{because}; it is scaled down then")
    builder.wait(
        wait_reasons.SCALE_DOWN.code,
        f"{rs.metadata.name} serves until {at}",
        since=builder.context.now,
        until=parse_time(at),
    )


def drop_deadline(builder: PlanBuilder, rs: ReplicaSet) -> None:
    if has_deadline(rs) and not _dropped(builder, rs):
        builder.annotate(rs, {SCALE_DOWN_DEADLINE: None}, f"{rs.metadata.name} is in use again: it is not scaled down")


def _dropped(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    """Whether this pass removes the deadline already."""
    name, gone = rs.metadata.name, {SCALE_DOWN_DEADLINE: None}
    notes = (a.body.get("metadata", {}).get("annotations") for a in builder.actions if a.name == name)
    return gone in notes


def passed(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    """Whether the deadline is over. Otherwise, add a wait until then."""
    at = deadline_of(rs)
    if at is None or builder.context.now >= at:
        return True
    builder.wait(
        wait_reasons.SCALE_DOWN.code, f"{rs.metadata.name} serves until its scale-down delay has passed", until=at
    )
    return False


def retire(
    builder: PlanBuilder,
    candidates: list[ReplicaSet],
    *,
    delay: Callable[[ReplicaSet], int],
    limit: int | None,
    least: int = 0,
) -> None:
    """Scale down superseded ReplicaSets, newest revision first, each `delay` seconds after its last reference ends.

    At most `limit` of them (None: all) are kept for the delay, and the others for `least` seconds.
    """
    delayed = 0
    for rs in candidates:
        if builder.size(rs) == 0:
            continue
        if limit is not None and delayed >= limit:
            beyond = f"only {limit} old ReplicaSets are kept for the delay (scaleDownDelayRevisionLimit)"
            if _drained(builder, rs, least, beyond):
                empty(builder, rs, beyond)
            continue
        delayed += 1
        if not has_deadline(rs):
            seconds = delay(rs)
            if seconds <= 0:
                empty(builder, rs, "nothing leads to it and there is no scale-down delay")
            else:
                set_deadline(builder, rs, seconds, f"nothing leads to {rs.metadata.name} any more")
        elif passed(builder, rs):
            empty(builder, rs, "its scale-down delay has passed")


def _drained(builder: PlanBuilder, rs: ReplicaSet, seconds: int, because: str) -> bool:
    """Whether its pods have served for `seconds` without a reference. Sets a deadline that is missing or later than that."""
    at = deadline_of(rs)
    if not seconds or not rs.status.ready_replicas:
        return True
    if at is None or at > builder.context.now + seconds + 1:  # a deadline is written in whole seconds
        set_deadline(builder, rs, seconds, because)
        return False
    return passed(builder, rs)


def empty(builder: PlanBuilder, rs: ReplicaSet, because: str) -> None:
    """Scale to 0 and remove the deadline."""
    notes = {SCALE_DOWN_DEADLINE: None} if has_deadline(rs) else {}
    builder.scale(rs, 0, because, annotations=notes)
