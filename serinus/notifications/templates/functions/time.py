"""sprig's functions of time. The zone `Local` is UTC, so results do not depend on the machine."""

from __future__ import annotations

from typing import Any

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.go_time_layout import parse_time
from serinus.analysis.expr.functions.time import OF_TIME
from serinus.analysis.expr.functions.time_values import DAY, SECOND, Duration, Time, days_from_civil
from serinus.analysis.expr.functions.zones import time_in, zone
from serinus.api.values.durations import go_duration
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Call, Table

TIMES = Table()
ZERO = Time(days_from_civil(1, 1, 1) * DAY * SECOND)


def _moment(run: Call, value: Any) -> Time:
    """The time of a time or of seconds since the epoch; for other values the current time, as in sprig."""
    if isinstance(value, Time):
        return value
    return Time(value * SECOND if type(value) is int else run.now)


def _written(run: Call, layout: str, value: Any, where: str) -> str:
    try:
        location = zone(where)
    except ConditionError:
        location = zone("UTC")
    try:
        return str(OF_TIME["Format"].work(time_in(_moment(run, value), location), layout))
    except ConditionError as error:
        raise TemplateError(str(error)) from None


@TIMES.add("now")
def _now(run: Call) -> Time:
    return Time(run.now)


@TIMES.add("date", "sa")
def _date(run: Call, layout: str, value: Any) -> str:
    return _written(run, layout, value, "Local")


@TIMES.add("dateInZone date_in_zone", "sas")
def _date_in_zone(run: Call, layout: str, value: Any, where: str) -> str:
    return _written(run, layout, value, where)


@TIMES.add("htmlDate", "a")
def _html_date(run: Call, value: Any) -> str:
    return _written(run, "2006-01-02", value, "Local")


@TIMES.add("htmlDateInZone", "as")
def _html_date_in_zone(run: Call, value: Any, where: str) -> str:
    return _written(run, "2006-01-02", value, where)


@TIMES.add("dateModify date_modify", "st")
def _date_modify(_run: Call, text: str, time: Time) -> Time:
    try:
        return Time(time.nanoseconds + round(go_duration(text) * SECOND), time.offset, time.zone)
    except ValueError:
        return time


@TIMES.add("mustDateModify must_date_modify", "st")
def _must_date_modify(run: Call, text: str, time: Time) -> Time:
    try:
        go_duration(text)
    except ValueError:
        raise TemplateError(f'time: invalid duration "{text[:100]}"') from None
    return _date_modify(run, text, time)


@TIMES.add("toDate", "ss")
def _to_date(_run: Call, layout: str, text: str) -> Time:
    try:
        return parse_time(text[:200], layout[:200])
    except ConditionError:
        return ZERO


@TIMES.add("mustToDate", "ss")
def _must_to_date(_run: Call, layout: str, text: str) -> Time:
    try:
        return parse_time(text[:200], layout[:200])
    except ConditionError as error:
        raise TemplateError(str(error)) from None


@TIMES.add("unixEpoch", "t")
def _unix_epoch(_run: Call, time: Time) -> str:
    return str(time.nanoseconds // SECOND)


@TIMES.add("ago", "a")
def _ago(run: Call, value: Any) -> str:
    passed = run.now - _moment(run, value).nanoseconds
    seconds = (abs(passed) + SECOND // 2) // SECOND
    return str(Duration(seconds * SECOND * (-1 if passed < 0 else 1)))


@TIMES.add("duration", "a")
def _duration(_run: Call, value: Any) -> str:
    if isinstance(value, str):
        value = int(value) if value.lstrip("+-").isdecimal() and len(value) < 12 else 0
    return str(Duration(value * SECOND if type(value) is int else 0))


_UNITS = (("y", 365 * DAY), ("mo", 30 * DAY), ("d", DAY), ("h", 3600), ("m", 60), ("s", 1))


@TIMES.add("durationRound", "a")
def _duration_round(run: Call, value: Any) -> str:
    nanoseconds = 0
    if isinstance(value, str):
        try:
            nanoseconds = round(go_duration(value) * SECOND)
        except ValueError:
            nanoseconds = 0
    elif type(value) is int:
        nanoseconds = value
    elif isinstance(value, Time):
        nanoseconds = run.now - value.nanoseconds
    size = abs(nanoseconds)
    return next((f"{size // (unit * SECOND)}{name}" for name, unit in _UNITS if size > unit * SECOND), "0s")
