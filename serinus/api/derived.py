"""What follows from a spec alone is worked out once: a decoded spec is never changed, only replaced by a newer one.

The answers live and go with the spec that they belong to, so there is nothing to bound or to forget.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import is_
from typing import TypeVar, cast

from serinus.api.rollout import RolloutSpec

T = TypeVar("T")


def once(spec: RolloutSpec, question: Hashable, answer: Callable[[], T]) -> T:
    """What `answer` returned when this was first asked of `spec`; it must depend on nothing else than both arguments."""
    known = cast(dict[Hashable, T], spec.__dict__)
    try:
        return known[question]
    except KeyError:
        return known.setdefault(question, answer())


def latest(spec: RolloutSpec, question: Hashable, of: Hashable, answer: Callable[[], T]) -> T:
    """As `once`, for what also depends on `of`: only the answer for the last one is kept."""
    known = cast(dict[Hashable, tuple[Hashable, T]], spec.__dict__)
    found = known.get(question)
    if found is None or found[0] != of:
        found = known[question] = (of, answer())
    return found[1]


def seen(spec: RolloutSpec, question: Hashable, of: tuple[object, ...], answer: Callable[[], T]) -> T:
    """As `latest`, for what depends on objects that are replaced and never changed: the same ones give the same answer."""
    known = cast(dict[Hashable, tuple[tuple[object, ...], T]], spec.__dict__)
    found = known.get(question)
    if found is None or len(found[0]) != len(of) or not all(map(is_, found[0], of)):
        found = known[question] = (of, answer())
    return found[1]
