"""Visitors of a host while a test changes its backend: a steady, bounded stream of real requests from a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from serinus.demo.traffic import DemoTraffic

RATE = 100.0
MOST_SECONDS = 240.0
"""The stream ends then, whatever the test does."""


class Visitors:
    """`with visitors(...)` asserts at its end that no request failed."""

    def __init__(self, gateway: str, host: str, *, fresh: bool = False) -> None:
        self.traffic = DemoTraffic(f"{gateway}/color", host, RATE, fresh)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._visit(),), daemon=True)

    async def _visit(self) -> None:
        run = asyncio.ensure_future(self.traffic.run())
        await asyncio.wait(
            [asyncio.ensure_future(self._stop.wait()), run], timeout=MOST_SECONDS, return_when="FIRST_COMPLETED"
        )
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def colors(self, count: int) -> Counter[str]:
        """The versions that answer the next `count` requests (a failure is ""), after the gateway's half second."""
        begun = self.traffic.total + int(RATE / 2)
        end = time.monotonic() + 60
        while self.traffic.total < begun + count:
            assert time.monotonic() < end, "the visitors have stopped"
            time.sleep(0.02)
        return Counter(seen.color for seen in list(self.traffic.answers)[-count:])

    def all_become(self, color: str, count: int = 100, seconds: float = 30) -> None:
        """Waits until this colour alone gives `count` answers in a row. A gateway follows a Service by way of its EndpointSlices:
        that is not done when a Rollout is Healthy, and takes half a second and more where the machine is busy."""
        end = time.monotonic() + seconds
        while (found := self.colors(count)) != {color: count}:
            assert not found[""], dict(self.traffic.failures)
            assert time.monotonic() < end, f"{dict(found)} after {seconds} s"

    def share(self, color: str, count: int = 400) -> float:
        """The percentage of the next answers that this colour gives, from its first one on: the gateway has received it then."""
        begun, end = self.traffic.total, time.monotonic() + 60
        while (new := self.traffic.total - begun) < 1 or color not in {
            a.color for a in list(self.traffic.answers)[-new:]
        }:
            assert time.monotonic() < end, f"no {color} within 60 s"
            time.sleep(0.02)
        return 100 * self.colors(count)[color] / count


@contextmanager
def visitors(gateway: str, host: str, *, fresh: bool = False) -> Generator[Visitors]:
    """`fresh`: each request has a connection of its own, which a Service needs to divide them."""
    there = Visitors(gateway, host, fresh=fresh)
    there.start()
    try:
        yield there
    finally:
        there.stop()
    assert there.traffic.total > 100
    assert there.traffic.failed == 0, dict(there.traffic.failures)
