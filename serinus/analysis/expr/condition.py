"""A condition: parsed once, evaluated for many results."""

from __future__ import annotations

from typing import Any

from serinus.analysis.expr.compiler import Made, compile_for
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import Run
from serinus.analysis.expr.functions.time_values import Time
from serinus.analysis.expr.limits import STEPS, Budget
from serinus.analysis.expr.parser import parse
from serinus.analysis.expr.types import Type, type_of
from serinus.analysis.expr.values import go_type
from serinus.api.decoding.nesting import TOO_DEEP, nests_too_deep

MOST_TYPES = 16
"""Most compiled forms of a condition. A metric's results have one or two types."""


class CompiledCondition:
    """A condition in expr-lang, as in `successCondition`. ConditionError if it cannot be parsed.

    It can access only the result, and its time and memory are limited (limits.py). Every error of the condition or its
    result is a ConditionError.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree = parse(text)
        self._programs: dict[Type, Made] = {}

    def value(self, result: Any, now: float = 0.0, steps: int = STEPS) -> Any:
        """The value of the expression. `now`: seconds since the epoch. `steps`: TooMuchWork if it takes more."""
        if isinstance(result, list | dict) and nests_too_deep(result):
            raise ConditionError(f"the result cannot be judged: {TOO_DEEP}")
        kind = type_of(result)
        program = self._programs.get(kind)
        if program is None:
            program = compile_for(self._tree, kind)
            if len(self._programs) < MOST_TYPES:
                self._programs[kind] = program
        return program.run(Run(result, round(now * 1e6) * 1000, Budget(steps)))

    def holds(self, result: Any, now: float = 0.0, steps: int = STEPS) -> bool:
        """Whether the condition is true for this result. ConditionError if it is neither true nor false."""
        value = self.value(result, now, steps)
        if type(value) is not bool:
            raise ConditionError(f"expected bool, but got {go_type(value)}")
        return value

    def time(self, now: float) -> float:
        """The value in seconds since the epoch: `now() - duration("1h")`. ConditionError if it is no time."""
        value = self.value(None, now)
        if not isinstance(value, Time):
            raise ConditionError(f"expected time.Time, but got {go_type(value)}")
        return value.seconds
