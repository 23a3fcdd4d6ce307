"""Time zones by name, from the tz database of Python or the machine."""

from __future__ import annotations

import zoneinfo
from datetime import UTC as UTC_
from datetime import datetime, timedelta

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.time_values import SECOND, UTC, Time, Zone


def zone(name: str) -> Zone:
    """The zone of a name such as `Europe/Berlin`; "" and "UTC" are UTC. ConditionError if there is none."""
    if name in ("", "UTC"):
        return UTC
    if name == "Local":
        return Zone("Local")
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConditionError(f"unknown time zone {name}") from None
    return Zone(name, key=name)


def time_in(time: Time, where: Zone) -> Time:
    """The same time in the zone `where`."""
    if not where.key:
        return Time(time.nanoseconds, where.offset, where.name if where.name != "Local" else "UTC")
    local = _datetime(time.nanoseconds // SECOND).astimezone(zoneinfo.ZoneInfo(where.key))
    offset = local.utcoffset() or timedelta()
    return Time(time.nanoseconds, int(offset.total_seconds()), local.tzname() or "")


def wall_time(local: int, where: Zone) -> int:
    """Seconds since the epoch at the local time `local` of `where` (seconds since 1970 in local time)."""
    if not where.key:
        return local - where.offset
    naive = _datetime(local).replace(tzinfo=zoneinfo.ZoneInfo(where.key))
    return local - int((naive.utcoffset() or timedelta()).total_seconds())


def offset_of(where: Zone, abbreviation: str) -> int:
    """The offset of an abbreviation such as `CET` in `where`; 0 for unknown ones, as in Go."""
    if where.key:
        for month in (1, 7):
            at = datetime(2024, month, 1, tzinfo=zoneinfo.ZoneInfo(where.key))
            if at.tzname() == abbreviation:
                return int((at.utcoffset() or timedelta()).total_seconds())
    return 0


def _datetime(seconds: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC_) + timedelta(seconds=seconds)
    except OverflowError:
        raise ConditionError("the time is too far away for a time zone") from None
