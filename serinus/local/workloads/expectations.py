"""What was done and is not yet seen in the cache. While something is outstanding, the cache decides nothing.

Names are chosen by us before the call, and noted before it: an event that overtakes the answer, or an answer that is
lost, leaves no gap. An expectation that is not met in time is settled by asking the API itself.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from serinus.kube.clock import Clock

K = TypeVar("K", bound=Hashable)

PATIENCE = 10.0
"""Seconds after which an expectation is settled by asking the API: events arrive within milliseconds."""


class Expectations(Generic[K]):
    """For each key (an owner): names of objects whose appearance, and uids of objects whose end, was asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[K, dict[str, float]] = {}

    def expect(self, key: K, what: str) -> None:
        self._open.setdefault(key, {})[what] = self._clock.now()

    def met(self, key: K, what: str) -> None:
        outstanding = self._open.get(key)
        if outstanding is not None and outstanding.pop(what, None) is not None and not outstanding:
            del self._open[key]

    def outstanding(self, key: K) -> list[str]:
        return list(self._open.get(key, ()))

    def oldest(self, key: K) -> float | None:
        """When the oldest open expectation was noted, in seconds since the epoch; None when all are met."""
        return min(self._open.get(key, {}).values(), default=None)

    def forget(self, key: K) -> None:
        self._open.pop(key, None)
