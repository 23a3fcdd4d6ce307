"""Scalars of YAML as go-yaml v2 resolves them, as JSON values and as keys: see `serinus.api.yaml.reader`."""

from __future__ import annotations

import base64
import math
import re
import struct
from decimal import Decimal
from typing import Any

_TAG = "tag:yaml.org,2002:"
_MOST_INT, _MOST_UINT = 2**63 - 1, 2**64 - 1


def resolved(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Integers may exceed 64 bits, floats may be infinite."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if text[0] != "." and (match := _INTEGER.fullmatch(digits)):
        sign, number = match.groups()
        base = {"x": 16, "b": 2, "o": 8}.get(number[1:2].lower(), 8 if number[0] == "0" else 10)
        # An integer of a thousand digits is a float for Go, and an error for `int`.
        value = int(number, base) if len(number) < 100 else _MOST_UINT + 1
        value = -value if sign == "-" else value
        if -_MOST_INT - 1 <= value <= (_MOST_INT if sign else _MOST_UINT):
            return value
    if _FLOAT.fullmatch(digits) and math.isfinite(value := float(digits)):
        return value
    return text


_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIME = re.compile(r"\d{4}-\d\d?-\d\d?([Tt]\d\d?:\d\d?:\d\d?(\.\d+)?(Z|[-+]\d\d:\d\d)| \d\d?:\d\d?:\d\d?(\.\d+)?)?")


def tagged(tag: str, text: str) -> Any:
    """The value of a scalar with a tag. ValueError if it has no such value."""
    kind = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
    if kind == "binary":
        return _binary(text)
    if kind == "timestamp" and _TIME.fullmatch(text):
        return text
    if kind not in ("bool", "int", "float", "null", "timestamp"):
        return text
    value = resolved(text)
    actual = "null" if value is None else type(value).__name__
    if actual != kind and (actual, kind) != ("int", "float"):
        raise ValueError(f"cannot decode !!{actual} `{text}` as a !!{kind}")
    return value


def _binary(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:
        raise ValueError("!!binary value contains invalid base64 data") from None
    return data.decode(errors="replace")


def as_json(value: Any) -> Any:
    """A scalar as JSON has it. ValueError for infinity and NaN.

    Go writes a float without a fraction like an integer, so it is one. An integer over 64 bits becomes a float.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number in JSON: put quotes around it if text is meant")
        # The shortest digits, as Go writes them: int(1e22) has others.
        return whole(int(Decimal(repr(value)))) if value.is_integer() and abs(value) < 1e21 else value
    return whole(value) if isinstance(value, int) and not isinstance(value, bool) else value


def whole(value: int) -> int | float:
    """An integer, as a float if it has more than 64 bits."""
    return value if -_MOST_INT - 1 <= value <= _MOST_INT else float(value)


def key(value: Any) -> str:
    """A key as text, as sigs.k8s.io/yaml writes it. ValueError for null, lists, mappings and integers over 64 bits."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_key(value)
    if isinstance(value, int) and value <= _MOST_INT:
        return str(value)
    shown = "null" if value is None else "a list" if isinstance(value, list) else value
    shown = "a mapping" if isinstance(value, dict) else shown
    raise ValueError(f"{shown} cannot be a key: put quotes around it if text is meant")


def _float_key(value: float) -> str:
    """Go's FormatFloat(value, 'g', -1, 32)."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    try:
        single = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return ".inf" if value > 0 else "-.inf"
    shortest = next(
        text
        for digits in range(9)
        if struct.pack("f", float(text := f"{single:.{digits}e}")) == struct.pack("f", single)
    )
    mantissa, _, exponent = shortest.partition("e")
    digits = len(mantissa.lstrip("-").replace(".", ""))
    if -4 <= int(exponent) < 6:
        return f"{float(shortest):.{max(0, digits - 1 - int(exponent))}f}"
    return shortest
