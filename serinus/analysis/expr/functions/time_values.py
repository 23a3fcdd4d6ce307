"""Times, durations and their names: the results of `now()`, `date()` and `duration()`.

Days are computed with plain arithmetic, because Go's years include 0 and exceed 9999, unlike Python's dates.
"""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 10**9
DAY = 86_400
_UNITS = (("h", 3600 * SECOND), ("m", 60 * SECOND))
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def civil_from_days(days: int) -> tuple[int, int, int]:
    """(year, month, day) of the day with this number of days from 1970-01-01."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone. `offset`: seconds east of UTC, if constant; otherwise `key` names it in the tz database."""

    name: str
    offset: int = 0
    key: str = ""


UTC = Zone("UTC")


@dataclass(frozen=True, slots=True)
class Named:
    """A number with a type of its own: a month, a day of the week, a zone. Equal only to the same of its type."""

    type: str
    number: int
    text: str
    zone: Zone | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanoseconds: int

    @property
    def seconds(self) -> float:
        return self.nanoseconds / SECOND

    def __str__(self) -> str:
        """`1h30m0s`, `1.5s`, `300ms`, `0s`: as Go prints durations."""
        left = abs(self.nanoseconds)
        sign = "-" if self.nanoseconds < 0 else ""
        if left < SECOND:
            for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
                if left >= size:
                    return f"{sign}{_decimal(left, size)}{unit}"
            return "0s"
        text = ""
        for unit, size in _UNITS:
            if left >= size or text:
                text += f"{left // size}{unit}"
                left %= size
        return f"{sign}{text}{_decimal(left, SECOND)}s"


def _decimal(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = str(part).rjust(len(str(size)) - 1, "0").rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


@dataclass(frozen=True, slots=True)
class Time:
    """`nanoseconds` since the epoch, and the offset (with its name) for its output."""

    nanoseconds: int
    offset: int = 0
    zone: str = "UTC"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and other.nanoseconds == self.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)

    @property
    def seconds(self) -> float:
        """Seconds since the epoch."""
        return self.nanoseconds / SECOND

    @property
    def zone_name(self) -> str:
        """The abbreviation of the zone, or the offset if it has none."""
        return self.zone or offset_text(self.offset)

    @property
    def local(self) -> int:
        """Whole seconds since the epoch in the local time of its zone."""
        return self.nanoseconds // SECOND + self.offset

    @property
    def date(self) -> tuple[int, int, int]:
        return civil_from_days(self.local // DAY)

    @property
    def clock(self) -> tuple[int, int, int]:
        left = self.local % DAY
        return left // 3600, left // 60 % 60, left % 60

    @property
    def nanosecond(self) -> int:
        return self.nanoseconds % SECOND

    @property
    def weekday(self) -> int:
        return (self.local // DAY + 4) % 7

    @property
    def year_day(self) -> int:
        return self.local // DAY - days_from_civil(self.date[0], 1, 1) + 1

    def __str__(self) -> str:
        """`2024-01-02 00:00:00 +0000 UTC`."""
        (y, mo, d), (h, mi, s) = self.date, self.clock
        part = f".{self.nanosecond:09d}".rstrip("0") if self.nanosecond else ""
        return f"{y:04d}-{mo:02d}-{d:02d} {h:02d}:{mi:02d}:{s:02d}{part} {offset_text(self.offset)} {self.zone_name}"

    def rfc3339(self) -> str:
        (y, mo, d), (h, mi, s) = self.date, self.clock
        part = f".{self.nanosecond:09d}".rstrip("0") if self.nanosecond else ""
        zone = "Z" if self.offset == 0 else offset_text(self.offset, ":")
        return f"{y:04d}-{mo:02d}-{d:02d}T{h:02d}:{mi:02d}:{s:02d}{part}{zone}"


def offset_text(seconds: int, between: str = "") -> str:
    """`+0100`."""
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}{between}{minutes % 60:02d}"
