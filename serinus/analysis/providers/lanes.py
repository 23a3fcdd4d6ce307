"""Limits concurrent measurements, so that no namespace waits for slow servers of another.

A call takes a place. Each namespace has a limited number of running calls, and places are given to the namespaces in
turn. A call that takes longer than `patience` gives its place to others and continues without one. It still counts for
its own namespace. So a place becomes free within `patience` seconds, even if the servers of many namespaces hang.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, Hashable
from concurrent.futures import Future as Work
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

AT_ONCE = 100
"""Most calls with a place, of all namespaces."""

OF_ONE = 30
"""Most running calls of one namespace: a thousand runs must not overload a monitoring system. With 10, a system that
takes 100 ms for a response would delay 500 runs of 3 metrics every 5 s."""

PATIENCE = 10.0
"""Seconds after which a call gives up its place."""

BESIDE = 900
"""Most calls that gave up their place. Beyond it calls keep their places until they end: each has a connection."""


@dataclass(eq=False, slots=True)
class Slot:
    """A running call. `users`: it ends when the last of them ends."""

    lane: Hashable
    users: int = 1
    beside: bool = False
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)


class Lanes:
    """Calls by lane (a namespace), in one event loop."""

    def __init__(
        self, at_once: int = AT_ONCE, of_one: int = OF_ONE, patience: float = PATIENCE, beside: int = BESIDE
    ) -> None:
        self._at_once, self._of_one, self._patience, self._most_beside = at_once, of_one, patience, beside
        self._placed = self._beside = 0
        self._of: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[Slot]]] = OrderedDict()

    def __len__(self) -> int:
        """The number of running and waiting calls."""
        return sum(self._of.values()) + sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def slot(self, lane: Hashable) -> AsyncGenerator[Slot]:
        """A place, when it is this lane's turn."""
        slot = await self._take(lane)
        try:
            yield slot
        finally:
            self._leave(slot)

    def keep(self, slot: Slot, work: Work[Any]) -> None:
        """Count the call until its work in a thread has ended too: a thread cannot be cancelled."""
        loop = asyncio.get_running_loop()
        slot.users += 1

        def ended(_: Work[Any]) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._leave, slot)

        work.add_done_callback(ended)

    async def _take(self, lane: Hashable) -> Slot:
        waiting: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lane, deque()).append(waiting)
        self._give()
        try:
            return await waiting if not waiting.done() else waiting.result()
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._leave(waiting.result())
            elif lane in self._waiting:
                with suppress(ValueError):
                    self._waiting[lane].remove(waiting)
                if not self._waiting[lane]:
                    del self._waiting[lane]
            raise

    def _give(self) -> None:
        """Give free places to the lanes in turn."""
        while self._placed < self._at_once:
            turn = next(((lane,) for lane in self._waiting if self._of[lane] < self._of_one), None)
            if turn is None:
                return
            (lane,) = turn
            line = self._waiting.pop(lane)
            waiting = line.popleft()
            if line:
                self._waiting[lane] = line  # at the end of the queue
            if not waiting.done():
                waiting.set_result(self._placed_now(lane))

    def _placed_now(self, lane: Hashable) -> Slot:
        slot = Slot(lane)
        self._placed += 1
        self._of[lane] += 1
        if self._patience < float("inf"):
            slot.timer = asyncio.get_running_loop().call_later(self._patience, self._overdue, slot)
        return slot

    def _overdue(self, slot: Slot) -> None:
        if self._beside >= self._most_beside:
            slot.timer = asyncio.get_running_loop().call_later(self._patience, self._overdue, slot)
            return
        slot.beside, slot.timer = True, None
        self._placed -= 1
        self._beside += 1
        self._give()

    def _leave(self, slot: Slot) -> None:
        slot.users -= 1
        if slot.users:
            return
        if slot.timer is not None:
            slot.timer.cancel()
        if slot.beside:
            self._beside -= 1
        else:
            self._placed -= 1
        self._of[slot.lane] -= 1
        if not self._of[slot.lane]:
            del self._of[slot.lane]
        self._give()
