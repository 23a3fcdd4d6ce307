"""How many keys of a queue are worked on at once, where some of the work is waiting for somebody else.

A handler that waits for a server of a user's own gives its hand away meanwhile: as many keys go on as before, however many wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager


class Hands:
    """`count`: how many keys are worked on at once."""

    def __init__(self, count: int) -> None:
        self.count, self.away_now = count, 0
        self.more: Callable[[], None] = lambda: None
        """Called when a hand was given away: somebody may work with it."""
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._gone: set[asyncio.Task[object] | None] = set()

    async def take(self) -> None:
        """A hand, as soon as one is free."""
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
        """The task has ended its work on a key."""
        task = asyncio.current_task()
        if task in self._gone:
            self._gone.discard(task)  # it ended while its hand was away
        else:
            self._give()

    @asynccontextmanager
    async def away(self) -> AsyncGenerator[None]:
        """The hand is somebody else's meanwhile. To be entered by the task that has taken it."""
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
