"""Looks as JSON lines, as `serinus verdict` and its commands read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from serinus.analysis.sequential.looks import Look, look_of
from serinus.analysis.sequential.settings import SetupError
from serinus.api.decoding.nesting import TOO_DEEP, too_deep
from serinus.cli.framework.errors import Problem


def looks_of(lines: Iterable[bytes]) -> Iterator[tuple[Any, Look]]:
    """(the line as JSON, its look), without blank lines. Problem names the first invalid line, and the field."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                value = _decoded(line)
                yield value, look_of(value)
            except SetupError as error:
                raise Problem(f"line {number}: {error}") from None


def _decoded(line: bytes) -> Any:
    if too_deep(line):
        raise SetupError("", TOO_DEEP)
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            return json.loads(line)  # NaN and numbers beyond the range: `look_of` names their field
        except (ValueError, RecursionError):
            raise SetupError("", f"is no JSON: {error}") from None
