"""The limit of JSON nesting. External text is checked before any recursive code reads it.

Python's decoders and most walks over a value are recursive. Near the interpreter's recursion limit even a finalizer of
the garbage collector can fail. So a check of the depth refuses a value before a RecursionError.
"""

from __future__ import annotations

import re
from typing import Any, cast

DEEPEST = 128
"""Levels of lists and objects. Objects of Kubernetes have fewer than 40, its generated schemas fewer than 80."""

TOO_DEEP = f"it is nested more than {DEEPEST} levels deep"

CUT = f'"{TOO_DEEP}"'.encode()
"""The JSON that replaces a value that nests too deeply."""

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def too_deep(text: bytes | str, most: int = DEEPEST) -> bool:
    """Whether JSON text nests more than `most` levels. For text that is no JSON, the result is arbitrary."""
    body = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if body.count(b"[") + body.count(b"{") <= most:
        return False
    # Without escaped characters, every second piece between quotes is the content of a string.
    pieces = body.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
    brackets = b"".join(pieces[::2]).translate(_BRACKETS, _OTHERS)
    for _ in range(most):
        shorter = brackets.replace(b"[]", b"")  # one level less, from the inside out
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    # Unmatched brackets are no JSON, but many opening ones would still make a decoder recurse too deeply.
    return b"[]" in brackets or brackets.count(b"[") > most


def nests_too_deep(value: Any, most: int = DEEPEST) -> bool:
    """Whether a decoded value nests more than `most` levels of lists and dicts. Does not recurse."""
    level: list[Any] = [value] if isinstance(value, list | dict) else []
    for _ in range(most):
        if not level:
            return False
        inner: list[Any] = []
        for item in level:
            inner += cast("dict[str, Any]", item).values() if isinstance(item, dict) else cast("list[Any]", item)
        level = [item for item in inner if isinstance(item, list | dict)]
    return bool(level)


def without_deep(text: bytes, most: int = DEEPEST) -> bytes:
    """JSON text with each list and object deeper than `most` levels replaced by the text `CUT`. Does not recurse.

    It allows reading at least the identity of an object that no decoder can read.
    """
    parts: list[bytes] = []
    depth = at = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in (b"{", b"["):
            depth += 1
            if depth == most + 1:
                parts.append(text[at : match.start()])
        elif match[0] in (b"}", b"]"):
            depth -= 1
            if depth == most:
                parts.append(CUT)
                at = match.end()
    return b"".join((*parts, text[at:])) if depth <= most else CUT
