"""`status.duration`: the start of an update, its result, and how long it waited for users.

Source: the Rollout resource, section 3 ("duration").
"""

from __future__ import annotations

from serinus.api.meta import Json
from serinus.api.rollout import RolloutStatus
from serinus.api.values.times import format_time, parse_time


def begin(status: RolloutStatus, now: float) -> None:
    status.duration = {"rolloutStartedAt": format_time(now)}


def begin_version(status: RolloutStatus, now: float, *, back: bool) -> None:
    """A new template: an update begins. A rollback before the end of an update belongs to that update."""
    known: Json = status.duration or {}
    if not back or "rolloutStartedAt" not in known or "completionStatus" in known:
        begin(status, now)


def promoted_as(*, back: bool, fast: bool) -> str:
    """The completion status of a promotion. `back`: to an older version; `fast`: without steps, pauses and analyses."""
    return ("Fast" if fast else "") + ("RolledBack" if back else "Promoted")


def complete(status: RolloutStatus, how: str) -> None:
    """`how`: Promoted, FastPromoted, RolledBack, FastRolledBack or Aborted."""
    duration: Json = dict(status.duration or {})
    duration.setdefault("completionStatus", how)
    status.duration = duration


def finish(status: RolloutStatus, now: float) -> None:
    known: Json = status.duration or {}
    if "completionStatus" in known and "finishedAt" not in known:
        status.duration = {**known, "finishedAt": format_time(now)}


def count_pause(status: RolloutStatus, now: float, *, manual: bool) -> None:
    """Record the start of a pause that waits for a user, and add its length when it ends."""
    if status.duration is None or (not manual and "manualPauseStartedAt" not in status.duration):
        return
    duration: Json = dict(status.duration)
    begun = parse_time(duration.get("manualPauseStartedAt"))
    if manual and begun is None:
        duration["manualPauseStartedAt"] = format_time(now)
    elif not manual and begun is not None:
        del duration["manualPauseStartedAt"]
        duration["totalManualPauseDurationSeconds"] = int(duration.get("totalManualPauseDurationSeconds", 0)) + max(
            0, int(now - begun)
        )
    status.duration = duration
