"""The numbers in measurements whose values are JSON objects or lists, as one series for each field. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from serinus.api.decoding.nesting import too_deep

SERIES = 6
"""Fields that are drawn: the first ones."""

LONGEST = 8192
"""Most characters of a value that is parsed."""

Json = dict[str, Any]


def numeric_fields(values: Sequence[str]) -> list[Json]:
    """Each field as `{"name", "values"}`, with None where a measurement lacks it. Empty unless a value has two numbers.

    `values`: the values of a metric's measurements. A name is a path from the result, such as `result.rate` or `result[0]`.
    """
    parsed = [_numbers(value) for value in values]
    if max(map(len, parsed), default=0) < 2:
        return []
    names = list(dict.fromkeys(name for numbers in parsed for name in numbers))[:SERIES]
    return [{"name": name, "values": [numbers.get(name) for numbers in parsed]} for name in names]


def _numbers(value: str) -> dict[str, float]:
    if not value.startswith(("{", "[")) or len(value) > LONGEST or too_deep(value):
        return {}
    try:
        decoded = json.loads(value)
    except ValueError:
        return {}
    numbers: dict[str, float] = {}

    def walk(one: Any, name: str) -> None:
        if isinstance(one, dict):
            for key, inner in one.items():
                walk(inner, f"{name}.{key}")
        elif isinstance(one, list):
            for place, inner in enumerate(one):
                walk(inner, f"{name}[{place}]")
        elif isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < 1e300 and math.isfinite(one):
            numbers[name] = float(one)

    walk(decoded, "result")
    return numbers
