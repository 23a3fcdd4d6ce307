"""Time as an argument. This package never reads the clock directly, so tests can use virtual time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class SystemClock:
    def now(self) -> float:
        return time.time()


def rfc3339(seconds: float) -> str:
    """`1970-01-01T00:00:00Z`: whole seconds, UTC, cut off as `metav1.Time` does."""
    return _whole(int(seconds))


@lru_cache(maxsize=16)
def _whole(seconds: int) -> str:
    """Log lines, Events and conditions ask for the same second many times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """`1970-01-01T00:00:00.000000Z`, as `metav1.MicroTime`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
