"""Kubernetes Events about Rollouts: written beside the work and never in its way.

The same sentence about the same object is one Event with a count. Each object has a bucket of events that fills slowly,
so that one which flaps cannot flood the API. When the API is away, events wait in a bounded line; the oldest fall out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import msgspec

from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import EVENTS
from serinus.engine.plan import Event
from serinus.kube.client import Client
from serinus.kube.clock import Clock, rfc3339
from serinus.kube.errors import AlreadyExists, ApiError, NotFound, Unavailable

log = logging.getLogger(__name__)

COMPONENT = "rollouts-controller"
BURST = 25
"""Events of one object at once."""

REFILL_SECONDS = 300.0
"""After which an object may have one event more. Both as in client-go."""

REMEMBERED = 4096
"""Sentences whose Event is known and counted on; the one not used for longest is forgotten."""

LINE = 1000
"""Events that wait to be written."""

ATTEMPTS = 5
LONGEST_MESSAGE = 1024


class About(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


@dataclass(slots=True)
class _Told:
    name: str
    count: int
    first: str


@dataclass(slots=True)
class _Waiting:
    namespace: str
    involved: Json
    event: Event
    when: float


class Recorder:
    """`tell` returns at once; `run` writes."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._line: asyncio.Queue[_Waiting] = asyncio.Queue(LINE)
        self._told: OrderedDict[tuple[str, str, str, str], _Told] = OrderedDict()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._numbers = 0
        self.dropped = 0
        """Events that were not written: too many, or the API was away for too long."""

    def tell(self, about: About, event: Event, *, kind: str = "Rollout") -> None:
        """`kind`: of what the Event is about."""
        metadata = about.metadata
        if not self._may(metadata.uid):
            self.dropped += 1
            return
        if self._line.full():
            self._line.get_nowait()
            self.dropped += 1
        involved = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": kind,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        }
        self._line.put_nowait(_Waiting(metadata.namespace, involved, event, self._clock.now()))

    async def run(self) -> None:
        """Writes what was told, in order, until cancelled."""
        while True:
            waiting = await self._line.get()
            try:
                await self._deliver(waiting)
            except Exception:
                log.exception("the event %s of %s was not written", waiting.event.reason, waiting.involved["name"])
                self.dropped += 1

    async def flush(self) -> None:
        """Writes what still waits; for the end, after `run`."""
        while not self._line.empty():
            await self._deliver(self._line.get_nowait())

    def _may(self, uid: str) -> bool:
        now = self._clock.now()
        tokens, at = self._buckets.pop(uid, (float(BURST), now))
        tokens = min(float(BURST), tokens + max(0.0, now - at) / REFILL_SECONDS)  # the clock may be set back
        allowed = tokens >= 1
        self._buckets[uid] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return allowed

    async def _deliver(self, waiting: _Waiting) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._write(waiting)
            except AlreadyExists:
                continue  # the name was taken, the next one is free
            except Unavailable as error:
                await asyncio.sleep(max(0.5 * 2**attempt, error.retry_after or 0.0))
            except ApiError as error:
                # Nobody waits for an event; a namespace that is being deleted takes none.
                log.debug(
                    "the event %s of %s was refused: %s", waiting.event.reason, waiting.involved["name"], error.message
                )
                self.dropped += 1
                return
            else:
                return
        self.dropped += 1

    async def _write(self, waiting: _Waiting) -> None:
        event, now = waiting.event, rfc3339(waiting.when)
        same = (waiting.involved["uid"], event.type, event.reason, event.message)
        told = self._told.get(same)
        if told is not None:
            self._told.move_to_end(same)
            try:
                patch = {"count": told.count + 1, "lastTimestamp": now}
                await self._client.patch(EVENTS, told.name, patch, waiting.namespace, type=msgspec.Raw)
            except NotFound:
                del self._told[same]  # events are deleted after an hour
            else:
                told.count += 1
                return
        self._numbers += 1
        name = f"{waiting.involved['name']}.{int(waiting.when * 1e6) * 1000 + self._numbers % 1000:x}"
        await self._client.create(EVENTS, _body(waiting, name, now), waiting.namespace, type=msgspec.Raw)
        self._told[same] = _Told(name, 1, now)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)


def _body(waiting: _Waiting, name: str, now: str) -> Json:
    event = waiting.event
    message = event.message if len(event.message) <= LONGEST_MESSAGE else event.message[: LONGEST_MESSAGE - 1] + "…"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": waiting.namespace},
        "involvedObject": waiting.involved,
        "reason": event.reason,
        "message": message,
        "type": event.type,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
