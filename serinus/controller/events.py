"""Kubernetes Events about Rollouts, Experiments and AnalysisRuns. A separate task writes them without delaying passes.

Two kinds (`serinus/api/messages/event_reasons.py`):

- Kept Events (aborts, verdicts, promotions, warnings) have no budget and a queue that routine Events cannot fill. While
  the API is unavailable they wait, at most `KEPT_QUEUE` different ones. A refused Event (the namespace is being
  deleted) is logged.
- Routine Events share a budget per object, as in client-go. When their queue is full, the oldest is dropped.

Equal Events are one object with a count. Before the first Event about an object is written, the recorder lists the
Events of an earlier process about it and continues their counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import msgspec

from serinus.api.messages.cutting import shortened
from serinus.api.messages.event_reasons import OWN_BUDGET, never_dropped
from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import EVENTS
from serinus.api.rollout import Rollout
from serinus.api.values.times import parse_time
from serinus.engine.core.plan import Event
from serinus.kube.client import Client
from serinus.kube.clock import Clock, rfc3339
from serinus.kube.errors import AlreadyExists, ApiError, Forbidden, NotFound, Unavailable

log = logging.getLogger(__name__)

COMPONENT = "rollouts-controller"
BURST = 25
"""Routine Events of one object in a burst."""

REFILL_SECONDS = 300.0
"""Seconds per further routine Event of an object. Both values are those of client-go."""

REPEAT_SECONDS = 10.0
"""Minimum seconds between two writes of the same kept Event. Repeats in between are counted."""

REMEMBERED = 4096
"""Events with a known count. The least recently used is forgotten."""

ROUTINE_QUEUE = 1000
"""Routine Events that wait to be written."""

KEPT_QUEUE = 10_000
"""Different kept Events that wait to be written: some 10 MB."""

ATTEMPTS = 5
"""Attempts for a routine Event. A kept Event goes to the end of its queue after as many."""

LONGEST_PAUSE = 30.0
LONGEST_MESSAGE = 1024
LONGEST_NAME = 200

Same = tuple[str, str, str, str]
"""(uid of the object, type, reason, message). Events with equal values are one Event."""


class About(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


@dataclass(slots=True)
class _Written:
    """The Event as the API has it."""

    name: str
    count: int
    at: float


@dataclass(slots=True)
class _Waiting:
    same: Same
    involved: Json
    event: Event
    created: str
    """Creation time of the object."""
    kept: bool
    first: float
    last: float
    number: int
    """Order in which it was recorded: nanoseconds, unique."""
    count: int = 1
    attempts: int = 0
    only_if_absent: bool = False
    """Write it only if no earlier process has written it."""

    @property
    def name(self) -> str:
        """A name that sorts by time, as in client-go. It is the same in each attempt, and unique across programs."""
        stem = str(self.involved["name"])[:LONGEST_NAME].rstrip("-.")
        digest = hashlib.blake2b("\0".join(self.same).encode(), digest_size=4).hexdigest()
        return f"{stem}.{self.number:016x}{digest}"


class _Source(msgspec.Struct):
    component: str = ""


class _Listed(msgspec.Struct, rename="camel"):
    """The fields of an Event in the API that are compared."""

    metadata: ObjectMeta
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    last_timestamp: str | None = None
    source: _Source = msgspec.field(default_factory=_Source)


class Recorder:
    """`tell` returns at once; `run` writes."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._kept: OrderedDict[Same, _Waiting] = OrderedDict()
        self._routine: OrderedDict[Same, _Waiting] = OrderedDict()
        self._repeats: OrderedDict[Same, _Waiting] = OrderedDict()
        """Repeats of kept Events that were written less than REPEAT_SECONDS ago, in the order in which they are due."""
        self._current: _Waiting | None = None
        self._written: OrderedDict[Same, _Written] = OrderedDict()
        self._looked_at: OrderedDict[str, None] = OrderedDict()
        """UIDs of the objects whose earlier Events were listed."""
        self._may_list = True
        self._begun = clock.now()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._news = asyncio.Event()
        self._number, self._failures = 0, 0
        self.dropped = 0
        """Routine Events that were not written: too many of one object, or the API was unavailable for too long."""
        self.lost = 0
        """Kept Events that were not written: the API refused them, or more than KEPT_QUEUE waited."""

    def tell(self, about: About, event: Event, *, kind: str = "Rollout") -> None:
        """`kind`: of the object that the Event is about."""
        waiting = self._new(about, event, kind)
        same, now = waiting.same, waiting.last
        for line in (self._kept, self._routine, self._repeats):
            if (earlier := line.get(same)) is not None:
                earlier.count, earlier.last = earlier.count + 1, now
                return
        budget = f"{about.metadata.uid}/{event.reason}" if event.reason in OWN_BUDGET else about.metadata.uid
        if not waiting.kept and not self._may(budget):
            self.dropped += 1
            if (written := self._written.get(same)) is not None:
                written.count += 1  # its next write has the right number
            return
        written = self._written.get(same)
        if waiting.kept and written is not None and 0 <= now - written.at < REPEAT_SECONDS:
            self._repeats[same] = waiting
            self._news.set()
        else:
            self._add(waiting)

    def tell_if_absent(self, about: About, event: Event, at: float, *, kind: str = "Rollout") -> None:
        """Records a kept Event of an earlier time, unless the API has it. The previous process may have lost it.

        `at`: the time of the Event, in seconds since the epoch.
        """
        waiting = self._new(about, event, kind)
        waiting.first = waiting.last = at
        waiting.only_if_absent = True
        self._add(waiting)

    async def run(self) -> None:
        """Writes the recorded Events in order, until cancelled. It first forgets counts that may be outdated."""
        self._begun = self._clock.now()
        self._written.clear()
        self._looked_at.clear()
        while True:
            waiting = self._next()
            if waiting is None:
                await self._wait()
            else:
                await self._attempt(waiting)

    async def flush(self) -> None:
        """Writes the waiting Events. Call it at the end, after `run`."""
        while (waiting := self._next(at_the_end=True)) is not None:
            await self._attempt(waiting)

    def waiting(self) -> int:
        """Number of different Events that wait to be written."""
        return len(self._kept) + len(self._routine) + len(self._repeats) + (self._current is not None)

    def _new(self, about: About, event: Event, kind: str) -> _Waiting:
        metadata, now = about.metadata, self._clock.now()
        involved = {
            "apiVersion": "v1" if kind == "ConfigMap" else "argoproj.io/v1alpha1",
            "kind": kind,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        }
        if len(event.message) > LONGEST_MESSAGE:
            event = msgspec.structs.replace(event, message=shortened(event.message, LONGEST_MESSAGE))
        same = (metadata.uid, event.type, event.reason, event.message)
        self._number = max(self._number + 1, int(now * 1e9))
        is_kept = never_dropped(event.reason, event.type)
        return _Waiting(same, involved, event, metadata.creation_timestamp, is_kept, now, now, self._number)

    def _add(self, waiting: _Waiting) -> None:
        line, most = (self._kept, KEPT_QUEUE) if waiting.kept else (self._routine, ROUTINE_QUEUE)
        if len(line) >= most:
            _, oldest = line.popitem(last=False)
            self._give_up(oldest, "too many wait to be written")
        line[waiting.same] = waiting
        self._news.set()

    def _may(self, uid: str) -> bool:
        now = self._clock.now()
        tokens, at = self._buckets.pop(uid, (float(BURST), now))
        tokens = min(float(BURST), tokens + max(0.0, now - at) / REFILL_SECONDS)  # the clock may be set back
        allowed = tokens >= 1
        self._buckets[uid] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return allowed

    def _next(self, *, at_the_end: bool = False) -> _Waiting | None:
        """The Event to write now. It stays `_current` until written or given up, so a cancelled write is not lost."""
        if self._current is not None:
            return self._current
        repeat = next(iter(self._repeats.values()), None)
        if repeat is not None and (at_the_end or self._due(repeat) <= self._clock.now()):
            self._current = self._repeats.pop(repeat.same)
            return self._current
        heads = [next(iter(line.values())) for line in (self._kept, self._routine) if line]
        if heads:
            first = min(heads, key=lambda waiting: waiting.number)
            self._current = (self._kept if first.kept else self._routine).pop(first.same)
        return self._current

    def _due(self, repeat: _Waiting) -> float:
        written = self._written.get(repeat.same)
        now = self._clock.now()
        return min(written.at, now) + REPEAT_SECONDS if written else now

    async def _wait(self) -> None:
        repeat = next(iter(self._repeats.values()), None)
        self._news.clear()
        seconds = None if repeat is None else max(0.0, self._due(repeat) - self._clock.now()) + 0.001
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _attempt(self, waiting: _Waiting) -> None:
        pause = 0.0
        try:
            await self._write(waiting)
        except Unavailable as error:
            waiting.attempts += 1
            self._failures += 1
            pause = min(LONGEST_PAUSE, max(0.5 * 2 ** min(self._failures - 1, 10), error.retry_after or 0.0))
            if waiting.attempts % ATTEMPTS == 0:
                self._current = None
                self._later(waiting, error.message)
        except ApiError as error:
            self._current = None
            self._give_up(waiting, error.message)
        except Exception as error:
            log.exception("the Event %s of %s was not written", waiting.event.reason, waiting.involved["name"])
            self._current = None
            self._give_up(waiting, repr(error))
        else:
            self._current, self._failures = None, 0
        if pause:
            await asyncio.sleep(pause)

    def _later(self, waiting: _Waiting, why: str) -> None:
        """Handles an Event after ATTEMPTS tries: drops a routine Event, or requeues a kept one behind the others."""
        if not waiting.kept:
            self._give_up(waiting, why)
        elif (equal := self._kept.get(waiting.same)) is not None:
            equal.count, equal.first = equal.count + waiting.count, waiting.first
        else:
            self._add(waiting)

    def _give_up(self, waiting: _Waiting, why: str) -> None:
        if waiting.kept:
            self.lost += 1
        else:
            self.dropped += 1
        level = logging.WARNING if waiting.kept else logging.DEBUG
        involved, event = waiting.involved, waiting.event
        fields = {"namespace": involved["namespace"], "name": involved["name"], "reason": event.reason}
        log.log(level, "an Event was not written (%s): %s", why, event.message, extra={"fields": fields})

    async def _write(self, waiting: _Waiting) -> None:
        space, same = str(waiting.involved["namespace"]), waiting.same
        if same not in self._written:
            await self._look_for_earlier(waiting)
        written = self._written.get(same)
        if waiting.only_if_absent and (written is not None or not self._may_list):
            return
        if written is not None:
            try:
                patch = {"count": written.count + waiting.count, **_last(waiting)}
                await self._client.patch(EVENTS, written.name, patch, space, type=msgspec.Raw)
            except NotFound:
                del self._written[same]  # the API deletes Events after an hour
            else:
                self._remember(same, _Written(written.name, written.count + waiting.count, self._clock.now()))
                return
        with suppress(AlreadyExists):  # an earlier attempt succeeded and its answer was lost
            await self._client.create(EVENTS, _body(waiting), space, type=msgspec.Raw)
        self._remember(same, _Written(waiting.name, waiting.count, self._clock.now()))

    async def _look_for_earlier(self, waiting: _Waiting) -> None:
        """Lists once the Events that an earlier process wrote about the object. An object created since has none."""
        uid, created = waiting.same[0], parse_time(waiting.created)
        if not self._may_list or uid in self._looked_at or created is None or created >= self._begun:
            return
        space, selector = str(waiting.involved["namespace"]), f"involvedObject.uid={uid}"
        try:
            listed = await self._client.list(EVENTS, space, fields=selector, type=_Listed)
        except Forbidden:
            self._may_list = False
            log.info("Events may not be listed: those of an earlier process are not counted on")
            return
        for event in listed.items:
            if event.source.component == COMPONENT:
                same = (uid, event.type, event.reason, event.message)
                at = parse_time(event.last_timestamp or "") or 0.0
                self._remember(same, _Written(event.metadata.name, event.count or 1, at))
        self._looked_at[uid] = None
        if len(self._looked_at) > REMEMBERED:
            self._looked_at.popitem(last=False)

    def _remember(self, same: Same, written: _Written) -> None:
        self._written[same] = written
        self._written.move_to_end(same)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)


def aborted_since(rollout: Rollout, earliest: float) -> tuple[Event, float] | None:
    """The Event of the abort that the status reports, and its time; None without one since `earliest`.

    The status is written before the Event. If a process is killed between the two, the next process writes the Event.
    """
    for condition in rollout.status.conditions:
        at = parse_time(condition.last_update_time)
        if (
            condition.type == "Progressing"
            and condition.reason == "RolloutAborted"
            and at is not None
            and at >= earliest
        ):
            return Event(condition.reason, condition.message, "Warning"), at
    return None


def _last(waiting: _Waiting) -> Json:
    return {"lastTimestamp": rfc3339(waiting.last)}


def _body(waiting: _Waiting) -> Json:
    event = waiting.event
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": waiting.name, "namespace": waiting.involved["namespace"]},
        "involvedObject": waiting.involved,
        "reason": event.reason,
        "message": event.message,
        "type": event.type,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
        "firstTimestamp": rfc3339(waiting.first),
        **_last(waiting),
        "count": waiting.count,
    }
