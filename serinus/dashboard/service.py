"""The dashboard's core without HTTP: watched objects, open pages and changes.

It watches all namespaces. If that is forbidden, it watches the user's own namespace and reports so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from random import Random
from typing import Any

import msgspec

from serinus.api.resources import DEPLOYMENTS, EVENTS
from serinus.dashboard.event_feed import EventFeed
from serinus.dashboard.hub import Hub
from serinus.dashboard.identity.viewer import Viewer, without
from serinus.dashboard.store import World
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError
from serinus.kube.informer import Key
from serinus.view.rollout_info import Surroundings

Json = dict[str, Any]

LOOK_SECONDS = 0.5
"""Seconds between checks that the API server still answers."""


class Service:
    """`home`: the user's namespace. `rest_after`: seconds without a page or a call after which the watches stop until
    the next request; None for never. `for_team`: `client` is that of the dashboard's own account.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        rng: Random,
        *,
        home: str = "default",
        rest_after: float | None = None,
        for_team: bool = False,
    ) -> None:
        self.clock, self.home = clock, home
        self._rest_after = rest_after
        self._asked = clock.now()
        self._wanted = asyncio.Event()
        self.hub = Hub()
        self.owner = Viewer(client, clock, self.hub.changed)
        """The user of a dashboard on his own machine."""
        self._client, self._rng = client, rng
        self._confined = ""
        """Why only the user's own namespace is watched; empty if all are."""
        self.world = self._new_world("")
        self._for_team, self._feeds = for_team, dict[str, EventFeed]()

    def asked(self) -> None:
        """Notes a request and restarts stopped watches."""
        self._asked = self.clock.now()
        self._wanted.set()

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            if self._rest_after is not None:
                await self._wanted.wait()
            try:
                await self._watch()
            except _Forbidden as refused:
                self._confined = str(refused)
                self._forget(self.home)
            except _NobodyLooks:
                self._wanted.clear()
                self._forget(self.world.namespace)

    def _forget(self, namespace: str) -> None:
        """Discards all data. The new view covers this namespace, "" for all."""
        self.hub.clear()
        self.world = self._new_world(namespace)
        self.hub.state_changed()

    async def _watch(self) -> None:
        world = self.world
        tasks = [asyncio.ensure_future(part) for part in (world.run(), self.hub.run(world), self._look())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _look(self) -> None:
        before: Json = {}
        while True:
            rollouts = self.world.rollouts
            if rollouts.error_code == 403 and rollouts.error and not self.world.namespace and not rollouts.lists:
                raise _Forbidden(rollouts.error)
            if self._nobody():
                raise _NobodyLooks
            now = self.state()
            del now["now"]
            if now != before:
                before = now
                self.hub.state_changed()
            await asyncio.sleep(LOOK_SECONDS)

    def _nobody(self) -> bool:
        if self.hub.pages:
            self._asked = self.clock.now()
        return self._rest_after is not None and self.clock.now() - self._asked >= self._rest_after

    def state(self) -> Json:
        """The state of the view: `view` is loading, ok, stale, forbidden, missing or unreachable; `reason`: why."""
        rollouts = self.world.rollouts
        reason = rollouts.error
        if rollouts.synced.is_set():
            view = "stale" if reason else "ok"
        elif not reason:
            view = "loading"
        else:
            view = {403: "forbidden", 401: "forbidden", 404: "missing"}.get(rollouts.error_code, "unreachable")
        return {
            "view": view,
            "reason": reason,
            "since": rollouts.contact if view == "stale" else None,
            "namespace": self.world.namespace,
            "confined": self._confined,
            "parts": [
                {"what": resource.plural, "why": found.error}
                for resource, found in self.world.below.items()
                if found.error and view == "ok"
            ],
            "now": self.clock.now(),
        }

    async def seen(self, key: Key, viewer: Viewer) -> tuple[Json, Surroundings] | None:
        """The Rollout and the objects around it, as far as the viewer may see them."""
        rollout = self.world.json(key) if await viewer.sees(key[0]) else None
        if rollout is None:
            return None
        return rollout, without(self.world.around(key), await viewer.lacks(key[0]))

    async def detail(self, key: Key, viewer: Viewer) -> Json | None:
        """The Rollout's page; None if there is no such Rollout that the viewer may see."""
        # This imports the engine, which the list does not need: only when the first Rollout page opens.
        from serinus.dashboard.detail import detail

        found = await self.seen(key, viewer)
        if found is None:
            return None
        rollout, around = found
        refusals = await viewer.rights.refusals(key[0])
        around.workload = await self._workload(rollout, viewer)
        events = self._events(key).of(key) if EVENTS not in await viewer.lacks(key[0]) else ()
        why = await viewer.reasons.of(key, _mark(rollout, around))
        shown = [msgspec.to_builtins(e) for e in events]
        return detail(rollout, around, refusals, shown, why, viewer.reasons.templates(key))

    @contextmanager
    def looking_at(self, key: Key) -> Generator[None]:
        """Follows the Rollout's Events while a page shows it."""
        with self._events(key).looking_at(key):
            yield

    def _events(self, key: Key) -> EventFeed:
        """One for all namespaces for a team, whose dashboard may watch them all. A single user may have rights in some
        namespaces alone, and few pages."""
        scope = self.world.namespace or ("" if self._for_team else key[0])
        if scope not in self._feeds:
            self._feeds[scope] = EventFeed(self._client, self.clock, self._rng, self.hub.changed, scope)
        return self._feeds[scope]

    async def _workload(self, rollout: Json, viewer: Viewer) -> Json | None:
        reference: Json = rollout["spec"].get("workloadRef") or {}
        if reference.get("kind") != "Deployment":
            return None
        try:
            return await viewer.client.get(
                DEPLOYMENTS, str(reference.get("name")), str(rollout["metadata"].get("namespace") or "")
            )
        except ApiError:
            return None

    def _new_world(self, namespace: str) -> World:
        return World(self._client, self.clock, self._rng, self.hub.changed, namespace)


def _mark(rollout: Json, around: Surroundings) -> str:
    """Changes whenever the Rollout or an object that it owns is written."""
    below = (around.replica_sets, around.pods, around.experiments, around.analysis_runs)
    return " ".join(str(obj["metadata"].get("resourceVersion")) for part in ([rollout], *below) for obj in part)


class _Forbidden(Exception):
    """The user may not list Rollouts in all namespaces."""


class _NobodyLooks(Exception):
    """No page has been open for a while."""
