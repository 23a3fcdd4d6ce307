"""Results in JSON, for `serinus eval` and for tests, with the provider's type."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.analysis.expr.condition import CompiledCondition
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.text import floats
from serinus.analysis.expr.values import Floats

KINDS = ("json", "float", "floats")
"""json: from web, New Relic, SkyWalking …; float: one number; floats: a list of numbers, as from Prometheus."""


class Sample(msgspec.Struct):
    """One condition and a result."""

    condition: str
    result: Any = None
    kind: str = "json"


def as_result(value: Any, kind: str) -> Any:
    """The value for the condition. "NaN", "+Inf" and "-Inf" are numbers. ConditionError if it is not of the kind."""
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
    """The value of the condition for its result. ConditionError if it has none."""
    return CompiledCondition(sample.condition).holds(as_result(sample.result, sample.kind), now)
