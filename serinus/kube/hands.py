"""Limits how many keys of a queue are processed at once, without counting handlers that wait for a user's server.

A handler that waits for a user's server releases its hand meanwhile. So the number of active keys stays the same,
however many wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager


class Hands:
    """A semaphore. `count`: keys processed at once."""

    def __init__(self, count: int) -> None:
        self.count, self.away_now = count, 0
        self.more: Callable[[], None] = lambda: None
        """Called when a hand was released: another worker may use it."""
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._gone: set[asyncio.Task[object] | None] = set()

    async def take(self) -> None:
        """Acquires a hand; waits until one is free."""
        if self._free > 0:
            self._free -= 1
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._give()
            raise

    def done(self) -> None:
        """Releases the hand after the work on a key."""
        task = asyncio.current_task()
        if task in self._gone:
            self._gone.discard(task)  # it ended while its hand was released
        else:
            self._give()

    @asynccontextmanager
    async def away(self) -> AsyncGenerator[None]:
        """Releases the hand for the block and acquires one again after it. The task must hold a hand."""
        task = asyncio.current_task()
        self._gone.add(task)
        self.away_now += 1
        self._give()
        self.more()
        try:
            yield
        finally:
            self.away_now -= 1
        await self.take()
        self._gone.discard(task)

    def _give(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self._free += 1
