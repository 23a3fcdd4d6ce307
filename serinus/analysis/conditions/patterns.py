"""Regular expressions of conditions and metric names: RE2, whose time is linear in the text for every pattern.

Go's `regexp` and RE2 have the same syntax. Python's own `re` has neither that syntax nor a bound on its time: one pattern
of a template could hold up the controller for ever.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from serinus.analysis.conditions.errors import ConditionError

MEMORY = 1 << 20
"""Bytes that a compiled pattern may take."""


class Pattern:
    """A pattern, compiled. ConditionError if it is none."""

    def __init__(self, pattern: str) -> None:
        self._compiled = _compiled(pattern)

    def found_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere in `text`."""
        return self._compiled.search(text.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    # A C extension that takes 10 ms to load: few conditions have a pattern.
    import re2

    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        raise ConditionError(f"error parsing regexp: {reason}") from None
