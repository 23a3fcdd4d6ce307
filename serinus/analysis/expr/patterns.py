"""Regular expressions of conditions and metric names."""

from __future__ import annotations

from serinus.analysis.expr.errors import ConditionError
from serinus.api.values.patterns import compiled


class Pattern:
    """A compiled pattern. ConditionError if it is invalid."""

    def __init__(self, pattern: str) -> None:
        try:
            self._compiled = compiled(pattern)
        except ValueError as error:
            raise ConditionError(f"error parsing regexp: {error}") from None

    def found_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere in `text`."""
        return self._compiled.search(text.encode("utf-8", "replace")) is not None
