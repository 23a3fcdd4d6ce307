"""now, date, duration, timezone, and the methods of their results."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import TEXT, Run, Table, text
from serinus.analysis.expr.functions.go_time_layout import DATES, format_time, parse_time
from serinus.analysis.expr.functions.time_values import (
    DAY,
    MONTHS,
    SECOND,
    UTC,
    WEEKDAYS,
    Duration,
    Named,
    Time,
    days_from_civil,
)
from serinus.analysis.expr.functions.zones import time_in, zone
from serinus.analysis.expr.types import Type
from serinus.analysis.expr.values import wrapped
from serinus.api.values.durations import go_duration

TIMES = Table()
ZONE = Type("*time.Location")
MONTH = Type("time.Month")
WEEKDAY = Type("time.Weekday")
PACKAGE = Type("package time")
LONGEST_LAYOUT = 200
RFC3339 = "2006-01-02T15:04:05Z07:00"


def time_package(now: float) -> Named:
    """The value of the variable `time` of notifications. `now`: seconds since the epoch."""
    return Named(PACKAGE.name, round(now * 1e6) * 1000, PACKAGE.name)


@TIMES.add("now", t.TIME)
def _now(_args: Sequence[Any], run: Run) -> Time:
    """The time of the evaluation, in UTC, so that results do not depend on the machine."""
    return Time(run.now)


@TIMES.add("duration", t.DURATION, TEXT)
def _duration(args: Sequence[Any], _run: Run) -> Duration:
    value = text(args[0])
    try:
        return Duration(round(go_duration(value) * SECOND))
    except ValueError:
        raise ConditionError(f'time: invalid duration "{value[:200]}"') from None


@TIMES.add("timezone", ZONE, TEXT)
def _timezone(args: Sequence[Any], _run: Run) -> Named:
    where = zone(text(args[0]))
    return Named(ZONE.name, 0, where.name, where)


@TIMES.add("date", t.TIME, None, None, None, least=1)
def _date(args: Sequence[Any], run: Run) -> Time:
    """`date(text)`, `date(text, layout)`, `date(text, layout, zone)`; a zone may also precede the text."""
    rest, where = list(args), UTC
    if isinstance(rest[0], Named) and rest[0].zone:
        where = rest.pop(0).zone or UTC
    if not rest:
        raise ConditionError("not enough arguments to call date")
    value, given = text(rest[0]), [text(arg) for arg in rest[1:]]
    if len(given) > 1:
        where = zone(given[1])
    if len(value) > LONGEST_LAYOUT or any(len(layout) > LONGEST_LAYOUT for layout in given):
        raise ConditionError(f"date: text and layout have at most {LONGEST_LAYOUT} characters")
    run.budget.spend(LONGEST_LAYOUT)
    if given:
        return parse_time(value, given[0], where)
    for layout in DATES:
        try:
            return parse_time(value, layout, where)
        except ConditionError:
            continue
    raise ConditionError(f"invalid date {value}")


@dataclass(frozen=True, slots=True)
class MethodOf:
    """A method. `takes`: the types of its arguments."""

    gives: Type
    takes: tuple[Type, ...]
    work: Callable[..., Any]


def _month(time: Time) -> Named:
    return Named(MONTH.name, time.date[1], MONTHS[time.date[1] - 1])


def _weekday(time: Time) -> Named:
    return Named(WEEKDAY.name, time.weekday, WEEKDAYS[time.weekday])


def _format(time: Time, layout: str) -> str:
    if len(layout) > LONGEST_LAYOUT:
        raise ConditionError(f"Format: a layout has at most {LONGEST_LAYOUT} characters")
    return format_time(time, layout)


def _add_date(time: Time, years: int, months: int, days: int) -> Time:
    if max(map(abs, (years, months, days))) > 10**7:
        raise ConditionError("AddDate: at most 10,000,000 of each")
    year, month, day = time.date
    months += month - 1
    moved = days_from_civil(year + years + months // 12, months % 12 + 1, 1) + day - 1 + days
    local = moved * DAY + time.local % DAY
    return Time((local - time.offset) * SECOND + time.nanosecond, time.offset, time.zone)


def _multiple(nanoseconds: int, of: Duration, half: bool = False) -> int:
    """Truncated to a multiple, or rounded to the nearest one (halves away from zero)."""
    size = of.nanoseconds
    if size <= 0:
        return nanoseconds
    whole, rest = divmod(abs(nanoseconds), size)
    value = (whole + (half and rest * 2 >= size)) * size
    return -value if nanoseconds < 0 else value


def _in(time: Time, where: Named) -> Time:
    return time_in(time, where.zone or UTC)


_I, _F, _S, _B, _T, _D = t.INT, t.FLOAT, t.STRING, t.BOOL, t.TIME, t.DURATION

OF_TIME: dict[str, MethodOf] = {
    "Year": MethodOf(_I, (), lambda x: x.date[0]),
    "Month": MethodOf(MONTH, (), _month),
    "Day": MethodOf(_I, (), lambda x: x.date[2]),
    "Hour": MethodOf(_I, (), lambda x: x.clock[0]),
    "Minute": MethodOf(_I, (), lambda x: x.clock[1]),
    "Second": MethodOf(_I, (), lambda x: x.clock[2]),
    "Nanosecond": MethodOf(_I, (), lambda x: x.nanosecond),
    "Weekday": MethodOf(WEEKDAY, (), _weekday),
    "YearDay": MethodOf(_I, (), lambda x: x.year_day),
    "Unix": MethodOf(_I, (), lambda x: x.nanoseconds // SECOND),
    "UnixMilli": MethodOf(_I, (), lambda x: x.nanoseconds // 10**6),
    "UnixMicro": MethodOf(_I, (), lambda x: x.nanoseconds // 10**3),
    "UnixNano": MethodOf(_I, (), lambda x: wrapped(x.nanoseconds)),
    "Format": MethodOf(_S, (_S,), _format),
    "String": MethodOf(_S, (), str),
    "UTC": MethodOf(_T, (), lambda x: Time(x.nanoseconds)),
    "Local": MethodOf(_T, (), lambda x: Time(x.nanoseconds)),
    "In": MethodOf(_T, (ZONE,), _in),
    "Add": MethodOf(_T, (_D,), lambda x, d: Time(x.nanoseconds + d.nanoseconds, x.offset, x.zone)),
    "AddDate": MethodOf(_T, (_I, _I, _I), _add_date),
    "Sub": MethodOf(_D, (_T,), lambda x, y: Duration(wrapped(x.nanoseconds - y.nanoseconds))),
    "Before": MethodOf(_B, (_T,), lambda x, y: x.nanoseconds < y.nanoseconds),
    "After": MethodOf(_B, (_T,), lambda x, y: x.nanoseconds > y.nanoseconds),
    "Equal": MethodOf(_B, (_T,), lambda x, y: x.nanoseconds == y.nanoseconds),
    "IsZero": MethodOf(_B, (), lambda x: x.nanoseconds == days_from_civil(1, 1, 1) * DAY * SECOND),
    "Truncate": MethodOf(_T, (_D,), lambda x, d: Time(_multiple(x.nanoseconds, d), x.offset, x.zone)),
    "Round": MethodOf(_T, (_D,), lambda x, d: Time(_multiple(x.nanoseconds, d, True), x.offset, x.zone)),
}
OF_DURATION: dict[str, MethodOf] = {
    "Hours": MethodOf(_F, (), lambda d: d.nanoseconds / (3600 * SECOND)),
    "Minutes": MethodOf(_F, (), lambda d: d.nanoseconds / (60 * SECOND)),
    "Seconds": MethodOf(_F, (), lambda d: d.nanoseconds / SECOND),
    "Milliseconds": MethodOf(_I, (), lambda d: int(d.nanoseconds / 10**6)),
    "Microseconds": MethodOf(_I, (), lambda d: int(d.nanoseconds / 10**3)),
    "Nanoseconds": MethodOf(_I, (), lambda d: d.nanoseconds),
    "String": MethodOf(_S, (), str),
    "Abs": MethodOf(_D, (), lambda d: Duration(abs(d.nanoseconds))),
    "Truncate": MethodOf(_D, (_D,), lambda d, of: Duration(_multiple(d.nanoseconds, of))),
    "Round": MethodOf(_D, (_D,), lambda d, of: Duration(_multiple(d.nanoseconds, of, True))),
}


def _parse(_package: Named, value: str) -> Time:
    return parse_time(value[:LONGEST_LAYOUT], RFC3339)


OF_PACKAGE: dict[str, MethodOf] = {
    "Now": MethodOf(_T, (), lambda package: Time(package.number)),
    "Parse": MethodOf(_T, (_S,), _parse),
}
"""The methods of the variable `time` in conditions of notifications."""
OF_NAMED: dict[str, MethodOf] = {"String": MethodOf(_S, (), str)}


@functools.cache
def methods(kind: Type) -> dict[str, MethodOf] | None:
    """The methods of a type; None if its values have none."""
    if kind in (MONTH, WEEKDAY, ZONE):
        return OF_NAMED
    if kind == PACKAGE:
        return OF_PACKAGE
    return {t.TIME: OF_TIME, t.DURATION: OF_DURATION}.get(kind)


def check_method(kind: Type, name: str, arguments: Sequence[Type]) -> Type:
    """The type of `value.name(arguments)`. ConditionError for an unknown method or wrong arguments."""
    method = (methods(kind) or {}).get(name)
    if method is None:
        raise ConditionError(f"type {kind} has no method {name}")
    if len(arguments) != len(method.takes):
        few = len(arguments) < len(method.takes)
        raise ConditionError(f"{'not enough' if few else 'too many'} arguments to call {name}")
    for given, expected in zip(arguments, method.takes, strict=True):
        if given not in (expected, t.UNKNOWN):
            raise ConditionError(f"cannot use {given} as argument (type {expected}) to call {name} ")
    return method.gives


def call_method(value: Any, name: str, arguments: Sequence[Any]) -> Any:
    known = methods(t.type_of(value))
    if known is None or name not in known:
        raise ConditionError(f"{t.type_of(value)} has no method {name}")
    check_method(t.type_of(value), name, [t.type_of(arg) for arg in arguments])
    return known[name].work(value, *arguments)
