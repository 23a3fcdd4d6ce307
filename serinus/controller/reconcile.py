"""The reconcile loop of one Rollout or Experiment: observe, plan, apply.

It is level-triggered. It remembers only the own writes that the cache does not show yet, for safe decisions, and the
last log lines, to avoid repeats. If there is nothing to do, it makes no call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import structs

from serinus.api.rollout import Rollout
from serinus.api.served_kind import located
from serinus.controller.apply import Applier
from serinus.controller.bounded import TooMuch, bounded
from serinus.controller.cache import Cache
from serinus.controller.expectations import UNKNOWN, Expectation
from serinus.controller.held_writes import HeldBack
from serinus.controller.messages import Subject
from serinus.controller.set_aside import SetAside, status_of
from serinus.engine.core.plan import Event, HeldWrite, Plan, Wait
from serinus.engine.core.wait_reasons import CACHE_NOT_SYNCED, REFUSED, SET_ASIDE
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from serinus.kube.informer import Informer, Key, meta
from serinus.kube.queue import WorkQueue

log = logging.getLogger(__name__)

S = TypeVar("S", bound=msgspec.Struct)

LOOK_AFTER = 2.0
"""Seconds after which a write that the cache does not show is checked at the API."""

SEARCHES = 5
"""Checks after which the cache is trusted, if it was listed since the first one: no watch covers the object."""

RARELY = 30.0
"""Seconds between two later checks, while the API server refuses the list."""

BUSY = 1.0
"""Minimum seconds until the next pass if a plan requests an immediate requeue and wrote nothing."""


class Measures(Protocol):
    """The metrics of reconciles."""

    def reconciled(self, key: Key, seconds: float) -> None: ...

    def failed(self, key: Key) -> None: ...

    def forget(self, key: Key) -> None: ...


class Reconciler(Generic[S]):
    """The handler of the queue: call it with a key. An error raises, and the queue retries the key with back-off.

    `about`: the informer of the reconciled kind, Rollouts or Experiments. `see`: the snapshot of one object at a time;
    None if the object is missing.
    """

    def __init__(
        self,
        cache: Cache,
        about: Informer[Any],
        applier: Applier,
        queue: WorkQueue[Key],
        clock: Clock,
        *,
        see: Callable[[Cache, Key, float], S | None],
        plan: Callable[[S], Plan],
        measures: Measures | None = None,
        tell_waits: Callable[[Key, tuple[tuple[str, str], ...]], None] = lambda _, __: None,
    ) -> None:
        self._cache, self._about, self._applier, self._queue, self._clock = cache, about, applier, queue, clock
        self._see, self._plan, self._measures, self._tell_waits = see, plan, measures, tell_waits
        self.aside = SetAside()
        self._waits: dict[Key, tuple[tuple[str, str], ...]] = {}
        self._failing: dict[Key, str] = {}
        """Error of the last attempt. The same error again is not reported again."""

    async def __call__(self, key: Key) -> None:
        began = self._clock.now()
        about = self._about.items.get(key)
        if about is None or about.metadata.deletion_timestamp:
            self._forget(key)  # the garbage collector deletes its children
            return
        missing = self._cache.missing(about)
        if missing:
            self._say_waits(about, (Wait(CACHE_NOT_SYNCED.code, missing),))
            return  # the missing list wakes every object
        if await self._is_behind(key, began):
            self._queue.add_at(key, began + LOOK_AFTER)
            return
        if (until := self.aside.until(key, about.metadata.generation, began)) is not None:
            self._queue.add_at(key, until)
            return
        held = self._applier.held.now(key, began)
        plan = await self._decide(key, about, held, began)
        if plan is None:
            return
        waits = plan.waits
        try:
            writes = await self._applier.apply(about, plan)
        except HeldBack as back:
            waits = self._hold_back(about, back, plan, held)
            return
        finally:
            self._say_waits(about, waits)
        left_alone = self._applier.held.requeue(key, began)
        if left_alone is not None:
            self._queue.add_at(key, left_alone)
        if plan.requeue_at is not None:
            soonest = began if writes else began + BUSY
            self._queue.add_at(key, plan.requeue_at if plan.requeue_at > began else soonest)
        if self._measures:
            self._measures.reconciled(key, self._clock.now() - began)
        self._failing.pop(key, None)

    async def _decide(self, key: Key, about: Subject, held: tuple[HeldWrite, ...], now: float) -> Plan | None:
        """The plan; None if the object is gone, or if planning failed and the object is set aside."""

        def decide() -> Plan | None:
            snapshot = self._see(self._cache, key, now)
            if snapshot is None:
                return None
            return self._plan(structs.replace(snapshot, held=held) if held else snapshot)

        cpu = time.process_time()
        try:
            plan, seconds = bounded(decide)
        except Exception as error:
            await self._set_aside(key, about, error, time.process_time() - cpu, now)
            return None
        self.aside.worked(key, about.metadata.generation, seconds, now)
        return plan

    async def _set_aside(self, key: Key, about: Subject, error: Exception, seconds: float, now: float) -> None:
        """Sets only this object aside. Its status, an Event, a metric and the log report each reason once."""
        entry = self.aside.failed(key, about.metadata.generation, error, seconds, now)
        fields = {**self._named(key), "again_in": f"{entry.until - now:.1f}s"}
        news = self._failing.get(key) != entry.words
        unexpected = error if news and not isinstance(error, TooMuch) else None
        log.log(
            logging.ERROR if news else logging.DEBUG,
            "set aside: %s",
            entry.words,
            exc_info=unexpected,
            extra={"fields": fields},
        )
        self._failing[key] = entry.words
        self._queue.add_at(key, entry.until)
        self._say_waits(about, (Wait(SET_ASIDE.code, entry.words),))
        if self._measures:
            self._measures.failed(key)
        if news:
            self._applier.tell(about, Event("SetAside", entry.words, "Warning"))
        if (status := status_of(about, entry.words, now)) is not None:
            try:
                await self._applier.tell_status(about, status)
            except (ApiError, HeldBack) as refused:
                log.warning("a write failed: %s", refused, extra={"fields": fields})

    def _hold_back(self, about: Subject, back: HeldBack, plan: Plan, known: tuple[HeldWrite, ...]) -> tuple[Wait, ...]:
        """Handles a held write: requeues at once for a plan that omits it. Returns the waits."""
        held, key = back.held, (about.metadata.namespace, about.metadata.name)
        if self._measures and held.code == REFUSED.code and held not in known:
            self._measures.failed(key)
        log.log(
            logging.DEBUG if back.known else logging.WARNING, "%s", held.message, extra={"fields": self._named(key)}
        )
        if held not in known:
            self._queue.add_at(key, self._clock.now())
            return plan.waits
        # No plan can omit this write, such as the status. It waits until its time. An Event reports what the status
        # cannot.
        if all(reason != held.code for reason, _ in self._waits.get(key, ())):
            self._applier.tell(about, Event("ReconciliationError", held.message, "Warning"))
        self._queue.add_at(key, held.until)
        return (*plan.waits, Wait(held.code, held.message))

    def failed(self, key: Key, error: Exception, delay: float) -> None:
        """Logs an attempt that raised. The next attempt follows in `delay` seconds."""
        fields = {**self._named(key), "again_in": f"{delay:.1f}s"}
        if isinstance(error, Conflict):
            log.debug("something changed since it was seen: deciding again", extra={"fields": fields})
            return
        if self._measures:
            self._measures.failed(key)
        if not isinstance(error, ApiError):
            log.error("the reconcile failed", exc_info=error, extra={"fields": fields})
            return
        level = logging.DEBUG if self._failing.get(key) == error.message else logging.WARNING
        self._failing[key] = error.message
        log.log(level, "a write failed: %s", error.message, extra={"fields": fields})
        about = self._about.items.get(key)
        if about is not None and isinstance(error, Forbidden | Invalid):
            # Retries do not fix these errors: a user must grant a right or change an object.
            self._applier.tell(about, Event("ReconcileFailed", error.message, "Warning"))

    def _forget(self, key: Key) -> None:
        self._applier.writes.forget(key)
        self._applier.held.forget(key)
        self.aside.forget(key)
        self._waits.pop(key, None)
        self._failing.pop(key, None)
        self._queue.forget(key)
        if self._measures:
            self._measures.forget(key)

    async def _is_behind(self, key: Key, now: float) -> bool:
        """Whether the cache is older than the last writes for this Rollout."""
        unseen = self._applier.writes.unseen(key, self._cache.of_kind)
        for expectation in unseen:
            period = LOOK_AFTER if expectation.searches < SEARCHES else RARELY
            if not 0 <= now - expectation.since < period:  # negative: the clock was set back
                await self._look_after(key, expectation, now)
        return bool(unseen) and bool(self._applier.writes.unseen(key, self._cache.of_kind))

    async def _look_after(self, key: Key, expectation: Expectation, now: float) -> None:
        """Reads from the API an object whose event is overdue: the object is gone, or the event was lost."""
        informer = self._cache.of_kind(expectation.kind)
        if informer is None:
            return
        try:
            space, name = located(expectation.name, key[0])
            live = meta(await self._applier.client.get(informer.resource, name, space))
            version = live.resource_version
        except NotFound:
            version = ""
        cached = informer.items.get(located(expectation.name, key[0]))
        if version == (meta(cached).resource_version if cached is not None else ""):
            self._applier.writes.drop(key, expectation)
        elif expectation.version == UNKNOWN and version:
            self._applier.writes.known(key, expectation, version, now)
        elif expectation.version == UNKNOWN:
            # The object is gone, and the cache will receive the deletion. Decisions until then use its uid as
            # precondition.
            self._applier.writes.drop(key, expectation)
        elif expectation.searches >= SEARCHES and informer.lists > expectation.lists:
            log.warning(
                "%s %s is written and never seen by a watch",
                expectation.kind,
                expectation.name,
                extra={"fields": self._named(key)},
            )
            self._applier.writes.drop(key, expectation)
        else:
            self._applier.writes.searched(key, expectation, now, informer.lists)
            if expectation.searches:
                informer.relist()

    def _named(self, key: Key) -> dict[str, str]:
        """The log fields that identify the object."""
        return {"namespace": key[0], self._about.resource.kind.lower(): key[1]}

    def _say_waits(self, about: Subject, waits: tuple[Wait, ...]) -> None:
        """Logs a change of the wait reasons once. Numbers in their messages change constantly and do not count."""
        key = (about.metadata.namespace, about.metadata.name)
        reasons = tuple((wait.reason, wait.cause) for wait in waits)
        if self._waits.get(key, ()) == reasons:
            return
        self._waits[key] = reasons
        self._tell_waits(key, reasons)
        for wait in waits:
            fields = {**self._named(key), "reason": wait.reason}
            log.info("waiting: %s", wait.message, extra={"fields": fields})


def note(about: Subject, what: str, because: str) -> None:
    """Logs one decision."""
    kind = "rollout" if isinstance(about, Rollout) else "experiment"
    fields = {"namespace": about.metadata.namespace, kind: about.metadata.name}
    if because:
        fields["because"] = because
    log.info("%s", what, extra={"fields": fields})
