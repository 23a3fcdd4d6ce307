"""The limit in a condition of an analysis, and the measured number that it is compared with, for display.

Only a plain comparison of the result with a number, in either order, has a limit that can be drawn. Examples:
`result[0] >= 0.95`, `result < 5`, `asFloat(result.rate) > 0.9`, `default(result, 0) <= 1`. This module decides no
verdict: `serinus/analysis/verdicts.py` does.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from serinus.api.decoding.nesting import too_deep

LONGEST = 8192
"""Most characters of a value that is parsed. A longer value is no number for comparison."""

_PLACE = r"""result(?:\[\s*+(?:\d++|"[^"\]]*+"|'[^'\]]*+')\s*+\]|\.[A-Za-z_]\w*+)*+"""
_NUMBER = r"[-+]?(?:\d++\.?\d*+|\.\d++)(?:[eE][-+]?\d++)?"
_SUBJECT = (
    rf"(?:(?:asFloat|asInt|float|int)\(\s*+({_PLACE})\s*+\)|default\(\s*+({_PLACE})\s*+,\s*+{_NUMBER}\s*+\)|({_PLACE}))"
)
_SIGN = r"(>=|<=|==|!=|>|<)"
_ONE_NUMBER = re.compile(_NUMBER, re.ASCII)
_PLAIN = re.compile(rf"\s*+{_SUBJECT}\s*+{_SIGN}\s*+({_NUMBER})\s*+", re.ASCII)
_TURNED = re.compile(rf"\s*+({_NUMBER})\s*+{_SIGN}\s*+{_SUBJECT}\s*+", re.ASCII)
_PART = re.compile(r"""\[\s*+(?:(\d++)|"([^"]*+)"|'([^']*+)')\s*+\]|\.([A-Za-z_]\w*+)""", re.ASCII)
_OTHER_WAY = {">=": "<=", "<=": ">=", ">": "<", "<": ">", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class ConditionLimit:
    """`sign` and `value` as in `result >= 0.95`; `place`: the path from the result to the compared value."""

    sign: str
    value: float
    place: tuple[str | int, ...] = ()


def limit_of(condition: str) -> ConditionLimit | None:
    """The limit; None if the condition is not a plain comparison with a number."""
    if len(condition) > LONGEST:
        return None
    text = condition.strip()
    while text.startswith("(") and text.endswith(")") and text.find(")") == len(text) - 1:
        text = text[1:-1]
    if plain := _PLAIN.fullmatch(text):
        *subject, sign, number = plain.groups()
    elif turned := _TURNED.fullmatch(text):
        number, sign, *subject = turned.groups()
        sign = _OTHER_WAY[sign]
    else:
        return None
    place = next(group for group in subject if group)
    value = float(number)
    return ConditionLimit(sign, value, _place(place)) if math.isfinite(value) else None


def number_of(value: str, place: tuple[str | int, ...] = ()) -> float | None:
    """The number at that place of a measured value, which is JSON or text; None without a finite number.

    Without a place, a list of one number counts as that number.
    """
    try:
        number: Any = None if len(value) > LONGEST or too_deep(value) else json.loads(value)
    except ValueError:
        number = value
    for part in place:
        try:
            number = number[part]
        except (KeyError, IndexError, TypeError):
            return None
    if not place and isinstance(number, list) and len(number) == 1:
        number = number[0]
    return _finite(number)


def value_text(value: str, place: tuple[str | int, ...] = ()) -> str:
    """The number that is compared with the limit, as short text; the whole value without such a number."""
    number = number_of(value, place)
    return value if number is None else f"{number:.6g}"


def _place(text: str) -> tuple[str | int, ...]:
    parts = (m.groups() for m in _PART.finditer(text))
    return tuple(int(index) if index else double or single or name or "" for index, double, single, name in parts)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value) if _ONE_NUMBER.fullmatch(value.strip()) else None
        except ValueError:
            return None
    try:
        number = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
