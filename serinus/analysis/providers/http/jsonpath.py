"""JSONPath as in kubectl: `{.a.b[0].c}`, `{$.items[*].name}`, `{..x}`, `{.l[?(@.v > 1)].n}`, `{.a['x.y']}`,
`{.l[-1:]}`, `{range .l[*]}{.n}{end}`.

Text outside braces is a separate match. A template is split into steps. Each step maps the current matches to the next
ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

LONGEST = 4_000
MOST = 100_000
"""Most intermediate matches: each `{..}` of a large body doubles them."""

Step = Callable[[list[Any], Any], list[Any]]
"""(matches so far, the whole data) -> next matches."""

_NAME = re.compile(r"(?:\\.|[^\s.\[\]'\"(){}|,\\])+")
_QUOTED = re.compile(r"'((?:[^'\\]++|\\.)*+)'|\"((?:[^\"\\]++|\\.)*+)\"")
_SLICE = re.compile(r"\s*+(-?\d++)?\s*+(:)?\s*+(-?\d++)?\s*+(?::\s*+(-?\d++)?)?\s*+")
_QUOTES = re.compile(r"'[^']*+(?:'|\Z)|\"[^\"]*+(?:\"|\Z)")
_FIELDS = re.compile(r"\{\$?((?:\.[A-Za-z_][\w-]*+)++)\}")
"""A path of plain names: the usual one."""
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>")


class JsonPathError(Exception):
    """A path that is invalid or has no match."""


def find(template: str, data: Any) -> list[Any]:
    """All matches, in order. JsonPathError for a missing key or an invalid template."""
    if len(template) > LONGEST:
        raise JsonPathError(f"the path has more than {LONGEST} characters")
    at = data
    for name in _fields(template):
        if not isinstance(at, dict) or name not in at:
            break
        at = at[name]
    else:
        if at is not data:
            return [at]
    return _matches(list(_pieces(template)), data, data)


@lru_cache(1_000)
def _fields(template: str) -> tuple[str, ...]:
    """The names of a path that has only names, from the outermost on; () for another path."""
    match = _FIELDS.fullmatch(template)
    return tuple(match[1][1:].split(".")) if match else ()


def _matches(pieces: list[tuple[str, str | None]], data: Any, at: Any) -> list[Any]:
    """The matches of a template. `{range …}…{end}` repeats its content for each match."""
    matches: list[Any] = []
    for position, (text, inside) in enumerate(pieces):
        if inside is None:
            matches.append(text)
        elif inside.startswith("range "):
            end = _end_of_range(pieces, position)
            for item in _Path(inside.removeprefix("range ").strip()).steps(data, at):
                matches += _matches(pieces[position + 1 : end], data, item)
                if len(matches) > MOST:
                    raise JsonPathError(f"the path has more than {MOST} matches")
            matches += _matches(pieces[end + 1 :], data, at)
            break
        else:
            matches += _Path(inside).steps(data, data if inside.startswith("$") else at)
    return matches


def _end_of_range(pieces: list[tuple[str, str | None]], start: int) -> int:
    depth = 0
    for position in range(start, len(pieces)):
        inside = pieces[position][1] or ""
        depth += inside.startswith("range ") - (inside == "end")
        if depth == 0:
            return position
    raise JsonPathError("unclosed range: {end} is missing")


def _pieces(template: str) -> Iterator[tuple[str, str | None]]:
    """(text, None) outside of braces and ("", path) inside."""
    rest = template
    while rest:
        text, opened, rest = rest.partition("{")
        if text:
            yield text, None
        if not opened:
            return
        end = _closing(rest)
        yield "", rest[:end].strip()
        rest = rest[end + 1 :]


def _closing(text: str) -> int:
    quote = ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char == "}":
            return at
    raise JsonPathError("unclosed action: a } is missing")


class _Path:
    """One path, parsed from left to right."""

    def __init__(self, text: str, at: int = 0) -> None:
        self._text, self._at = text, at

    def steps(self, data: Any, start: Any) -> list[Any]:
        """The matches from `start`, which is a value within `data`."""
        matches = [start]
        text = self._text
        if _QUOTED.fullmatch(text):
            return [_unquoted(text)]
        if text[:1] in ("$", "@"):
            self._at = 1
        elif text[:1] and text[0] not in ".[":
            raise JsonPathError(f"unrecognized identifier {text[:50]}")
        while self._at < len(text):
            matches = self._step()(matches, data)
            if len(matches) > MOST:
                raise JsonPathError(f"the path has more than {MOST} matches")
        return matches

    def _step(self) -> Step:
        text = self._text
        if text.startswith("..", self._at):
            self._at += 2
            if text[self._at : self._at + 1] not in ("[", ""):
                self._at -= 1
            return _recursive
        if text[self._at] == ".":
            self._at += 1
            return self._dotted()
        if text[self._at] == "[":
            return self._bracket()
        raise JsonPathError(f"unexpected {text[self._at :][:50]!r}")

    def _dotted(self) -> Step:
        if self._at >= len(self._text):
            return lambda matches, _data: matches
        if self._text[self._at] == "*":
            self._at += 1
            return _all
        if self._text[self._at] == "[":
            return self._bracket()
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise JsonPathError(f"a name is missing at {self._text[self._at :][:50]!r}")
        self._at = match.end()
        name = re.sub(r"\\(.)", r"\1", match.group())
        return lambda matches, _data: _field(matches, name)

    def _bracket(self) -> Step:
        inside = self._inside()
        if inside.startswith("?("):
            if not inside.endswith(")"):
                raise JsonPathError("unterminated filter")
            return _filter(inside[2:-1].strip())
        parts = _split(inside)
        if len(parts) > 1:
            steps = [_part(part) for part in parts]
            return lambda matches, data: [one for step in steps for one in step(matches, data)]
        return _part(inside)

    def _inside(self) -> str:
        """The text in the brackets that begin here."""
        depth, quote = 0, ""
        for at in range(self._at, len(self._text)):
            char = self._text[at]
            if quote:
                quote = "" if char == quote and self._text[at - 1] != "\\" else quote
            elif char in "'\"":
                quote = char
            elif char in "[]":
                depth += 1 if char == "[" else -1
                if depth == 0:
                    inside = self._text[self._at + 1 : at]
                    self._at = at + 1
                    return inside.strip()
        raise JsonPathError("unterminated array")


def _split(text: str) -> list[str]:
    """At commas outside of quotes."""
    parts, quote = [""], ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == ",":
            parts.append("")
            continue
        parts[-1] += char
    return [part.strip() for part in parts]


def _part(text: str) -> Step:
    if _QUOTED.fullmatch(text):
        name = _unquoted(text)
        return lambda matches, _data: _field(matches, name)
    if text == "*":
        return lambda matches, _data: [item for match in matches for item in _list(match)]
    match = _SLICE.fullmatch(text)
    if match is None or not text:
        raise JsonPathError(f"invalid array index {text[:50]}")
    start, colon, end, step = match.groups()
    if colon is None:
        return lambda matches, _data: [_element(match, int(start)) for match in matches]
    bounds = slice(*(int(bound) if bound else None for bound in (start, end, step)))
    if bounds.step is not None and bounds.step <= 0:
        raise JsonPathError("step must be > 0")
    return lambda matches, _data: [item for match in matches for item in _list(match)[bounds]]


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise JsonPathError(f"{_shown(value)} is not array or slice")
    return value


def _shown(value: Any) -> str:
    return "map" if isinstance(value, dict) else str(value)[:50]


def _element(value: Any, index: int) -> Any:
    items = _list(value)
    if not -len(items) <= index < len(items):
        raise JsonPathError(f"array index out of bounds: index {index}, length {len(items)}")
    return items[index]


def _field(matches: list[Any], name: str) -> list[Any]:
    values = [match[name] for match in matches if isinstance(match, dict) and name in match]
    if matches and not values:
        raise JsonPathError(f"{name} is not found")
    return values


def _all(matches: list[Any], _data: Any) -> list[Any]:
    values: list[Any] = []
    for match in matches:
        values += match if isinstance(match, list) else match.values() if isinstance(match, dict) else []
    return values


def _recursive(matches: list[Any], _data: Any) -> list[Any]:
    """All values below, from the outside in."""
    values: list[Any] = []
    pending = list(reversed(matches))
    while pending:
        match = pending.pop()
        if isinstance(match, list | dict):
            values.append(match)
            pending += reversed(list(match.values()) if isinstance(match, dict) else match)
    return values


def _filter(text: str) -> Step:
    operator = _OPERATOR.search(_QUOTES.sub(lambda m: "_" * len(m.group()), text))
    left, right, sign = text, "", ""
    if operator is not None:
        left, right, sign = text[: operator.start()].strip(), text[operator.end() :].strip(), operator.group()

    def step(matches: list[Any], data: Any) -> list[Any]:
        return [item for match in matches for item in _list(match) if _passes(item, data, left, sign, right)]

    return step


def _passes(item: Any, data: Any, left: str, sign: str, right: str) -> bool:
    a = _operand(left, item, data)
    if not sign:
        return bool(a)
    b = _operand(right, item, data)
    if not a or not b:
        return False
    return _compared(a[0], b[0], sign)


def _operand(text: str, item: Any, data: Any) -> list[Any]:
    if text[:1] in ("@", "$", "."):
        try:
            return _Path(text).steps(data, data if text[0] == "$" else item)
        except JsonPathError:
            return []
    if _QUOTED.fullmatch(text):
        return [_unquoted(text)]
    if text in ("true", "false", "null"):
        return [{"true": True, "false": False}.get(text)]
    try:
        return [float(text)]
    except ValueError:
        raise JsonPathError(f"cannot compare with {text[:50]}") from None


def _compared(a: Any, b: Any, sign: str) -> bool:
    same = isinstance(a, str) == isinstance(b, str) and isinstance(a, bool) == isinstance(b, bool)
    if sign in ("==", "!="):
        return (same and a == b) == (sign == "==")
    if not same or not isinstance(a, str | int | float) or not isinstance(b, str | int | float):
        raise JsonPathError(f"incompatible types for comparison: {_shown(a)} {sign} {_shown(b)}")
    less, equal = a < b, a == b  # type: ignore[operator]
    return {"<": less, "<=": less or equal, ">": not less and not equal, ">=": not less}[sign]
