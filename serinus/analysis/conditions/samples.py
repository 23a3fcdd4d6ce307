"""Results as one writes them down, for `serinus eval` and for tests: JSON, and how the provider would give it."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.analysis.conditions.condition import Condition
from serinus.analysis.conditions.errors import ConditionError
from serinus.analysis.conditions.functions_of_text import floats
from serinus.analysis.conditions.values import Floats

KINDS = ("json", "float", "floats")
"""json: what web, New Relic, SkyWalking … give; float: one number; floats: a list of numbers, as of Prometheus."""


class Sample(msgspec.Struct):
    """One condition with the result it is given."""

    condition: str
    result: Any = None
    kind: str = "json"


def as_result(value: Any, kind: str) -> Any:
    """The value as a condition gets it. Numbers may be written "NaN", "+Inf", "-Inf". ConditionError if it is not of the kind."""
    if kind == "json":
        return floats(value)
    if kind == "float":
        return _number(value)
    if kind == "floats":
        if not isinstance(value, list):
            raise ConditionError("a result of the kind floats is a list of numbers")
        return Floats(_number(item) for item in value)
    raise ConditionError(f"unknown kind {kind!r}: it is one of {', '.join(KINDS)}")


def _number(value: Any) -> float:
    if type(value) in (int, float) or (isinstance(value, str) and value.lstrip("+-") in ("NaN", "Inf")):
        return float(value)
    raise ConditionError(f'{value!r} is no number: it is one, or "NaN", "+Inf" or "-Inf"')


def answer(sample: Sample, now: float) -> dict[str, Any]:
    """The sample with `value` (true or false), or with `error`."""
    told = msgspec.structs.asdict(sample)
    try:
        return told | {"value": judged(sample, now)}
    except ConditionError as error:
        return told | {"error": str(error)}


def judged(sample: Sample, now: float) -> bool:
    """What the condition says of its result. ConditionError if it says nothing."""
    return Condition(sample.condition).holds(as_result(sample.result, sample.kind), now)
