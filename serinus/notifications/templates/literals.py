"""Literals of templates: numbers and texts."""

from __future__ import annotations

import ast
import re

from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.lexer import Token


def number(text: str) -> int | float:
    """A number in Go's syntax: `0x1F`, `1_000`, `017`, `1e3`, `.5`."""
    plain = text.replace("_", "")
    if re.fullmatch(r"[+-]?0[0-7]+", plain):
        return int(plain, 8)
    try:
        return int(plain, 0)
    except ValueError:
        return float(plain)


def string(token: Token) -> str:
    return token.text[1:-1].replace("\r", "") if token.kind == "raw" else unquoted(token)


_QUOTED = re.compile(
    r"""["'](?:[^\\]|\\(?:[abfnrtv\\"']|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}))*["']""", re.DOTALL
)


def unquoted(token: Token) -> str:
    """The value of a quoted Go string. Python reads its escapes the same way."""
    if _QUOTED.fullmatch(token.text) is None:
        raise TemplateError(f"invalid syntax: {token.text}", token.line)
    try:
        return str(ast.literal_eval(token.text))
    except (SyntaxError, ValueError):
        raise TemplateError(f"invalid syntax: {token.text}", token.line) from None
