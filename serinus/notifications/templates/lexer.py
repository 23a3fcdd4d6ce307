"""Splits a template into tokens, as Go's text/template/parse/lex.go does."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from serinus.notifications.templates.errors import TemplateError


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: text, open and close (of an action), end (of the template), or a group of `_TOKEN`."""

    kind: str
    text: str
    line: int


_BLANK = " \t\r\n"
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<declare>:=) | (?P<assign>=) | (?P<pipe>\|) | (?P<left>\() | (?P<right>\)) | (?P<comma>,)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<raw>`[^`]*`)
  | (?P<char>'(?:\\.|[^'\\\n])+')
  | (?P<variable>\$\w*)
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))
  | (?P<field>\.[^\W\d]\w*)
  | (?P<word>[^\W\d]\w*)
  | (?P<dot>\.)
    """,
    re.VERBOSE,
)
_CLOSE = re.compile(r"[ \t\r\n]+-\}\}|\}\}")
_COMMENT = re.compile(r"\{\{(?:-[ \t\r\n])?/\*.*?\*/(?:[ \t\r\n]-)?\}\}", re.DOTALL)


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a template. TemplateError for the errors of Go's lexer."""
    at, line, trim = 0, 1, False
    while True:
        start = source.find("{{", at)
        text = source[at:] if start < 0 else source[at:start]
        shown = text.lstrip(_BLANK) if trim else text
        opens_trimmed = start >= 0 and source[start + 2 : start + 3] == "-" and source[start + 3 : start + 4] in _BLANK
        if opens_trimmed and start + 3 < len(source):
            shown = shown.rstrip(_BLANK)
        if shown:
            yield Token("text", shown, line)
        line += text.count("\n")
        if start < 0:
            yield Token("end", "", line)
            return
        at = start + (3 if opens_trimmed else 2)
        inner = at + 1 if opens_trimmed else at
        if source.startswith("/*", inner):
            comment = _COMMENT.match(source, start)
            if comment is None:
                closed = source.find("*/", inner)
                raise TemplateError("unclosed comment" if closed < 0 else "comment ends before closing delimiter", line)
            trim = source[comment.end() - 3] == "-"
            line += comment.group().count("\n")
            at = comment.end()
            continue
        yield Token("open", "{{", line)
        at, line, trim = yield from _action(source, at, line)


def _action(source: str, at: int, line: int) -> Generator[Token, None, tuple[int, int, bool]]:
    """The tokens of one action. Returns (where the text continues, its line, whether blanks are trimmed)."""
    depth = 0
    while True:
        if at >= len(source):
            raise TemplateError("unclosed left paren" if depth else "unclosed action", line)
        if closing := _CLOSE.match(source, at):
            if depth:
                raise TemplateError("unclosed left paren", line)
            line += closing.group().count("\n")
            yield Token("close", "}}", line)
            return closing.end(), line, closing.group()[-3:-2] == "-"
        match = _TOKEN.match(source, at)
        if match is None:
            raise TemplateError(_wrong(source, at), line)
        kind, text = str(match.lastgroup), match.group()
        depth += (kind == "left") - (kind == "right")
        if depth < 0:
            raise TemplateError("unexpected right paren", line)
        at = match.end()
        _check_end(source, at, kind, text, line)
        yield Token(kind, text, line)
        line += text.count("\n")


def _check_end(source: str, at: int, kind: str, text: str, line: int) -> None:
    """TemplateError for an invalid character after a word, a field or a number."""
    after = source[at : at + 1]
    if kind in ("word", "field", "variable") and after and after not in " \t\r\n.,|:()" and source[at : at + 2] != "}}":
        raise TemplateError(f"bad character {_named(after)}", line)
    if kind == "number" and (after == "_" or after.isalnum()):
        raise TemplateError(f'bad number syntax: "{text}{after}"', line)


def _wrong(source: str, at: int) -> str:
    character = source[at]
    if character == "\\":
        return 'unexpected "\\\\" in operand'
    texts = {
        '"': "unterminated quoted string",
        "`": "unterminated raw quoted string",
        "'": "unterminated character constant",
    }
    if character == ":":
        return "expected :="
    return texts.get(character) or f"unrecognized character in action: {_named(character)}"


def _named(character: str) -> str:
    """`U+005B '['`, as Go's %#U prints it."""
    return f"U+{ord(character):04X} '{character}'"
