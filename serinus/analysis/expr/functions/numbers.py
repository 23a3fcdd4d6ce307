"""abs, ceil, floor, round, int, float, min, max, mean, median, bit operations; asInt, asFloat, isNaN, isInf."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import MANY, NUMBER, WHOLE, Run, Table, number, whole
from serinus.analysis.expr.functions.time_values import Duration
from serinus.analysis.expr.operators import divide
from serinus.analysis.expr.types import Type
from serinus.analysis.expr.values import go_text, go_type, is_number, less, truncated, wrapped

NUMBERS = Table()

_DECIMAL = re.compile(r"[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?", re.ASCII)
_HEX = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]++\.?[0-9a-fA-F]*+|\.[0-9a-fA-F]++)[pP][+-]?\d++", re.ASCII)
_WORDS = {"inf": math.inf, "infinity": math.inf, "nan": math.nan}
_VALUES = (*t.NUMBERS, t.DURATION, t.ANYTHING)


def parse_float(value: str) -> float | None:
    """A number as Go's ParseFloat parses it; None if that fails."""
    if len(value) > 1_000:
        return None
    if _DECIMAL.fullmatch(value):
        parsed = float(value)
        return None if math.isinf(parsed) else parsed
    if _HEX.fullmatch(value):
        try:
            return float.fromhex(value)
        except OverflowError:
            return None
    word = value.lower().removeprefix("+").removeprefix("-")
    number = _WORDS.get(word) if len(value) - len(word) <= 1 and not (word == "nan" and len(value) != 3) else None
    return -number if number is not None and value.startswith("-") else number


def parse_int(value: str) -> int | None:
    """A decimal integer of at most 64 bits; None for other texts."""
    if not re.fullmatch(r"[+-]?\d{1,30}", value, re.ASCII):
        return None
    parsed = int(value)
    return parsed if -(2**63) <= parsed < 2**63 else None


@NUMBERS.add("asInt", t.INT, None)
def _as_int(args: Sequence[Any], run: Run) -> int:
    (value,) = args
    if isinstance(value, str):
        parsed = parse_int(value)
        if parsed is None:
            raise ConditionError(f'strconv.ParseInt: parsing "{_short(value)}": invalid syntax')
        return parsed
    if is_number(value):
        return truncated(value) if isinstance(value, float) else value
    raise ConditionError(f"asInt() not supported on {go_type(value)} {_short(go_text(value, run.budget))}")


@NUMBERS.add("asFloat", t.FLOAT, None)
def _as_float(args: Sequence[Any], run: Run) -> float:
    (value,) = args
    if isinstance(value, str):
        parsed = parse_float(value)
        if parsed is None:
            raise ConditionError(f'strconv.ParseFloat: parsing "{_short(value)}": invalid syntax')
        return parsed
    if is_number(value):
        return float(value)
    raise ConditionError(f"asFloat() not supported on {go_type(value)} {_short(go_text(value, run.budget))}")


def _short(value: str) -> str:
    """A shortened value for error texts, which the status of the AnalysisRun stores."""
    return value if len(value) <= 200 else f"{value[:200]}…"


@NUMBERS.add("isNaN", t.BOOL, (t.FLOAT,))
def _is_nan(args: Sequence[Any], _run: Run) -> bool:
    return math.isnan(number(args[0], "isNaN"))


@NUMBERS.add("isInf", t.BOOL, (t.FLOAT,))
def _is_inf(args: Sequence[Any], _run: Run) -> bool:
    return math.isinf(number(args[0], "isInf"))


@NUMBERS.add("isNil", t.BOOL, None)
def _is_nil(_args: Sequence[Any], run: Run) -> bool:
    """Whether the whole result is nil. The argument has no effect (spec §3)."""
    return run.result is None


@NUMBERS.add("default", t.UNKNOWN, None, None)
def _default(args: Sequence[Any], run: Run) -> Any:
    """The whole result, or the default if the result is nil. The first argument has no effect (spec §3)."""
    return args[1] if run.result is None else run.result


def _same(arguments: Sequence[Type]) -> Type:
    return arguments[0]


@NUMBERS.add("abs", _same, NUMBER)
def _abs(args: Sequence[Any], _run: Run) -> int | float:
    value = number(args[0], "abs")
    return wrapped(abs(value)) if isinstance(value, int) else abs(value)


