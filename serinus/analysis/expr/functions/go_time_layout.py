"""Formats and parses times by Go's layouts, such as `2006-01-02 15:04:05`.

A layout is split into pieces once. Each piece has one function to format it and one to parse it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.time_values import (
    DAY,
    MONTHS,
    SECOND,
    UTC,
    WEEKDAYS,
    Time,
    Zone,
    days_from_civil,
    offset_text,
)
from serinus.analysis.expr.functions.zones import offset_of, time_in, wall_time

DATES = (
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)
"""The layouts of `date(text)`, in order."""

_PIECES = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|__2|002|_2|01|02|03|04|05|06|15|PM|pm|Z070000|Z07:00:00|Z0700|Z07:00|Z07"
    r"|-070000|-07:00:00|-0700|-07:00|-07|[.,](?:0+|9+)(?!\d)|[12345]"
)
_CLOCK = {"15": (0, 2), "03": (0, 2), "3": (0, 1), "04": (1, 2), "4": (1, 1), "05": (2, 2), "5": (2, 1)}


def format_time(time: Time, layout: str) -> str:
    out: list[str] = []
    at = 0
    for match in _PIECES.finditer(layout):
        out += (layout[at : match.start()], _written(time, match.group()))
        at = match.end()
    return "".join(out) + layout[at:]


def _written(time: Time, piece: str) -> str:
    year, month, day = time.date
    if piece in _CLOCK:
        which, width = _CLOCK[piece]
        value = time.clock[which]
        return f"{(value % 12 or 12) if piece in ('03', '3') else value:0{width}d}"
    if piece[0] in ".,":
        digits = f"{time.nanosecond:09d}"[: len(piece) - 1]
        fraction = digits if piece[1] == "0" else digits.rstrip("0")
        return piece[0] + fraction if fraction else ""
    if piece[0] in "Z-":
        if piece[0] == "Z" and time.offset == 0:
            return "Z"
        full = offset_text(time.offset, ":" if ":" in piece else "")
        return full[:3] if piece.endswith("07") else full
    simple: dict[str, Callable[[], str]] = {
        "January": lambda: MONTHS[month - 1],
        "Jan": lambda: MONTHS[month - 1][:3],
        "1": lambda: str(month),
        "01": lambda: f"{month:02d}",
        "Monday": lambda: WEEKDAYS[time.weekday],
        "Mon": lambda: WEEKDAYS[time.weekday][:3],
        "2": lambda: str(day),
        "_2": lambda: f"{day:2d}",
        "02": lambda: f"{day:02d}",
        "__2": lambda: f"{time.year_day:3d}",
        "002": lambda: f"{time.year_day:03d}",
        "2006": lambda: f"{year:04d}",
        "06": lambda: f"{year % 100:02d}",
        "PM": lambda: "PM" if time.clock[0] >= 12 else "AM",
        "pm": lambda: "pm" if time.clock[0] >= 12 else "am",
        "MST": lambda: time.zone_name,
    }
    return simple[piece]()


@dataclass
class _Read:
    year: int = 0
    month: int = 1
    day: int = 1
    clock: list[int] = field(default_factory=lambda: [0, 0, 0])
    nanosecond: int = 0
    afternoon: bool | None = None
    offset: int | None = None
    zone: str = ""
    of_year: bool = False
    """`day` counts from the first of January."""


_NUMBER = {
    "2006": r"\d{4}", "06": r"\d{2}", "01": r"\d{2}", "1": r"\d{1,2}", "02": r"\d{2}", "2": r"\d{1,2}", "_2": r" ?\d{1,2}",
    "002": r"\d{3}", "__2": r" {0,2}\d{1,3}", "15": r"\d{1,2}", "03": r"\d{2}", "3": r"\d{1,2}", "04": r"\d{2}",
    "4": r"\d{1,2}", "05": r"\d{2}", "5": r"\d{1,2}",
}  # fmt: skip
_OFFSET = {
    "0700": r"[+-]\d{4}",
    "07:00": r"[+-]\d{2}:\d{2}",
    "07": r"[+-]\d{2}",
    "070000": r"[+-]\d{6}",
    "07:00:00": r"[+-]\d{2}:\d{2}:\d{2}",
}
_FRACTION = r"((?>[.,]\d{1,9}))?+"
_WORDS = {
    "January": "|".join(MONTHS),
    "Jan": "|".join(m[:3] for m in MONTHS),
    "Monday": "|".join(WEEKDAYS),
    "Mon": "|".join(d[:3] for d in WEEKDAYS),
    "PM": "AM|PM",
    "pm": "am|pm",
    "MST": r"[A-Z]{3,4}[A-Z]?|[+-]\d{2}",
}


def parse_time(text: str, layout: str, zone: Zone = UTC) -> Time:
    """The time of `text`. `zone`: the time zone if the text has none. ConditionError if it is invalid."""
    expected, pieces, at = "", list[str](), 0
    for match in _PIECES.finditer(layout):
        piece = match.group()
        between = layout[at : match.start()]
        at = match.end()
        expected += re.escape(between)
        if piece[0] in ".,":
            expected += rf"({re.escape(piece[0])}\d{{{len(piece) - 1}}})" if piece[1] == "0" else _FRACTION
        elif piece[0] in "Z-":
            offset = _OFFSET[piece[1:]]
            expected += f"(Z|{offset})" if piece[0] == "Z" else f"({offset})"
        else:
            # Atomic, so that no layout causes backtracking.
            expected += f"((?>{_NUMBER.get(piece) or _WORDS[piece]}))"
        pieces.append(piece)
        if piece in ("05", "5") and layout[at : at + 1] not in (".", ","):
            # As in Go: a fraction may follow the seconds, even if the layout has none.
            expected += _FRACTION
            pieces.append(".9")
    fields = re.fullmatch(expected + re.escape(layout[at:]), text, re.ASCII)
    if fields is None:
        raise ConditionError(f'parsing time "{text}" as "{layout}": they do not fit')
    read = _Read()
    for piece, value in zip(pieces, fields.groups(), strict=True):
        _understood(read, piece, value or "")
    return _checked(read, text, zone)


def _understood(read: _Read, piece: str, value: str) -> None:
    if not _date_understood(read, piece, value):
        _clock_understood(read, piece, value)


def _date_understood(read: _Read, piece: str, value: str) -> bool:
    """Whether the piece is one of a date."""
    if piece in ("January", "Jan"):
        read.month = [m[: len(value)] for m in MONTHS].index(value) + 1
    elif piece in ("1", "01"):
        read.month = int(value)
    elif piece in ("2", "_2", "02"):
        read.day = int(value)
    elif piece in ("002", "__2"):
        read.day, read.month, read.of_year = int(value), 1, True
    elif piece == "2006":
        read.year = int(value)
    elif piece == "06":
        read.year = int(value) + (1900 if int(value) >= 69 else 2000)
    else:
        return False
    return True


def _clock_understood(read: _Read, piece: str, value: str) -> None:
    if piece in _CLOCK:
        # 99 is refused like every invalid hour.
        read.clock[_CLOCK[piece][0]] = 99 if piece in ("03", "3") and int(value) > 12 else int(value)
    elif piece in ("PM", "pm"):
        read.afternoon = value.lower() == "pm"
    elif piece == "MST":
        read.zone = value
    elif piece[0] in ".,":
        read.nanosecond = int(value[1:].ljust(9, "0")) if value else 0
    elif piece[0] in "Z-":
        digits = value[1:].replace(":", "").ljust(6, "0")
        seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6]) if value != "Z" else 0
        read.offset = -seconds if value.startswith("-") else seconds


def _checked(read: _Read, text: str, zone: Zone) -> Time:
    hour, minute, second = read.clock
    if read.afternoon is not None and hour < 24:
        hour = hour % 12 + (12 if read.afternoon else 0)
    if not 1 <= read.month <= 12 or not _day_exists(read) or hour > 23 or minute > 59 or second > 59:
        raise ConditionError(f'parsing time "{text}": a part of it is out of range')
    wall = days_from_civil(read.year, read.month, read.day) * DAY + hour * 3600 + minute * 60 + second
    if read.offset is not None:
        name = "UTC" if read.offset == 0 else ""
        return Time((wall - read.offset) * SECOND + read.nanosecond, read.offset, read.zone or name)
    if read.zone and read.zone != "UTC":
        offset = offset_of(zone, read.zone)
        return Time((wall - offset) * SECOND + read.nanosecond, offset, read.zone)
    at = wall_time(wall, zone)
    return time_in(Time(at * SECOND + read.nanosecond), zone)


def _day_exists(read: _Read) -> bool:
    following = (read.year + read.month // 12, read.month % 12 + 1)
    days = days_from_civil(*following, 1) - days_from_civil(read.year, read.month, 1)
    of_year = days_from_civil(read.year + 1, 1, 1) - days_from_civil(read.year, 1, 1)
    return 1 <= read.day <= (of_year if read.of_year else days)
