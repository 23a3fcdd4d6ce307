"""A clock that follows the event loop, so that virtual time moves it."""

from __future__ import annotations

import asyncio


class LoopClock:
    """Follows the running event loop's time from `start` (seconds since the epoch): virtual where the loop's is."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._start = start

    def now(self) -> float:
        return self._start + asyncio.get_running_loop().time()