def _rounding(name: str, work: Callable[[float], float]) -> None:
    @NUMBERS.add(name, t.FLOAT, NUMBER)
    def _(args: Sequence[Any], _run: Run) -> float:
        value = float(number(args[0], name))
        return value if not math.isfinite(value) else math.copysign(work(value), value)


_rounding("ceil", lambda v: float(math.ceil(v)))
_rounding("floor", lambda v: float(math.floor(v)))
_rounding("round", lambda v: float(math.floor(abs(v)) + (abs(v) - math.floor(abs(v)) >= 0.5)))


@NUMBERS.add("int", t.INT, (*t.NUMBERS, t.STRING, t.DURATION))
def _int(args: Sequence[Any], _run: Run) -> int:
    (value,) = args
    if isinstance(value, str):
        parsed = parse_int(value)
        if parsed is None:
            raise ConditionError(f"invalid operation: int({_short(value)})")
        return parsed
    if isinstance(value, Duration):
        return value.nanoseconds
    if not is_number(value):
        raise ConditionError(f"invalid operation: int({go_type(value)})")
    return truncated(value) if isinstance(value, float) else value


@NUMBERS.add("float", t.FLOAT, (*t.NUMBERS, t.STRING))
def _float(args: Sequence[Any], _run: Run) -> float:
    (value,) = args
    if isinstance(value, str):
        parsed = parse_float(value)
        if parsed is None:
            raise ConditionError(f"invalid operation: float({_short(value)})")
        return parsed
    if not is_number(value):
        raise ConditionError(f"invalid operation: float({go_type(value)})")
    return float(value)


def _flat(args: Sequence[Any], run: Run, depth: int = 0) -> list[Any]:
    """The arguments, with lists flattened."""
    if depth > 50:
        raise ConditionError("lists are nested more than 50 levels deep")
    flat: list[Any] = []
    for value in args:
        run.budget.spend(1)
        if isinstance(value, list):
            flat += _flat(value, run, depth + 1)
        else:
            flat.append(value)
    return flat


def _of_all(arguments: Sequence[Type]) -> Type:
    return arguments[0] if len(set(arguments)) == 1 and arguments[0] in (*t.NUMBERS, t.DURATION) else t.UNKNOWN


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> None:
    @NUMBERS.add(name, _of_all, _VALUES, least=1, most=MANY)
    def _(args: Sequence[Any], run: Run) -> Any:
        if len(args) == 1 and args[0] is None:
            return None
        best: Any = None
        for value in _flat(args, run):
            if not is_number(value) and not isinstance(value, Duration):
                raise ConditionError(f"invalid argument for {name} (type {go_type(value)})")
            if best is None or better(value, best):
                best = value
        return best


_extreme("max", lambda value, best: less(best, value))
_extreme("min", lambda value, best: less(value, best))


@NUMBERS.add("mean", t.UNKNOWN, (*t.NUMBERS, t.ANYTHING), least=1, most=MANY)
def _mean(args: Sequence[Any], run: Run) -> float:
    values = [float(number(value, "mean")) for value in _flat(args, run)]
    return divide(_total(values), len(values)) if values else 0.0


def _total(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


@NUMBERS.add("median", t.UNKNOWN, (*t.NUMBERS, t.ANYTHING), least=1, most=MANY)
def _median(args: Sequence[Any], run: Run) -> float:
    values = [float(number(value, "median")) for value in _flat(args, run)]
    if not values:
        return 0.0
    # NaN first, as Go sorts floats.
    values.sort(key=lambda value: (not math.isnan(value), value))
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _bits(name: str, work: Callable[[int, int], int]) -> None:
    @NUMBERS.add(name, t.INT, WHOLE, WHOLE)
    def _(args: Sequence[Any], _run: Run) -> int:
        a, b = whole(args[0], name), whole(args[1], name)
        if name.endswith(("shl", "shr")) and b < 0:
            raise ConditionError(f"invalid operation: negative shift count {b} (type int)")
        return wrapped(work(a, b))


_bits("bitand", lambda a, b: a & b)
_bits("bitor", lambda a, b: a | b)
_bits("bitxor", lambda a, b: a ^ b)
_bits("bitnand", lambda a, b: a & ~b)
_bits("bitshl", lambda a, b: a << b if b < 64 else 0)
_bits("bitshr", lambda a, b: a >> min(b, 63))
_bits("bitushr", lambda a, b: (a % 2**64) >> min(b, 64))


@NUMBERS.add("bitnot", t.INT, WHOLE)
def _bitnot(args: Sequence[Any], _run: Run) -> int:
    return ~whole(args[0], "bitnot")
