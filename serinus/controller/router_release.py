"""Releases router objects that no Rollout manages any more (see `engine/strategy/router_release.py`).

A change of a Rollout shows which objects it named before. A controller that starts after the change does not know
them, except for those with a mark (`marked_objects.py`).
"""

from __future__ import annotations

import logging

import msgspec

from serinus.api.rollout import Rollout
from serinus.controller.apply import Applier
from serinus.controller.cache import Cache
from serinus.controller.expectations import Writes
from serinus.controller.held_writes import HeldBack
from serinus.controller.messages import Subject
from serinus.controller.snapshot import router_objects
from serinus.engine.core.plan import Event, Plan
from serinus.engine.strategy.router_release import RouterRelease, may_drop, may_release, release
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue, work
from serinus.routing.router import Objects

log = logging.getLogger(__name__)

EDITS = 20
"""Edits of one Rollout that are remembered while the objects that they dropped cannot be released."""

ROUNDS = 10
"""Passes after which a release ends even if writes remain, because another writer undoes it."""


class RouterReleaser:
    """Releases objects per Rollout key, one pass at a time, until no write is left."""

    def __init__(self, client: Client, cache: Cache, queue: WorkQueue[Key], clock: Clock) -> None:
        self._cache, self._queue, self._clock = cache, queue, clock
        self._applier = Applier(client, clock, Writes(), _untold, _note, resource=cache.resource)
        self._before: dict[Key, list[Rollout]] = {}
        """Earlier versions of a Rollout, one for each edit, that named objects to release. The first one is next."""
        self._rounds: dict[Key, int] = {}
        self._works = False
        cache.rollouts.on_change(self._rollout_changed)

    async def run(self) -> None:
        """Runs until cancelled."""
        self._works = True
        try:
            await work(self._queue, self._look)
        finally:
            self._works = False
            self._before.clear()

    def _rollout_changed(self, old: Rollout | None, new: Rollout | None) -> None:
        if old is None or not self._works:
            return
        key = (old.metadata.namespace, old.metadata.name)
        if (new is None or new.spec is not old.spec) and may_drop(old, new):
            earlier = self._before.setdefault(key, [])
            if len(earlier) < EDITS and all(may_drop(one, old) or may_drop(old, one) for one in earlier):
                earlier.append(old)
        if key in self._before:
            self._queue.add(key)

    async def _look(self, key: Key) -> None:
        new = self._cache.rollouts.items.get(key)
        if key not in self._before or not may_release(new):
            return
        old = self._before[key][0]
        now = self._clock.now()
        due = release(old, new, self._objects(old, new), now) if may_drop(old, new) else RouterRelease()
        if not due.actions and due.again_after is not None:
            self._queue.add_at(key, now + due.again_after)
            return
        actions = due.actions
        rounds = self._rounds.get(key, 0) + 1
        if not actions or rounds > ROUNDS:
            self._rounds.pop(key, None)
            del self._before[key][0]
            if self._before[key]:
                self._queue.add(key)
            else:
                del self._before[key]
            return
        self._rounds[key] = rounds
        quiet = tuple(msgspec.structs.replace(action, events=()) for action in actions)
        try:
            await self._applier.apply(old, Plan(quiet))
        except HeldBack as back:
            log.warning("%s", back.held.message, extra={"fields": {"namespace": key[0]}})
            self._queue.add_at(key, back.held.until)
            return
        self._queue.add(key)

    def _objects(self, old: Rollout, new: Rollout | None) -> Objects:
        """The objects of the routers of both."""
        of_old = router_objects(self._cache, old)
        if new is None:
            return of_old
        of_new = router_objects(self._cache, new)
        return Objects(
            of_old.namespace,
            of_new.ingresses | of_old.ingresses,
            of_new.others | of_old.others,
            of_new.served | of_old.served,
        )


def _untold(about: Subject, event: Event) -> None:
    """Discards the Event: a deleted Rollout has none."""


def _note(about: Subject, what: str, because: str) -> None:
    fields = {"namespace": about.metadata.namespace, "because": because}
    log.info("give back: %s", what, extra={"fields": fields})
