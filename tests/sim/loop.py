"""An event loop of virtual time: when every task waits, the clock jumps to the next timer.

Only what the controller and its client need of asyncio is here: tasks, futures, timers. No sockets, no threads, no real
clock. Calls due at the same moment run in the order in which they were scheduled, so that a run is a function of its seed.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

EPOCH = 1_767_225_600.0
"""The wall clock when a run begins: 2026-01-01T00:00:00Z."""

STUCK = 10_000
"""Calls at one and the same moment after which the loop reports an endless circle."""


class Appointment:
    """A scheduled call; as `asyncio.Handle` and `TimerHandle`, without their weight."""

    __slots__ = ("args", "cancelled_", "context", "fn", "when_")

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...], context: Context | None, when: float) -> None:
        self.fn, self.args, self.context, self.when_, self.cancelled_ = fn, args, context, when, False

    def cancel(self) -> None:
        self.cancelled_ = True

    def cancelled(self) -> bool:
        return self.cancelled_

    def when(self) -> float:
        return self.when_


class Loop(asyncio.AbstractEventLoop):
    """`run` until a moment, or until a condition is true; `errors` has the exceptions that no task handled."""

    def __init__(self) -> None:
        self.at = 0.0
        self.errors: list[str] = []
        self.calls = 0
        self._ready: deque[Appointment] = deque()
        self._timers: list[tuple[float, int, Appointment]] = []
        self._asked = 0

    def now(self) -> float:
        """Seconds since the epoch: the loop is the clock of everything that runs in it."""
        return EPOCH + self.at

    def run(self, until: float, *, stop: Callable[[], bool] | None = None) -> None:
        """Runs the calls due up to `until` (seconds since the start), or until `stop` returns true between two moments."""
        ready, timers = self._ready, self._timers
        still = 0
        while True:
            before = self.at
            while ready:
                call = ready.popleft()
                if not call.cancelled_:
                    self.calls += 1
                    if call.context is None:
                        call.fn(*call.args)
                    else:
                        call.context.run(call.fn, *call.args)
            if stop is not None and stop():
                return
            while timers and timers[0][2].cancelled_:
                heapq.heappop(timers)
            if not timers or timers[0][0] > until:
                self.at = max(self.at, until)
                return
            self.at, _, call = heapq.heappop(timers)
            ready.append(call)
            still = still + 1 if self.at == before else 0
            if still > STUCK:
                raise RuntimeError(f"time stands still at {self.at} s: {call.fn} is called again and again")

    @contextmanager
    def running(self) -> Generator[None]:
        """Makes this the running loop, for a block that calls `run`."""
        hooks = sys.get_asyncgen_hooks()
        before = asyncio._get_running_loop()
        sys.set_asyncgen_hooks(finalizer=self._end_generator)
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)

    def _end_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.create_task(generator.aclose())

    # The interface that asyncio requires of a loop

    def time(self) -> float:
        return self.at

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> Any:
        return asyncio.Task(coro, loop=self, name=str(name) if name else "task", context=context)

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        call = Appointment(callback, args, context, self.at)
        self._ready.append(call)
        return call

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self.at + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        call = Appointment(callback, args, context, when)
        self._asked += 1
        heapq.heappush(self._timers, (max(when, self.at), self._asked, call))
        return call

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(f"{context.get('message')}: {error!r}")
