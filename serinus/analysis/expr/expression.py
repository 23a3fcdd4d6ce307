"""An expression over named variables, as in `when` and `oncePer` of notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.analysis.expr.compiler import compile_open
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import Run
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.parser import parse
from serinus.analysis.expr.values import go_text, go_type


class Expression:
    """An expression in expr-lang without declared names. ConditionError if it cannot be parsed, or its literals clash.

    A missing name or field is nil.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._program = compile_open(parse(text))

    def value(self, variables: Mapping[str, Any], now: float = 0.0) -> Any:
        """Its value. ConditionError if it fails. `now`: seconds since the epoch."""
        return self._program.run(Run(variables, round(now * 1e6) * 1000))

    def holds(self, variables: Mapping[str, Any], now: float = 0.0) -> bool:
        """Whether it is true. ConditionError if it is neither true nor false."""
        value = self.value(variables, now)
        if type(value) is not bool:
            raise ConditionError(f"expected bool, but got {go_type(value)}")
        return value

    def text_of(self, variables: Mapping[str, Any], now: float = 0.0) -> str:
        """Its value as text: `<nil>` for nil."""
        return go_text(self.value(variables, now), Budget())
