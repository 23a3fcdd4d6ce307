"""Memoized values that depend only on a spec. A decoded spec never changes; a newer one replaces it.

The spec itself stores the values, so they need no limit and no cleanup.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import is_
from typing import Any, TypeVar

from serinus.api.rollout import RolloutSpec

T = TypeVar("T")


def once(spec: RolloutSpec, question: Hashable, answer: Callable[[], T]) -> T:
    """The value of `answer` at the first call for `question` and `spec`. It must depend on nothing else."""
    known: dict[Hashable, Any] = spec.__dict__  # pyright: ignore[reportAssignmentType] no cast(): it is a call
    try:
        return known[question]
    except KeyError:
        return known.setdefault(question, answer())


def latest(spec: RolloutSpec, question: Hashable, of: Hashable, answer: Callable[[], T]) -> T:
    """As `once`, for a value that also depends on `of`: only the value for the last one is kept."""
    known: dict[Hashable, Any] = spec.__dict__  # pyright: ignore[reportAssignmentType] no cast(): it is a call
    entry = known.get(question)
    if entry is None or entry[0] != of:
        entry = known[question] = (of, answer())
    return entry[1]


def latest_by_identity(spec: RolloutSpec, question: Hashable, of: tuple[object, ...], answer: Callable[[], T]) -> T:
    """As `latest`, for a value that depends on immutable objects. They are compared by identity."""
    known: dict[Hashable, Any] = spec.__dict__  # pyright: ignore[reportAssignmentType] no cast(): it is a call
    entry = known.get(question)
    if entry is None or len(entry[0]) != len(of) or not all(map(is_, entry[0], of)):
        entry = known[question] = (of, answer())
    return entry[1]
