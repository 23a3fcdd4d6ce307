"""The one error of conditions: what is wrong with a condition, or with the result it was given."""

from __future__ import annotations


class ConditionError(Exception):
    """A condition that cannot be read, or has no value for this result. The text is what a measurement shows."""


class TooMuchWork(ConditionError):
    """The condition has used up its budget."""
