"""Writes that the cache does not show yet. While any is outstanding, no decision uses the cache.

The client chooses and records names before the call, so an early event or a lost response leaves no gap. An expectation
that times out is settled by reading the API.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from serinus.kube.clock import Clock

K = TypeVar("K", bound=Hashable)

PATIENCE = 10.0
"""Seconds after which an expectation is settled by reading the API: events arrive within milliseconds."""


class Expectations(Generic[K]):
    """For each key (an owner): names of objects to be created, and uids of objects to be deleted."""

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
        """Time of the oldest open expectation, in seconds since the epoch; None when all are met."""
        return min(self._open.get(key, {}).values(), default=None)

    def forget(self, key: K) -> None:
        self._open.pop(key, None)
