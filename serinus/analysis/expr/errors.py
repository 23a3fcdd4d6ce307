"""The error of conditions: an invalid condition, or a result that does not fit it."""

from __future__ import annotations


class ConditionError(Exception):
    """A condition that cannot be parsed, or has no value for this result. Measurements show its text."""


class TooMuchWork(ConditionError):
    """The condition has used up its budget."""
