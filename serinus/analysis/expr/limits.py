"""Limits the work of one evaluation, because conditions and results are untrusted."""

from __future__ import annotations

from serinus.analysis.expr.errors import ConditionError, TooMuchWork

STEPS = 500_000
"""Most steps of an evaluation: below 0.5 s. A list of 10,000 values with a predicate of three nodes takes 40,000."""

CHARACTERS_A_STEP = 8
"""Text is cheaper than list elements: a condition can create at most 4 million characters."""


DEEPEST = 200
"""Most levels of a value that a function walks: a result has at most 128, and `reduce` can add more."""


class Budget:
    """The remaining budget of one evaluation. Every loop and every allocation pays in advance.

    `with budget:` surrounds one level of a recursive walk over a value.
    """

    __slots__ = ("_left", "_levels")

    def __init__(self, steps: int = STEPS) -> None:
        self._left = steps
        self._levels = 0

    def __enter__(self) -> None:
        self._levels += 1
        if self._levels > DEEPEST:
            raise ConditionError(f"a value is nested more than {DEEPEST} levels deep")

    def __exit__(self, *_: object) -> None:
        self._levels -= 1

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooMuchWork(f"the condition needs too much work on this result (more than {STEPS} steps)")

    def spend_text(self, characters: int) -> None:
        self.spend(1 + characters // CHARACTERS_A_STEP)
