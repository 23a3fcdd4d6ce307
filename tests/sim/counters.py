"""A monitoring system that counts requests and errors of each version, as clients send them through the gateway.

A request fails with the error rate of its version's image, independently of all others. Sequential verdicts query the
counts with the provider `web`: the totals of counters, or the increase over a window that ends now.
"""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from math import log
from random import Random

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from tests.sim.gateway import Gateway
from tests.sim.history import History
from tests.sim.loop import Loop
from tests.sim.monitoring import BROKEN, Monitoring
from tests.sim.store import Json, Store
from tests.sim.workloads import Workloads

TICK = 0.5
"""Seconds between two scrapes."""
SIDES = ("canary", "stable")


class Counter:
    """Requests and errors of one version: the totals at each scrape."""

    def __init__(self) -> None:
        self.times = [0.0]
        self.totals = [(0, 0)]
        self.due = 0.0
        """Parts of a request that the share of the traffic has left over."""

    def at(self, time: float) -> tuple[int, int]:
        return self.totals[bisect_right(self.times, time) - 1] if time >= 0 else (0, 0)


class Counters(Monitoring):
    """`counted`: by hash. `reset`: totals that every counter has lost, by hash, as restarted exporters do."""

    def __init__(self, loop: Loop, store: Store, history: History, gateway: Gateway, workloads: Workloads) -> None:
        super().__init__(loop, store, history)
        self.gateway, self.workloads = gateway, workloads
        self.rates, self.traffic = history.error_rates, history.traffic
        self.counted: dict[str, Counter] = {}
        self.reset: dict[str, tuple[int, int]] = {}
        self._errors = Random(f"errors {history.seed}")
        loop.call_later(TICK, self._scrape)

    def rate_of(self, version: str) -> float:
        return self.rates.get(self.images.get(version, ""), 0.0)

    def _scrape(self) -> None:
        for version, share in self.shares().items():
            counter = self.counted.setdefault(version, Counter())
            counter.due += self.traffic * share * TICK
            requests = int(counter.due)
            counter.due -= requests
            errors = self._failed(requests, self.rate_of(version))
            before = counter.totals[-1]
            counter.times.append(self.loop.at)
            counter.totals.append((before[0] + requests, before[1] + errors))
        self.loop.call_later(TICK, self._scrape)

    def shares(self) -> dict[str, float]:
        """By hash: the share of the requests that its pods answer now, by the gateway's state."""
        found: dict[str, float] = {}
        for service, share in self.gateway.shares().items():
            pods = [self.workloads.pods.get(name) for name in self.gateway.endpoints.get(service, ())]
            serving = [pod for pod in pods if pod is not None and pod.serving]
            for pod in serving:
                found[pod.pod_hash] = found.get(pod.pod_hash, 0.0) + share / len(serving)
        return found

    def _failed(self, requests: int, rate: float) -> int:
        """A binomial number, by the gaps between failures."""
        if not rate:
            return 0
        failed, place = 0, -1
        while True:
            place += 1 + int(log(1.0 - self._errors.random()) / log(1.0 - rate))
            if place >= requests:
                return failed
            failed += 1

    # Queries

    async def answer(self, url: str, seconds: float) -> HttpResponse:
        _, _, _, canary, stable, window, probe = url.split("/", 6)
        await asyncio.sleep(self.rng.uniform(0.01, 0.3))
        kind, trouble = self._strikes(self.probes[probe])
        if kind:
            self.struck += 1
        if kind == "slow" and trouble is not None:
            await asyncio.sleep(min(trouble.delay, seconds * 0.8))
        if kind in BROKEN:
            return await self._no_counts(kind, seconds)
        if kind == "flaps":
            self.reset = {version: counter.totals[-1] for version, counter in self.counted.items()}
        found = {
            side: self._side(version, float(window)) for side, version in zip(SIDES, (canary, stable), strict=True)
        }
        if kind == "nan":
            found.pop(self.rng.choice(SIDES))
        return HttpResponse(200, {}, json.dumps(found).encode())

    def _side(self, version: str, window: float) -> Json:
        """`window`: seconds; 0 for the totals."""
        counter = self.counted.get(version, Counter())
        requests, errors = counter.totals[-1]
        before = counter.at(self.loop.at - window) if window else self.reset.get(version, (0, 0))
        return {"requests": requests - before[0], "errors": errors - before[1]}

    async def _no_counts(self, kind: str, seconds: float) -> HttpResponse:
        if kind == "hangs":
            await asyncio.sleep(seconds)
            raise ProviderError(f"no answer within {seconds:g} s")
        if kind == "down":
            raise ProviderError("connection refused")
        return HttpResponse(503, {}, b"overloaded") if kind == "failing" else HttpResponse(200, {}, b"null")

    def most(self, version: str, since: float) -> tuple[int, int]:
        """The requests and errors of a version since a time."""
        counter = self.counted.get(version, Counter())
        (requests, errors), before = counter.totals[-1], counter.at(since)
        return requests - before[0], errors - before[1]
