"""Values of conditions: Go's types and operations in Python.

float64 is float, int is int (kept within 64 bits), string is str (bytes that are no UTF-8 as surrogates), nil is None;
`[]float64` is `Floats`, every other list is list, `map[string]interface {}` is dict.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.time_values import Duration, Named, Time
from serinus.analysis.expr.limits import Budget


class Floats(list[float]):
    """A list whose elements are numbers, from Prometheus and Graphite."""


class Ints(list[int]):
    """A range."""


class Groups(dict[Any, Any]):
    """A map with keys of any type, from groupBy and fromPairs."""


def go_type(value: Any) -> str:
    """The name of a value's type in error texts."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case Floats():
            return "[]float64"
        case Ints():
            return "[]int"
        case list():
            return "[]interface {}"
        case dict():
            return "map[string]interface {}"
        case Time():
            return "time.Time"
        case Duration():
            return "time.Duration"
        case Named():
            return value.type
        case _:
            return "func"


def is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def wrapped(value: int) -> int:
    """An int wrapped to 64 bits."""
    return (value + 2**63) % 2**64 - 2**63


def truncated(value: float) -> int:
    """A float truncated to an int. Values out of range become the smallest int, as on amd64."""
    if math.isnan(value) or not -(2.0**63) <= value < 2.0**63:
        return -(2**63)
    return int(value)


def raw(text: str) -> bytes:
    """The bytes of a string; its indices count them."""
    return text.encode("utf-8", "surrogateescape" if not _lone(text) else "replace")


def _lone(text: str) -> bool:
    return any("\ud800" <= c < "\udc80" or "\udd00" <= c <= "\udfff" for c in text)


def from_raw(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def equal(a: Any, b: Any, budget: Budget) -> bool:
    """`==`: numbers by value, lists element by element, maps as Go's DeepEqual, which distinguishes 1 and 1.0."""
    budget.spend(1)
    if is_number(a) and is_number(b):
        return a == b
    if isinstance(a, list) and isinstance(b, list):
        with budget:
            return len(a) == len(b) and all(equal(x, y, budget) for x, y in zip(a, b, strict=True))
    return _identical(a, b, budget)


def _identical(a: Any, b: Any, budget: Budget) -> bool:
    budget.spend(1)
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        with budget:
            return len(a) == len(b) and all(_identical(x, y, budget) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        with budget:
            return len(a) == len(b) and all(key in b and _identical(value, b[key], budget) for key, value in a.items())
    if isinstance(a, str):
        budget.spend_text(len(a))
    return bool(a == b)


def less(a: Any, b: Any, operator: str = "<") -> bool:
    """a < b for types with an order. ConditionError for all others."""
    if is_number(a) and is_number(b):
        return a < b
    if type(a) is type(b) and isinstance(a, str | Time | Duration):
        return (raw(a) < raw(b)) if isinstance(a, str) else a.nanoseconds < b.nanoseconds
    raise ConditionError(f"invalid operation: {go_type(a)} {operator} {go_type(b)}")


def float_text(value: float) -> str:
    """A float as Go's `%v` prints it: `0.5`, `1e+06`, `NaN`, `+Inf`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    mantissa, exponent = _scientific(value)
    if exponent < -4 or exponent >= 6:
        return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return _plain(value)


def plain_text(value: float) -> str:
    """A float without an exponent: `1000000`, `0.5`, `NaN`, `+Inf`."""
    return _plain(value) if math.isfinite(value) else float_text(value)


def json_number(value: float) -> str:
    """A float as Go's encoding/json writes it: 1000000, 1e+21, 1e-7."""
    if math.isnan(value) or math.isinf(value):
        raise ConditionError(f"json: unsupported value: {float_text(value)}")
    size = abs(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        mantissa, exponent = _scientific(value)
        return f"{mantissa}e{exponent:+d}"
    return _plain(value)


def _scientific(value: float) -> tuple[str, int]:
    """(mantissa, decimal exponent) with the fewest digits that parse to the same number."""
    digits = repr(abs(value))
    number, _, shift = digits.partition("e")
    whole, _, part = number.partition(".")
    part = "" if part == "0" else part
    exponent = int(shift or 0) + len(whole) - 1
    significant = whole + part
    if whole == "0":
        stripped = part.lstrip("0")
        exponent = int(shift or 0) - (len(part) - len(stripped)) - 1
        significant = stripped
    significant = significant.rstrip("0") or "0"
    mantissa = significant[0] + (f".{significant[1:]}" if len(significant) > 1 else "")
    return ("-" if value < 0 else "") + mantissa, exponent


def _plain(value: float) -> str:
    if value == int(value):
        return "-0" if value == 0 and math.copysign(1, value) < 0 else f"{int(value)}"
    mantissa, exponent = _scientific(value)
    digits = mantissa.lstrip("-").replace(".", "")
    digits = digits if exponent >= 0 else "0" * -exponent + digits
    point = max(exponent, 0) + 1
    return f"{'-' if value < 0 else ''}{digits[:point]}.{digits[point:]}"


def go_text(value: Any, budget: Budget) -> str:
    """A value as Go's `%v` prints it: `[1 2.5 a]`, `map[a:1 b:<nil>]`."""
    budget.spend(1)
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return float_text(value)
        case str():
            budget.spend_text(len(value))
            return value
        case list():
            with budget:
                return "[" + " ".join(go_text(item, budget) for item in value) + "]"
        case dict():
            pairs = sorted(value.items(), key=lambda pair: str(pair[0]))
            with budget:
                return "map[" + " ".join(f"{go_text(k, budget)}:{go_text(v, budget)}" for k, v in pairs) + "]"
        case _:
            return str(value)


def json_text(value: Any, budget: Budget, indent: str | None = "  ") -> str:
    """A value as Go's encoding/json writes it. `indent`: None for one line without blanks."""
    lines: list[str] = []
    _json(value, budget, lines.append, "\n" if indent is not None else "", indent or "")
    return "".join(lines)


def _json(value: Any, budget: Budget, write: Callable[[str], None], line: str, indent: str) -> None:
    budget.spend(1)
    match value:
        case None | bool():
            write({None: "null", True: "true", False: "false"}[value])
        case int():
            write(str(value))
        case float():
            write(json_number(value))
        case list():
            _json_items("[]", [("", item) for item in value], budget, write, line, indent)
        case dict():
            colon = ": " if line else ":"
            items = [(json_string(str(key), budget) + colon, value[key]) for key in sorted(value, key=str)]
            _json_items("{}", items, budget, write, line, indent)
        case Duration():
            write(str(value.nanoseconds))
        case Time():
            write(json_string(value.rfc3339(), budget))
        case _:
            write(json_string(str(value), budget))


def _json_items(
    brackets: str, items: list[tuple[str, Any]], budget: Budget, write: Callable[[str], None], line: str, indent: str
) -> None:
    """A list or a map. `items`: (the key with its colon, or "", the value)."""
    if not items:
        write(brackets)
        return
    inner = line + indent if line else ""
    with budget:
        for position, (key, item) in enumerate(items):
            write(("," if position else brackets[0]) + inner + key)
            _json(item, budget, write, inner, indent)
    write(line + brackets[1])


_ESCAPED = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def json_string(text: str, budget: Budget) -> str:
    """A string as Go's encoding/json writes it, quotes included."""
    budget.spend_text(len(text))
    shown = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text) if not text.isascii() else text
    return json.dumps(shown, ensure_ascii=False).translate(_ESCAPED)
