"""How much work one evaluation may do: conditions come from users, results from anywhere."""

from __future__ import annotations

from serinus.analysis.conditions.errors import ConditionError, TooMuchWork

STEPS = 500_000
"""Steps of an evaluation: below half a second. A list of 10,000 values with a predicate of three nodes takes 40,000."""

CHARACTERS_A_STEP = 8
"""Text is cheaper than list elements: all text that a condition makes has at most 4 million characters."""


DEEPEST = 200
"""Levels of a value that a function walks: a result has at most 128 of its own, and `reduce` can wrap it again and again."""


class Budget:
    """What is left for one evaluation. Everything that loops or makes something pays before it does.

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
