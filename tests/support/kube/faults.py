"""A Handler that misbehaves as real API servers and networks do, for tests and simulations; seeded, to be repeated.

    slow            the answer comes late
    refused         429 with Retry-After; nothing was done
    failed          500; nothing was done
    conflict        409 for a write with a resourceVersion; nothing was done
    lost            the connection breaks before the request arrives
    lost answer     the connection breaks after the request was carried out
    broken watch    a watch ends in the middle: later events must be fetched by resuming
    expired watch   410 instead of a watch: the history is gone
    late events     a watch is silent for a while, then continues
    repeated event  an event comes twice

A watch that loses an event and continues is not a fault of Kubernetes: versions arrive in order or not at all.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from random import Random

import msgspec

from serinus.kube.client import lines
from serinus.kube.errors import Unavailable
from serinus.kube.transport import Handler, Request, Response


@dataclass(frozen=True, slots=True)
class Rates:
    """How often each fault happens, 0 to 1: of requests, or of watch events. `delay`: the longest, in seconds."""

    slow: float = 0.0
    refused: float = 0.0
    failed: float = 0.0
    conflict: float = 0.0
    lost: float = 0.0
    lost_answer: float = 0.0
    broken_watch: float = 0.0
    expired_watch: float = 0.0
    late_events: float = 0.0
    repeated_event: float = 0.0
    delay: float = 3.0


BAD_DAY = Rates(
    slow=0.2,
    refused=0.03,
    failed=0.05,
    conflict=0.05,
    lost=0.05,
    lost_answer=0.08,
    broken_watch=0.05,
    expired_watch=0.1,
    late_events=0.1,
    repeated_event=0.1,
)
"""Worse than any real day."""


class Faults:
    """`rates` may be changed while it runs; `Rates()` removes all faults. `happened` counts faults by name."""

    def __init__(self, handler: Handler, rng: Random, rates: Rates = BAD_DAY) -> None:
        self._handler, self._rng, self.rates = handler, rng, rates
        self.happened: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Response:
        rates = self.rates
        watching = request.query.get("watch") == "true"
        if self._strikes("slow", rates.slow):
            await asyncio.sleep(self._rng.random() * rates.delay)
        if self._strikes("lost", rates.lost):
            raise Unavailable(0, "", "connection reset before the request arrived")
        if self._strikes("refused", rates.refused):
            return _status(429, "TooManyRequests", {"retry-after": "1"})
        if self._strikes("failed", rates.failed):
            return _status(500, "InternalError")
        if watching:
            if self._strikes("expired watch", rates.expired_watch):
                return _status(410, "Expired")
            answer = await self._handler(request)
            if answer.stream is not None:
                answer.stream = self._events(answer.stream)
            return answer
        if b'"resourceVersion"' in request.body and self._strikes("conflict", rates.conflict):
            return _status(409, "Conflict")
        answer = await self._handler(request)
        if request.method != "GET" and self._strikes("lost answer", rates.lost_answer):
            raise Unavailable(0, "", "connection reset before the answer arrived")
        return answer

    async def _events(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for line in lines(stream):
                rates = self.rates
                if self._strikes("late events", rates.late_events):
                    await asyncio.sleep(self._rng.random() * rates.delay)
                if self._strikes("broken watch", rates.broken_watch):
                    raise Unavailable(0, "", "connection reset in the middle of a watch")
                yield line + b"\n"
                if self._strikes("repeated event", rates.repeated_event):
                    yield line + b"\n"
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    def _strikes(self, name: str, rate: float) -> bool:
        if rate and self._rng.random() < rate:
            self.happened[name] += 1
            return True
        return False


def _status(code: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": reason,
    }
    return Response(code, msgspec.json.encode(body), headers=headers or {})
