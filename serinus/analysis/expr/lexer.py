"""Splits the text of a condition into tokens.

The tokens are those of expr-lang 1.17: words such as `in` or `contains` are operators, `#` is the element of a
predicate, `//` and `/* */` are comments, numbers may contain `_`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from serinus.analysis.expr.errors import ConditionError

LONGEST = 20_000
"""Most characters of a condition. Real ones have fewer than 200; a longer text is a mistake or an attack."""

WORDS = frozenset(("matches", "contains", "startsWith", "endsWith", "in", "not", "and", "or", "let", "if", "else"))

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+|//[^\n]*|/\*(?s:.*?)\*/)
  | (?P<number>0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
      | [0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?(?:[eE][+-]?[0-9_]+)? | \.[0-9][0-9_]*(?:[eE][+-]?[0-9_]+)?)
  | (?P<bytes>b"(?:[^"\\\n]|\\.)*" | b'(?:[^'\\\n]|\\.)*')
  | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*')
  | (?P<raw>`[^`]*`)
  | (?P<word>[^\W\d][\w$]*|\$[\w$]*)
  | (?P<bracket>[()\[\]{}])
  | (?P<operator>\.\.|\.|\?[.?]?|::?|[&|!=*<>][&|=*]?|[,;%+^\-#/])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"`])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_INTEGERS = {"0x": 16, "0o": 8, "0b": 2}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: Number, String, Identifier, Operator, Bracket or EOF. `value`: its number or text."""

    kind: str
    value: str | int | float
    at: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "EOF" else f'{self.kind}("{self.value}")'


def tokens(text: str) -> list[Token]:
    """All tokens, EOF last. ConditionError for invalid text."""
    if len(text) > LONGEST:
        raise ConditionError(f"the condition has {len(text)} characters: at most {LONGEST} are read")
    result: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionError(_unreadable(text, at))
        at = match.end()
        kind, piece = match.lastgroup, match.group()
        if kind == "blank":
            continue
        if kind == "number":
            if at < len(text) and (text[at].isalnum() or text[at] == "_"):
                raise ConditionError(f'bad number syntax: "{piece}{text[at]}"')
            result.append(Token("Number", _number(piece), match.start()))
        elif kind == "string":
            result.append(Token("String", _unescaped(piece[1:-1]), match.start()))
        elif kind == "raw":
            result.append(Token("String", piece[1:-1], match.start()))
        elif kind == "word":
            result.append(Token("Operator" if piece in WORDS else "Identifier", piece, match.start()))
        elif kind == "bracket":
            result.append(Token("Bracket", piece, match.start()))
        elif kind == "operator":
            result.append(Token("Operator", piece, match.start()))
        else:
            raise ConditionError(f"{piece}: raw bytes are no value that a condition can compare; write a string")
    result.append(Token("EOF", "", len(text)))
    return result


def _unreadable(text: str, at: int) -> str:
    if text[at] in "\"'`":
        return "literal not terminated"
    return "unclosed comment" if text.startswith("/*", at) else f"unrecognized character: {text[at]!r}"


def _number(piece: str) -> int | float:
    plain = piece.replace("_", "")
    base = _INTEGERS.get(plain[:2].lower())
    try:
        if base is None and any(sign in plain for sign in ".eE"):
            value = float(plain)
            if math.isinf(value):
                raise ConditionError(f"invalid float literal: {piece}: value out of range")
            return value
        if len(plain) > 70:
            raise ConditionError("invalid integer literal: value out of range")
        whole = int(plain[2:], base) if base else int(plain)
    except ValueError:
        raise ConditionError(f'bad number syntax: "{piece}"') from None
    if whole >= 2**63:
        raise ConditionError(f"invalid integer literal: {piece}: value out of range")
    return whole


def _unescaped(inside: str) -> str:
    if "\\" not in inside:
        return inside
    out: list[str] = []
    at = 0
    while at < len(inside):
        if inside[at] != "\\":
            out.append(inside[at])
            at += 1
            continue
        match = _ESCAPE.match(inside, at)
        if match is None:
            raise ConditionError(f"invalid char escape: {inside[at : at + 2]}")
        simple, *codes = match.groups()
        if simple:
            out.append(_SIMPLE.get(simple, simple))
        else:
            code = next(int(digits, 8 if digits is codes[3] else 16) for digits in codes if digits)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise ConditionError(f"invalid char escape: {match.group()}")
            out.append(chr(code))
        at = match.end()
    return "".join(out)
