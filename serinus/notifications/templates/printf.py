"""Go's `fmt.Sprintf` for the verbs of texts, and `%q`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import float_text, raw
from serinus.notifications.templates.values import shown, text_of, type_name

WIDEST = 1000
"""The highest width or precision. Go refuses more than a million."""

_VERB = re.compile(r"%([+\-# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(.)?", re.DOTALL)
_NAMES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def quoted(text: str) -> str:
    """A text as Go's %q writes it."""
    parts: list[str] = []
    for character in text:
        code = ord(character)
        if code in _NAMES:
            parts.append(_NAMES[code])
        elif character.isprintable():
            parts.append(character)
        elif code < 0x80:
            parts.append(f"\\x{code:02x}")
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        else:
            parts.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(parts) + '"'


def sprint(values: Sequence[Any], work: Budget) -> str:
    """`print`: a blank between two values if neither is a text."""
    pieces: list[str] = []
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            pieces.append(" ")
        pieces.append(shown(value, work))
    return "".join(pieces)


def sprintf(layout: str, values: Sequence[Any], work: Budget) -> str:
    """`printf`. A verb that does not fit its value prints as in Go: `%!d(string=a)`."""
    rest = list(values)

    def one(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        has_point = "." in match.group()[1:]
        size = _size(width, rest)
        digits = _size(precision, rest) if precision else 0 if has_point else None
        if not rest:
            return f"%!{verb}(MISSING)"
        return _padded(_one(verb, rest.pop(0), flags, digits, work), flags, min(size or 0, WIDEST), verb)

    text = _VERB.sub(one, layout)
    if rest:
        extra = ", ".join(f"{type_name(v)}={shown(v, work)}" if v is not None else "<nil>" for v in rest)
        text += f"%!(EXTRA {extra})"
    work.spend_text(len(text))
    return text


def _size(given: str | None, rest: list[Any]) -> int | None:
    if given == "*":
        value = rest.pop(0) if rest else 0
        return value if type(value) is int else 0
    return int(given[:6]) if given else None


def _one(verb: str, value: Any, flags: str, digits: int | None, work: Budget) -> str:
    digits = None if digits is None else min(digits, WIDEST)
    if verb == "v":
        return shown(value, work) if "#" not in flags or not isinstance(value, str) else quoted(value)
    if verb == "T":
        return type_name(value)
    if value is None:
        return f"%!{verb}(<nil>)"
    if isinstance(value, list):
        return "[" + " ".join(_one(verb, item, flags, digits, work) for item in value) + "]"
    text = _scalar(verb, value, flags, digits, work)
    if text is not None:
        return text
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_one(verb, value[k], flags, digits, work)}" for k in sorted(value)) + "]"
    return f"%!{verb}({type_name(value)}={shown(value, work)})"


def _scalar(verb: str, value: Any, flags: str, digits: int | None, work: Budget) -> str | None:
    """The text of a value that the verb is for; None for a value of another type."""
    number = value if type(value) in (int, float) else None
    if verb in "sq" and number is None and not isinstance(value, bool):
        text = text_of(value, work)
        text = text if digits is None else text[:digits]
        return quoted(text) if verb == "q" else text
    if verb == "t" and isinstance(value, bool):
        return "true" if value else "false"
    if verb in "dxXobcUq" and number is not None and float(number).is_integer():
        return _integer(verb, int(number), flags)
    if verb in "feEgG" and number is not None:
        return _float(verb, float(number), flags, digits)
    if verb in "xX" and isinstance(value, str | bytes):
        data = raw(value) if isinstance(value, str) else value
        return data.hex() if verb == "x" else data.hex().upper()
    return None


def _integer(verb: str, value: int, flags: str) -> str:
    if verb in "cqU":
        character = chr(value) if 0 <= value < 0x110000 else "\ufffd"
        return {"c": character, "q": f"'{character}'", "U": f"U+{value:04X}"}[verb]
    text = format(abs(value), verb)
    if "#" in flags and verb in "xX":
        text = f"0{verb}{text}"
    return ("-" if value < 0 else "+" if "+" in flags else " " if " " in flags else "") + text


def _float(verb: str, value: float, flags: str, digits: int | None) -> str:
    text = float_text(value) if verb in "gG" and digits is None else f"{value:.{6 if digits is None else digits}{verb}}"
    return f"+{text}" if "+" in flags and not text.startswith(("-", "+")) else text


def _padded(text: str, flags: str, width: int, verb: str) -> str:
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and verb not in "sqvT":
        sign = text[:1] if text[:1] in "+-" else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)
