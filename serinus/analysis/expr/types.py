"""Static types of a condition's values. A type clash is an error even in a branch that never runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serinus.analysis.expr.functions.time_values import Duration, Named, Time
from serinus.analysis.expr.values import Floats


@dataclass(frozen=True, slots=True)
class Type:
    """`name`: Go's name; `element`: the type of a list's elements, if they have one type."""

    name: str
    element: Type | None = None

    def __str__(self) -> str:
        return "unknown" if self is NIL else self.name


UNKNOWN = Type("unknown")
"""Known only at run time: values in decoded JSON."""
NIL = Type("nil")
BOOL = Type("bool")
INT = Type("int")
FLOAT = Type("float64")
STRING = Type("string")
TIME = Type("time.Time")
DURATION = Type("time.Duration")
MAP = Type("map[string]interface {}")
GROUPS = Type("map[interface {}][]interface {}")
FUNCTION = Type("func")
ANYTHING = Type("[]interface {}")
INTS = Type("[]int", INT)
FLOATS = Type("[]float64", FLOAT)
NUMBERS = (INT, FLOAT)


def list_of(element: Type | None) -> Type:
    """The type of a list literal, or of a function's list."""
    return Type("[]interface {}", None if element in (UNKNOWN, None) else element)


def is_list(kind: Type) -> bool:
    return kind.name.startswith("[]")


def element_of(kind: Type) -> Type:
    return kind.element or UNKNOWN


def common(a: Type, b: Type) -> Type:
    """The common type of `a` and `b`."""
    if a == b or b == NIL:
        return a
    if is_list(a) and is_list(b):
        return ANYTHING
    return b if a == NIL else UNKNOWN


def type_of(value: Any) -> Type:
    """The type of a whole result. Types inside decoded JSON are unknown."""
    match value:
        case None:
            return NIL
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case str():
            return STRING
        case Floats():
            return FLOATS
        case list():
            return ANYTHING
        case dict():
            return MAP
        case Time():
            return TIME
        case Duration():
            return DURATION
        case Named():
            return Type(value.type)
        case _:
            return UNKNOWN
