"""Releases Services that no Rollout manages any more (see `engine/core/service_release.py`). One patch per pass."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from serinus.api.names import MANAGED_BY
from serinus.api.network import Service
from serinus.api.resources import ROLLOUTS, SERVICES
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.controller.held_writes import HeldWrites
from serinus.engine.core.held_writes import find_held
from serinus.engine.core.service_release import release
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, NotFound
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue, work

log = logging.getLogger(__name__)


class ServiceReleaser:
    """Watches both sides: Services that have a Rollout's name, and Rollouts that change or are deleted."""

    def __init__(self, client: Client, cache: Cache, queue: WorkQueue[Key], clock: Clock) -> None:
        self._client, self._cache, self._queue, self._clock = client, cache, queue, clock
        self._held = HeldWrites()
        self._led: dict[Key, set[Key]] = defaultdict(set)
        """Rollout -> the Services that have its name."""
        cache.services.on_change(self._service_changed)
        cache.rollouts.on_change(self._rollout_changed)

    async def run(self) -> None:
        """Runs until cancelled. It begins with the existing Services."""
        for key, service in self._cache.services.items.items():
            if MANAGED_BY in service.metadata.annotations:
                self._queue.add(key)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work(self._queue, self._look))

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        before, after = _owner(old), _owner(new)
        service = new or old
        assert service is not None
        key = (service.metadata.namespace, service.metadata.name)
        if before and before != after:
            self._led[before].discard(key)
        if after:
            self._led[after].add(key)
            self._queue.add(key)

    def _rollout_changed(self, old: Rollout | None, new: Rollout | None) -> None:
        if old is None:
            return
        if new is None or new.spec.strategy != old.spec.strategy or _observed_status(new) != _observed_status(old):
            for key in self._led.get((old.metadata.namespace, old.metadata.name), ()):
                self._queue.add(key)

    async def _look(self, key: Key) -> None:
        service = self._cache.services.items.get(key)
        if service is None:
            self._held.forget(key)
            return
        owner = service.metadata.annotations.get(MANAGED_BY, "")
        rollout = self._cache.rollouts.items.get((key[0], owner))
        if owner and rollout is None and await rollout_exists(self._client, key[0], owner):
            return  # another instance of the controller manages it
        action = release(service, rollout)
        if action is None:
            return
        now = self._clock.now()
        held = find_held(action, self._held.now(key, now), now)
        if held is None and self._held.too_soon(key, action, now):
            held = self._held.contested(key, action, f"another writer gives Service {key[1]} the Rollout's name again")
        if held is not None:
            self._queue.add_at(key, held.until)
            return
        metadata = {**action.body.get("metadata", {}), "uid": action.uid, "resourceVersion": action.resource_version}
        try:
            await self._client.patch(SERVICES, key[1], {**action.body, "metadata": metadata}, key[0])
        except ApiError as error:
            if not error.refused:
                raise
            held, known = self._held.refused(key, action, error, now)
            log.log(
                logging.DEBUG if known else logging.WARNING, "%s", held.message, extra={"fields": {"namespace": key[0]}}
            )
            self._queue.add_at(key, held.until)
            return
        self._held.wrote(key, action, now)
        log.info("patch Service %s", key[1], extra={"fields": {"namespace": key[0], "because": action.because}})


async def rollout_exists(client: Client, namespace: str, name: str) -> bool:
    """Whether the API has the Rollout. The cache has only the Rollouts of this instance, and may be stale."""
    try:
        await client.get(ROLLOUTS, name, namespace, type=Rollout)
    except NotFound:
        return False
    return True


def _observed_status(rollout: Rollout) -> object:
    """The fields of its status that decide whether the controller may act on its spec."""
    return rollout.status.observed_generation, rollout.status.conditions


def _owner(service: Service | None) -> Key | None:
    """The Rollout whose name is in the Service's annotation."""
    if service is None or MANAGED_BY not in service.metadata.annotations:
        return None
    return service.metadata.namespace, service.metadata.annotations[MANAGED_BY]
