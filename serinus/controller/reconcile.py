"""The loop of one Rollout: what is seen, what follows from it, what is done about it.

Level-triggered: nothing is remembered but what makes decisions safe (the own writes that the cache does not show yet)
and quiet (what was last logged). Where there is nothing to do, no call is made.
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
from serinus.controller.held import HeldBack
from serinus.controller.messages import Subject
from serinus.controller.set_aside import SetAside, status_of
from serinus.controller.writes import UNKNOWN, Expectation
from serinus.engine.core.plan import Event, HeldWrite, Plan, Wait
from serinus.engine.core.wait_reasons import CACHE_NOT_SYNCED, REFUSED, SET_ASIDE
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from serinus.kube.informer import Informer, Key, meta
from serinus.kube.queue import WorkQueue

log = logging.getLogger(__name__)

S = TypeVar("S", bound=msgspec.Struct)

LOOK_AFTER = 2.0
"""Seconds after which a write that the cache does not show is looked after."""

SEARCHES = 5
"""Looks, after which the cache is believed again: the object is beyond what is watched."""

BUSY = 1.0
"""Seconds at least until the next look where a plan asks to be called at once and did nothing."""


class Measures(Protocol):
    """What is counted of reconciles."""

    def reconciled(self, key: Key, seconds: float) -> None: ...

    def failed(self, key: Key) -> None: ...

    def forget(self, key: Key) -> None: ...


class Reconciler(Generic[S]):
    """Call it with a key; it raises what went wrong, for the queue to try again with back-off.

    `about`: the cache of what it reconciles, Rollouts or Experiments. `see`: what a decision about one may depend on, at a
    time; None where it is not there.
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
        """What the last attempt failed with: the same again is no news."""

    async def __call__(self, key: Key) -> None:
        began = self._clock.now()
        about = self._about.items.get(key)
        if about is None or about.metadata.deletion_timestamp:
            self._forget(key)  # its children follow by their owner references
            return
        missing = self._cache.missing(about)
        if missing:
            self._say_waits(about, (Wait(CACHE_NOT_SYNCED.code, missing),))
            return  # the list that is missing wakes everyone
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
        """What to do; None where nothing is to be done, or nothing can be said: then the object is set aside."""

        def decide() -> Plan | None:
            seen = self._see(self._cache, key, now)
            if seen is None:
                return None
            return self._plan(structs.replace(seen, held=held) if held else seen)

        cpu = time.process_time()
        try:
            plan, seconds = bounded(decide)
        except Exception as error:
            await self._set_aside(key, about, error, time.process_time() - cpu, now)
            return None
        self.aside.worked(key, about.metadata.generation, seconds, now)
        return plan

    async def _set_aside(self, key: Key, about: Subject, error: Exception, seconds: float, now: float) -> None:
        """The object waits by itself: its status, an Event, a metric and the log tell why, once for each reason."""
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
        """A write is not to be tried now: another plan follows at once, which does without it. Returns what is waited for."""
        held, key = back.held, (about.metadata.namespace, about.metadata.name)
        if self._measures and held.code == REFUSED.code and held not in known:
            self._measures.failed(key)
        log.log(
            logging.DEBUG if back.known else logging.WARNING, "%s", held.message, extra={"fields": self._named(key)}
        )
        if held not in known:
            self._queue.add_at(key, self._clock.now())
            return plan.waits
        # No plan does without this one, such as the status: it waits for its time, and an Event tells what the status cannot.
        if all(reason != held.code for reason, _ in self._waits.get(key, ())):
            self._applier.tell(about, Event("ReconciliationError", held.message, "Warning"))
        self._queue.add_at(key, held.until)
        return (*plan.waits, Wait(held.code, held.message))

    def failed(self, key: Key, error: Exception, delay: float) -> None:
        """Tells of an attempt that raised; the next one comes in `delay` seconds."""
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
            # Time alone does not mend these: somebody has to give a right or change an object.
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
        """Whether the cache is older than what was written for this Rollout."""
        unseen = self._applier.writes.unseen(key, self._cache.of_kind)
        for expectation in unseen:
            if not 0 <= now - expectation.since < LOOK_AFTER:  # less than none: the clock was set back
                await self._look_after(key, expectation, now)
        return bool(unseen) and bool(self._applier.writes.unseen(key, self._cache.of_kind))

    async def _look_after(self, key: Key, expectation: Expectation, now: float) -> None:
        """Asks the API for an object whose event does not come: it is gone meanwhile, or the event was lost."""
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
            # It is gone, and the cache will hear of it: what is decided until then names its uid.
            self._applier.writes.drop(key, expectation)
        elif expectation.searches >= SEARCHES:
            log.warning(
                "%s %s is written and never seen by a watch",
                expectation.kind,
                expectation.name,
                extra={"fields": self._named(key)},
            )
            self._applier.writes.drop(key, expectation)
        else:
            self._applier.writes.searched(key, expectation, now)
            if expectation.searches:
                informer.relist()

    def _named(self, key: Key) -> dict[str, str]:
        """Which object a log line is about."""
        return {"namespace": key[0], self._about.resource.kind.lower(): key[1]}

    def _say_waits(self, about: Subject, waits: tuple[Wait, ...]) -> None:
        """One line when the reasons to wait change; their numbers change all the time."""
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
    """The log line of one decision."""
    kind = "rollout" if isinstance(about, Rollout) else "experiment"
    fields = {"namespace": about.metadata.namespace, kind: about.metadata.name}
    if because:
        fields["because"] = because
    log.info("%s", what, extra={"fields": fields})
