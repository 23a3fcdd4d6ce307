"""The registration and calls of template functions. The functions are in files by subject."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serinus.analysis.expr.functions.time_values import Time
from serinus.analysis.expr.values import is_number, truncated
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.values import MISSING, Work, type_name

LARGEST = 256 * 1024
"""Most characters of a text that one function returns."""


@dataclass(slots=True)
class Call:
    """The context of a function. `now`: nanoseconds since the epoch."""

    work: Work
    now: int


@dataclass(frozen=True, slots=True)
class Function:
    """`takes`: a letter for each parameter. With `more` the last one repeats:
    a any value, s text, i integer, f number, b true or false, m map, l list, t time.

    `pure`: the result depends only on the arguments.
    """

    name: str
    work: Callable[..., Any]
    takes: str
    more: bool = False


class Table(dict[str, Function]):
    def add(self, names: str, takes: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator. `takes` as in Function; `*` at its end: the last parameter occurs zero or more times."""

        def keep(work: Callable[..., Any]) -> Callable[..., Any]:
            for name in names.split():
                self[name] = Function(name, work, takes.rstrip("*"), takes.endswith("*"))
            return work

        return keep


def call(function: Function, arguments: list[Any], run: Call) -> Any:
    """The function's value. TemplateError if the arguments do not fit, or it fails."""
    takes, count = function.takes, len(arguments)
    if function.more:
        if count < len(takes) - 1:
            raise TemplateError(f"wrong number of args for {function.name}: want at least {len(takes) - 1} got {count}")
        takes = takes + takes[-1] * (count - len(takes)) if count > len(takes) else takes[:count]
    elif count != len(takes):
        raise TemplateError(f"wrong number of args for {function.name}: want {len(takes)} got {count}")
    run.work.spend(1)
    return function.work(run, *[converted(kind, value) for kind, value in zip(takes, arguments, strict=True)])


_WANTED = {
    "s": "string",
    "i": "int",
    "f": "float64",
    "b": "bool",
    "m": "map[string]interface {}",
    "l": "[]interface {}",
    "t": "time.Time",
}


def converted(kind: str, value: Any) -> Any:
    """A value converted for a parameter of that kind. Numbers without a fraction are integers in any form."""
    if kind == "a":
        return None if value is MISSING else value
    if value is None or value is MISSING:
        if kind == "m":
            return {}
        raise TemplateError(f"invalid value; expected {_WANTED[kind]}")
    if kind == "s" and isinstance(value, str):
        return value
    if kind == "s" and isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if kind == "i" and is_number(value) and float(value).is_integer():
        return int(value)
    if kind == "f" and is_number(value):
        return float(value)
    if (kind == "b" and isinstance(value, bool)) or (kind == "m" and isinstance(value, dict)):
        return value
    if (kind == "l" and isinstance(value, list)) or (kind == "t" and isinstance(value, Time)):
        return value
    raise TemplateError(f"wrong type for value; expected {_WANTED[kind]}; got {type_name(value)}")


_ZERO_DECIMALS = re.compile(r"\.0*$")


def to_int(value: Any) -> int:
    """Any value as an integer, as in sprig's `int`: 0 if it has none."""
    if isinstance(value, bool):
        return int(value)
    if type(value) is int:
        return value
    if type(value) is float:
        return truncated(value)
    if isinstance(value, str):
        text = _ZERO_DECIMALS.sub("", value)
        octal = text.lstrip("+-")[:1] == "0" and text.lstrip("+-")[1:].isdecimal()
        try:
            return int(text, 8 if octal else 0) if len(text) <= 66 and text.strip() == text else 0
        except ValueError:
            return 0
    return 0


def to_float(value: Any) -> float:
    """Any value as a number, as in sprig's `float64`: 0 if it has none."""
    if is_number(value) or isinstance(value, bool):
        return float(value)
    try:
        return float(value.replace("_", "x")) if isinstance(value, str) else 0.0
    except ValueError:
        return 0.0


def fits(characters: int) -> None:
    """TemplateError if a text would be too long."""
    if characters > LARGEST:
        raise TemplateError(f"a text is longer than {LARGEST} characters")


def sized(text: str, run: Call) -> str:
    """A function's text; TemplateError if it is too long."""
    fits(len(text))
    run.work.spend_text(len(text))
    return text
