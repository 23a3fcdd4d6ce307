"""sprig's functions of numbers: `add` and similar ones convert their arguments to integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any

from serinus.analysis.expr.functions.numbers import parse_int
from serinus.analysis.expr.values import wrapped
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Call, Table, sized, to_float, to_int
from serinus.notifications.templates.values import shown

NUMBERS = Table()

MOST_NUMBERS = 10_000
"""Most elements of `until` and `seq`."""


@NUMBERS.add("add", "a*")
def _add(_run: Call, *values: Any) -> int:
    return wrapped(sum(map(to_int, values)))


@NUMBERS.add("add1", "a")
def _add1(_run: Call, value: Any) -> int:
    return wrapped(to_int(value) + 1)


@NUMBERS.add("sub", "aa")
def _sub(_run: Call, a: Any, b: Any) -> int:
    return wrapped(to_int(a) - to_int(b))


@NUMBERS.add("mul", "aa*")
def _mul(_run: Call, *values: Any) -> int:
    product = 1
    for value in values:
        product = wrapped(product * to_int(value))
    return product


def _divided(a: Any, b: Any) -> tuple[int, int]:
    """Quotient and remainder as in Go: truncated towards zero."""
    whole, by = to_int(a), to_int(b)
    if by == 0:
        raise TemplateError("runtime error: integer divide by zero")
    quotient = abs(whole) // abs(by) * (1 if (whole < 0) == (by < 0) else -1)
    return quotient, whole - quotient * by


@NUMBERS.add("div", "aa")
def _div(_run: Call, a: Any, b: Any) -> int:
    return _divided(a, b)[0]


@NUMBERS.add("mod", "aa")
def _mod(_run: Call, a: Any, b: Any) -> int:
    return _divided(a, b)[1]


@NUMBERS.add("max biggest", "aa*")
def _max(_run: Call, *values: Any) -> int:
    return max(map(to_int, values))


@NUMBERS.add("min", "aa*")
def _min(_run: Call, *values: Any) -> int:
    return min(map(to_int, values))


@NUMBERS.add("maxf", "aa*")
def _maxf(_run: Call, *values: Any) -> float:
    return max(map(to_float, values))


@NUMBERS.add("minf", "aa*")
def _minf(_run: Call, *values: Any) -> float:
    return min(map(to_float, values))


def _exact(name: str, work: Callable[[Decimal, Decimal], Decimal]) -> None:
    """addf and similar ones use decimal arithmetic, so that 0.1 and 0.2 are 0.3."""

    @NUMBERS.add(name, "aa*")
    def _(_run: Call, *values: Any) -> float:
        first, *rest = (Decimal(repr(to_float(value))) for value in values)
        try:
            for value in rest:
                first = work(first, value)
        except (DivisionByZero, InvalidOperation):
            raise TemplateError("decimal division by 0") from None
        return float(first)


_exact("addf", lambda a, b: a + b)
_exact("subf", lambda a, b: a - b)
_exact("mulf", lambda a, b: a * b)
_exact("divf", lambda a, b: a / b)


@NUMBERS.add("add1f", "a")
def _add1f(_run: Call, value: Any) -> float:
    return float(Decimal(repr(to_float(value))) + 1)


@NUMBERS.add("ceil", "a")
def _ceil(_run: Call, value: Any) -> float:
    number = to_float(value)
    return float(math.ceil(number)) if math.isfinite(number) else number


@NUMBERS.add("floor", "a")
def _floor(_run: Call, value: Any) -> float:
    number = to_float(value)
    return float(math.floor(number)) if math.isfinite(number) else number


@NUMBERS.add("round", "aif*")
def _round(_run: Call, value: Any, places: int, *at: float) -> float:
    number = to_float(value)
    if not math.isfinite(number) or abs(places) > 300:
        return number
    power = 10.0**places
    digit = power * number
    if not math.isfinite(digit) or not power:
        return number
    part = math.fmod(digit, 1.0)
    return (math.ceil(digit) if part >= (at[0] if at else 0.5) else math.floor(digit)) / power


@NUMBERS.add("int int64", "a")
def _int(_run: Call, value: Any) -> int:
    return to_int(value)


@NUMBERS.add("float64", "a")
def _float64(_run: Call, value: Any) -> float:
    return to_float(value)


@NUMBERS.add("atoi", "s")
def _atoi(_run: Call, text: str) -> int:
    return parse_int(text) or 0


@NUMBERS.add("toDecimal", "a")
def _to_decimal(run: Call, value: Any) -> int:
    try:
        return wrapped(int(shown(value, run.work)[:64], 8))
    except ValueError:
        return 0


def _counted(run: Call, start: int, stop: int, step: int) -> list[int]:
    if (stop < start and step >= 0) or (stop >= start and step <= 0):
        return []
    numbers = range(start, stop, step)
    if len(numbers) > MOST_NUMBERS:
        raise TemplateError(f"more than {MOST_NUMBERS} numbers")
    run.work.spend(len(numbers))
    return list(numbers)


@NUMBERS.add("until", "i")
def _until(run: Call, count: int) -> list[int]:
    return _counted(run, 0, count, -1 if count < 0 else 1)


@NUMBERS.add("untilStep", "iii")
def _until_step(run: Call, start: int, stop: int, step: int) -> list[int]:
    return _counted(run, start, stop, step)


@NUMBERS.add("seq", "i*")
def _seq(run: Call, *bounds: int) -> str:
    if not 1 <= len(bounds) <= 3:
        return ""
    start, end = (1, bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[-1])
    way = -1 if end < start else 1
    step = bounds[1] if len(bounds) == 3 else way
    if len(bounds) == 3 and way < 0 < step:
        return ""
    return sized(" ".join(map(str, _counted(run, start, end + way, step))), run)
