"""A queue of keys to reconcile. It stores no reasons.

A key waits at most once and is never processed twice at once. A key that is added while it is processed waits again
afterwards. Delayed keys share one heap and one timer of the loop, so ten thousand waiting keys cost one wake-up. Taking
a key drops its delayed entry: the handler decides when to requeue it.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from random import Random
from typing import Generic, TypeVar

from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError
from serinus.kube.fair_queue import Lane, Turns, one_lane
from serinus.kube.hands import Hands

K = TypeVar("K", bound=Hashable)

log = logging.getLogger(__name__)

LONGEST_SLEEP = 60.0
"""Seconds after which the clock is read again. Meanwhile the wall clock may be set, or the machine suspended."""

SET = 1.0
"""Seconds. A larger jump between wall clock and loop's time means that the clock was set or the machine suspended."""

SHORTEST_SLEEP = 0.001
"""Seconds. A key is delivered a little late rather than early, because an early handler would find nothing due."""


class WorkQueue(Generic[K]):
    """`first_delay`, `longest_delay`: seconds of the first and the longest delay of `retry`, which doubles each time.

    `lane`: whether an added key is urgent, and the share that it belongs to.
    """

    def __init__(
        self,
        clock: Clock,
        rng: Random | None = None,
        *,
        first_delay: float = 0.05,
        longest_delay: float = 10.0,
        lane: Callable[[K], Lane] = one_lane,
    ) -> None:
        self.added = self.retried = 0
        """Keys added since the start, and keys retried after a failure."""
        self._clock, self._rng = clock, rng or Random()
        self._first, self._longest = first_delay, longest_delay
        self._ready: Turns[K] = Turns(lane)
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._when: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._entries = 0
        self._timer: asyncio.TimerHandle | None = None
        self._offset: float | None = None
        """Difference between the wall clock and the loop's time when the timer was last set."""
        self._getters: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        """Number of keys that wait for processing now."""
        return len(self._ready)

    def add(self, key: K) -> None:
        if key in self._working:
            self._again.add(key)
            return
        waits = key in self._ready
        self._ready.add(key)
        if not waits:
            self.added += 1
            self._wake()

    def add_at(self, key: K, when: float) -> None:
        """Adds the key at `when`, seconds since the epoch. Of several times, the earliest counts."""
        if when <= self._clock.now():
            self._when.pop(key, None)
            self.add(key)
            return
        if when >= self._when.get(key, float("inf")):
            return
        self._when[key] = when
        self._entries += 1
        heapq.heappush(self._heap, (when, self._entries, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._when):
            self._compact()
        if self._heap[0][2] is key or self._timer is None:
            self._arm()

    def retry(self, key: K, *, after: float | None = None) -> float:
        """Adds the key after its back-off, at the earliest after `after` seconds. Returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retried += 1
        longest = min(self._longest, self._first * 2 ** min(failures, 30))
        delay = max(longest * (0.5 + 0.5 * self._rng.random()), after or 0.0)
        self.add_at(key, self._clock.now() + delay)
        return delay

    def forget(self, key: K) -> None:
        """Resets the back-off of this key."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key, which stays reserved until `done`."""
        while not self._ready:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake()  # pass the consumed wake-up on
                raise
            finally:
                if getter in self._getters:
                    self._getters.remove(getter)
        key = self._ready.take()
        self._working.add(key)
        self._when.pop(key, None)
        return key

    def done(self, key: K) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def idle(self) -> bool:
        """Whether no key waits for processing and none is processed."""
        return not self._ready and not self._working

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            loop, now = asyncio.get_running_loop(), self._clock.now()
            delay = min(max(self._heap[0][0] - now, SHORTEST_SLEEP), LONGEST_SLEEP)
            self._offset = now - loop.time()
            self._timer = loop.call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._clock.now()
        if self._offset is not None and abs(now - asyncio.get_running_loop().time() - self._offset) > SET:
            # The clock was set. Retries could be late by that jump, so all delayed keys are added now and set their
            # times again.
            now = float("inf")
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heapq.heappop(self._heap)
            if self._when.get(key) == when:
                del self._when[key]
                self.add(key)
        while self._heap and self._when.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        self._arm()

    def _compact(self) -> None:
        """Drops outdated heap entries. Without this the heap grows with every changed time."""
        self._heap = [entry for entry in self._heap if self._when.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)


async def work(
    queue: WorkQueue[K],
    handler: Callable[[K], Awaitable[None]],
    *,
    workers: int | Hands = 1,
    failed: Callable[[K, Exception, float], None] | None = None,
) -> None:
    """Processes the queue's keys forever, `workers` at a time; with `Hands`, more while handlers have released theirs.

    If a handler raises, its key is retried with back-off. If it returns, the back-off is reset. `failed` is called with
    the key, the error and the seconds until the next attempt; without it, failures are logged.
    """
    tell = failed or _log_failure
    hands = workers if isinstance(workers, Hands) else Hands(workers)
    working = 0

    async def worker() -> None:
        nonlocal working
        while working <= hands.count + hands.away_now:
            key = await queue.get()
            await hands.take()  # free, unless a released hand was taken again
            try:
                await handler(key)
            except Exception as error:
                after = error.retry_after if isinstance(error, ApiError) else None
                tell(key, error, queue.retry(key, after=after))
            else:
                queue.forget(key)
            finally:
                queue.done(key)
                hands.done()
        working -= 1

    async with asyncio.TaskGroup() as group:

        def more() -> None:
            nonlocal working
            while working < hands.count + hands.away_now:
                working += 1
                group.create_task(worker())

        hands.more = more
        more()


def _log_failure(key: object, error: Exception, delay: float) -> None:
    if isinstance(error, ApiError):
        log.warning("%s: %s; again in %.1f s", key, error.message, delay)
    else:
        log.error("%s: failed; again in %.1f s", key, delay, exc_info=error)
