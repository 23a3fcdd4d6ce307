"""One look: the requests and errors of both versions since the previous look."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from serinus.analysis.sequential.settings import SetupError
from serinus.api.messages.counted import counted

HIGHEST_COUNT = 1e15
"""Counts above it are not exact as floating-point numbers."""

SHORT = ("n_c", "k_c", "n_s", "k_s")
"""Flat names of a look's numbers: requests and errors of the canary, then of the stable version."""

FIELDS = ("canary.requests", "canary.errors", "stable.requests", "stable.errors")


class Look(NamedTuple):
    """Counts may be fractions: `increase()` of Prometheus extrapolates to the ends of its window."""

    canary_requests: float
    canary_errors: float
    stable_requests: float = 0.0
    stable_errors: float = 0.0


def look_of(value: Any) -> Look:
    """A look from JSON: `{"canary": {"requests", "errors"}, "stable": {…}}`, `{"n_c", "k_c", "n_s", "k_s"}`, or the
    four numbers as a list. The stable side is optional. SetupError names the field and its value."""
    if isinstance(value, Mapping):
        if any(name in value for name in SHORT):
            names = SHORT if "n_s" in value or "k_s" in value else SHORT[:2]
            return checked_look([_number(value, name, name) for name in names], SHORT)
        return checked_look([*_side(value, "canary"), *_side(value, "stable")])
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) in (2, 4):
        return checked_look([_as_number(number, field) for number, field in zip(value, FIELDS, strict=False)])
    raise SetupError("", 'a look is an object such as {"canary": {"requests": 20, "errors": 0}, "stable": {…}}')


def compares(value: Any) -> bool:
    """Whether a look from JSON has a stable side."""
    if isinstance(value, Mapping):
        return value.get("stable") is not None or "n_s" in value
    return isinstance(value, Sequence) and len(value) == len(FIELDS)


def checked_look(numbers: Sequence[float], fields: Sequence[str] = FIELDS) -> Look:
    """The look of these two or four numbers. SetupError for an invalid count."""
    look = Look(*numbers)
    if 0 <= look[1] <= look[0] <= HIGHEST_COUNT and 0 <= look[3] <= look[2] <= HIGHEST_COUNT:
        return look
    for number, field in zip(numbers, fields, strict=False):
        if not math.isfinite(number):
            raise SetupError(
                field, f"{number} is no count: a query that divides by 0 gives it. Query a count, not a rate"
            )
        if number < 0:
            raise SetupError(field, f"{number:g} is negative: a counter was reset, or the query subtracts")
        if number > HIGHEST_COUNT:
            raise SetupError(field, f"{number:g} is above {HIGHEST_COUNT:g}, the highest count")
    for place in range(0, len(numbers), 2):
        requests, errors = numbers[place : place + 2]
        if errors > requests:
            raise SetupError(
                fields[place + 1],
                f"{counted(errors, 'error is', 'errors are')} more than {counted(requests, 'request')}: both queries must count "
                "the same requests in "
                "the same window",
            )
    return look


def _side(look: Mapping[str, Any], side: str) -> list[float]:
    counts = look.get(side)
    if counts is None and side == "stable":
        return [0.0, 0.0]
    if not isinstance(counts, Mapping):
        raise SetupError(side, "is missing" if counts is None else "is no object with requests and errors")
    return [_number(counts, name, f"{side}.{name}") for name in ("requests", "errors")]


def _number(counts: Mapping[str, Any], name: str, field: str) -> float:
    if name not in counts:
        raise SetupError(field, "is missing: without a count there is no look. Write 0 only where 0 was counted")
    return _as_number(counts[name], field)


def _as_number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SetupError(field, f"{value!r} is no number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def stored(looks: Iterable[Look]) -> str:
    """The text of looks as a run stores them: `20,0,180,2;20,1,180,3`."""
    return ";".join([",".join(map(_short, look)) for look in looks])


def restored(text: str) -> list[Look]:
    """The looks of such a text. SetupError if it is invalid."""
    try:
        rows = [[float(number) for number in row.split(",")] for row in text.split(";")] if text else []
    except ValueError:
        rows = [[]]
    if any(len(row) != len(FIELDS) for row in rows):
        raise SetupError("looks", "the stored looks are no rows of four numbers, such as 20,0,180,2;20,1,180,3")
    return [checked_look(row) for row in rows]


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)
