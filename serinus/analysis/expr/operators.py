"""Operators: their operand types (checked before the run) and their results."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.time_values import Duration, Time
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.patterns import Pattern
from serinus.analysis.expr.types import Type
from serinus.analysis.expr.values import Ints, equal, go_type, is_number, less, raw, wrapped

Work = Callable[[Any, Any, Budget], Any]

LONGEST_RANGE = 100_000
_TEXT = ("contains", "startsWith", "endsWith", "matches")


def mismatch(operator: str, left: Type, right: Type) -> ConditionError:
    return ConditionError(f"invalid operation: {operator} (mismatched types {left} and {right})")


def result_type(operator: str, left: Type, right: Type) -> Type:
    """The type of `left operator right`. ConditionError if the types clash for all values."""
    kind = _result_type(operator, left, right)
    if kind is None:
        raise mismatch(operator, left, right)
    return kind


def _result_type(operator: str, left: Type, right: Type) -> Type | None:
    unknown = t.UNKNOWN in (left, right)
    numbers = _both(left, right, *t.NUMBERS)
    if operator in ("==", "!="):
        return t.BOOL if comparable(left, right) else None
    if operator in ("<", "<=", ">", ">="):
        ordered = numbers or any(_both(left, right, kind) for kind in (t.STRING, t.TIME, t.DURATION))
        return t.BOOL if ordered else None
    if operator in _TEXT:
        return t.BOOL if _both(left, right, t.STRING) else None
    if operator == "in":
        return _contained(left, right)
    if operator == "..":
        return t.INTS if _both(left, right, t.INT) else None
    if operator in ("/", "**", "^"):
        return t.FLOAT if numbers else None
    if operator == "%":
        return t.INT if _both(left, right, t.INT) else None
    if operator in ("+", "-", "*") and numbers:
        return t.UNKNOWN if unknown else (t.FLOAT if t.FLOAT in (left, right) else t.INT)
    return _moments(operator, left, right)


def _both(left: Type, right: Type, *kinds: Type) -> bool:
    return (left in kinds or left == t.UNKNOWN) and (right in kinds or right == t.UNKNOWN)


def comparable(left: Type, right: Type) -> bool:
    if left == right or not {left, right}.isdisjoint((t.UNKNOWN, t.NIL)):
        return True
    return (left in t.NUMBERS and right in t.NUMBERS) or (t.is_list(left) and t.is_list(right))


def _contained(left: Type, right: Type) -> Type | None:
    if right == t.UNKNOWN:
        return t.BOOL
    if right == t.MAP:
        if left not in (t.STRING, t.UNKNOWN):
            raise ConditionError(f"cannot use {left} as type string in map key")
        return t.BOOL
    if t.is_list(right):
        if not comparable(left, t.element_of(right)):
            raise ConditionError(f"cannot use {left} as type {t.element_of(right)} in array")
        return t.BOOL
    return None


def _moments(operator: str, left: Type, right: Type) -> Type | None:
    if operator == "+" and _both(left, right, t.STRING):
        return t.STRING
    pairs = {
        ("+", t.TIME, t.DURATION): t.TIME,
        ("+", t.DURATION, t.TIME): t.TIME,
        ("+", t.DURATION, t.DURATION): t.DURATION,
        ("-", t.TIME, t.TIME): t.DURATION,
        ("-", t.TIME, t.DURATION): t.TIME,
        ("-", t.DURATION, t.DURATION): t.DURATION,
        ("*", t.DURATION, t.DURATION): t.DURATION,
        **{("*", t.DURATION, n): t.DURATION for n in t.NUMBERS},
        **{("*", n, t.DURATION): t.DURATION for n in t.NUMBERS},
    }
    fitting = {
        result
        for (o, a, b), result in pairs.items()
        if o == operator and left in (a, t.UNKNOWN) and right in (b, t.UNKNOWN)
    }
    if not fitting:
        return None
    return fitting.pop() if len(fitting) == 1 else t.UNKNOWN


def unary_type(operator: str, kind: Type) -> Type:
    allowed = (t.BOOL,) if operator in ("!", "not") else t.NUMBERS
    if kind not in (*allowed, t.UNKNOWN):
        raise ConditionError(f"invalid operation: {operator} (mismatched type {kind})")
    return t.BOOL if operator in ("!", "not") else kind


def truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ConditionError(f"expected bool, but got {go_type(value)}")
    return value


def negative(value: Any) -> Any:
    if type(value) is int:
        return wrapped(-value)
    if type(value) is float:
        return -value
    raise ConditionError(f"invalid operation: - {go_type(value)}")


def whole(work: Work) -> Work:
    """`==` of integer types. A nil, such as findIndex without a match, is an error, not false."""

    def checked(a: Any, b: Any, budget: Budget) -> bool:
        if a is None or b is None:
            raise ConditionError("interface conversion: interface {} is nil, not int")
        return work(a, b, budget)

    return checked


def _clash(operator: str, a: Any, b: Any) -> ConditionError:
    return ConditionError(f"invalid operation: {go_type(a)} {operator} {go_type(b)}")


def add(a: Any, b: Any, budget: Budget) -> Any:
    if is_number(a) and is_number(b):
        return _number(a + b)
    if isinstance(a, str) and isinstance(b, str):
        budget.spend_text(len(a) + len(b))
        return a + b
    if isinstance(a, Time) and isinstance(b, Duration):
        return Time(a.nanoseconds + b.nanoseconds, a.offset, a.zone)
    if isinstance(a, Duration) and isinstance(b, Time):
        return Time(a.nanoseconds + b.nanoseconds, b.offset, b.zone)
    if isinstance(a, Duration) and isinstance(b, Duration):
        return Duration(wrapped(a.nanoseconds + b.nanoseconds))
    raise _clash("+", a, b)


def _subtract(a: Any, b: Any, _budget: Budget) -> Any:
    if is_number(a) and is_number(b):
        return _number(a - b)
    if isinstance(a, Time) and isinstance(b, Time):
        return Duration(wrapped(a.nanoseconds - b.nanoseconds))
    if isinstance(a, Time) and isinstance(b, Duration):
        return Time(a.nanoseconds - b.nanoseconds, a.offset, a.zone)
    if isinstance(a, Duration) and isinstance(b, Duration):
        return Duration(wrapped(a.nanoseconds - b.nanoseconds))
    raise _clash("-", a, b)


def _multiply(a: Any, b: Any, _budget: Budget) -> Any:
    if is_number(a) and is_number(b):
        return _number(a * b)
    x, y = (v.nanoseconds if isinstance(v, Duration) else v for v in (a, b))
    if is_number(x) and is_number(y):
        product = x * y
        return Duration(wrapped(int(product)) if math.isfinite(product) else -(2**63))
    raise _clash("*", a, b)


def _number(value: Any) -> Any:
    return wrapped(value) if type(value) is int else value


def divide(a: Any, b: Any, _budget: Budget | None = None) -> float:
    """As floats: 1 / 0 is +Inf, 0 / 0 is NaN."""
    if not is_number(a) or not is_number(b):
        raise _clash("/", a, b)
    x, y = float(a), float(b)
    if y == 0:
        return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)
    return x / y


def _modulo(a: Any, b: Any, _budget: Budget) -> int:
    if type(a) is not int or type(b) is not int:
        raise _clash("%", a, b)
    if b == 0:
        raise ConditionError("integer divide by zero")
    return wrapped(abs(a) % abs(b) * (-1 if a < 0 else 1))


def _power(a: Any, b: Any, _budget: Budget) -> float:
    if not is_number(a) or not is_number(b):
        raise _clash("^", a, b)
    x, y = float(a), float(b)
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        # 0 to a negative power, or the root of a negative number.
        if x != 0:
            return math.nan
        return math.copysign(math.inf, x) if y % 2 == 1 else math.inf


def _within(a: Any, b: Any, budget: Budget) -> bool:
    if b is None:
        return False
    if isinstance(b, list):
        return any(equal(a, item, budget) for item in b)
    if isinstance(b, dict):
        if a is not None and not isinstance(a, str):
            raise ConditionError(f"cannot use {go_type(a)} as type string in map key")
        return a in b
    raise ConditionError(f'operator "in" not defined on {go_type(b)}')


def _range(a: Any, b: Any, budget: Budget) -> Ints:
    low, high = (int(v) if type(v) is float and math.isfinite(v) else v for v in (a, b))
    if type(low) is not int or type(high) is not int:
        raise _clash("..", a, b)
    if high - low >= LONGEST_RANGE:
        raise ConditionError(f"memory budget exceeded: a range has at most {LONGEST_RANGE} numbers")
    budget.spend(max(0, high - low + 1))
    return Ints(range(low, high + 1))


def _text(operator: str, test: Callable[[str, str], bool]) -> Work:
    def work(a: Any, b: Any, budget: Budget) -> bool:
        if a is None or b is None:
            return False
        for value in (a, b):
            if not isinstance(value, str):
                raise ConditionError(
                    f"interface conversion: interface {{}} is {go_type(value)}, not string ({operator})"
                )
        budget.spend_text(len(a))
        return test(a, b)

    return work


def _order(operator: str, test: Callable[[Any, Any], bool]) -> Work:
    return lambda a, b, _budget: test(a, b)


WORK: dict[str, Work] = {
    "==": equal,
    "!=": lambda a, b, budget: not equal(a, b, budget),
    "<": _order("<", lambda a, b: less(a, b, "<")),
    ">": _order(">", lambda a, b: less(b, a) if _ordered(a, b, ">") else False),
    "<=": _order("<=", lambda a, b: _ordered(a, b, "<=") and (a == b or less(a, b))),
    ">=": _order(">=", lambda a, b: _ordered(a, b, ">=") and (a == b or less(b, a))),
    "+": add,
    "-": _subtract,
    "*": _multiply,
    "/": divide,
    "%": _modulo,
    "**": _power,
    "^": _power,
    "in": _within,
    "..": _range,
    "contains": _text("contains", lambda a, b: b in a),
    "startsWith": _text("startsWith", lambda a, b: raw(a).startswith(raw(b))),
    "endsWith": _text("endsWith", lambda a, b: raw(a).endswith(raw(b))),
    "matches": _text("matches", lambda a, b: Pattern(b).found_in(a)),
}


def _ordered(a: Any, b: Any, operator: str) -> bool:
    """True. ConditionError, with the operands in the order of the condition, for types without an order."""
    less(a, b, operator)
    return True
