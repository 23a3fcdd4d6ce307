"""The work of the scale bench: N Rollouts with one router, written and watched by an ordinary client."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from scale_routes import Meta, Route, Routing

from serinus.api.resources import NAMESPACES, ROLLOUTS, SERVICES
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.errors import AlreadyExists
from serinus.kube.informer import Informer

Json = dict[str, Any]
SPACES = 20
"""Namespaces that the Rollouts are spread over."""
AT_ONCE = 16
PATIENCE = 900.0
"""Seconds for all to reach a phase."""


class _RolloutStatus(msgspec.Struct, rename="camel"):
    phase: str = ""
    observed_generation: str = ""
    stable_rs: str = msgspec.field(default="", name="stableRS")
    current_pod_hash: str = ""


class _Rollout(msgspec.Struct):
    metadata: Meta
    status: _RolloutStatus = msgspec.field(default_factory=_RolloutStatus)


class Load:
    """`prefix` separates the Rollouts of one run from others."""

    def __init__(self, client: Client, count: int, prefix: str, routing: Routing) -> None:
        self._client, self._prefix, self._routing = client, prefix, routing
        self.keys = [(f"{prefix}-{i % SPACES}", f"web-{i}") for i in range(count)]
        self._of_route = {(space, routing.watched_name(name)): (space, name) for space, name in self.keys}
        clock = SystemClock()
        self._rollouts: Informer[_Rollout] = Informer(client, ROLLOUTS, _Rollout, clock=clock)
        self._routes: Informer[Route] = Informer(client, routing.watched, Route, clock=clock)
        self._rollouts.on_change(self._seen)
        self._routes.on_change(self._weighed)
        self._phases: dict[tuple[str, str], str] = {}
        self._wanted = ""
        self._missing: set[tuple[str, str]] = set()
        self._reached = asyncio.Event()
        self.asked: dict[tuple[str, str], float] = {}
        """The time of each Rollout's last change request."""
        self.weights: dict[tuple[str, str], float] = {}
        """Seconds from there to its weight of 20 in the object of its router."""
        self._weight_seen = asyncio.Event()
        self.patience = PATIENCE

    @property
    def phases(self) -> dict[str, int]:
        """How many Rollouts there are in each phase; "" for those that the controller has not come to yet."""
        return dict(Counter(self._phases.values()))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._rollouts.run())
            tasks.create_task(self._routes.run())

    def _seen(self, old: _Rollout | None, new: _Rollout | None) -> None:
        if new is None or not new.metadata.namespace.startswith(self._prefix):
            return
        key = (new.metadata.namespace, new.metadata.name)
        # Ignore a phase of an older generation.
        current = new.status.observed_generation == str(new.metadata.generation)
        self._phases[key] = new.status.phase if current else ""
        if self._phases[key] == self._wanted:
            self._missing.discard(key)
            if not self._missing:
                self._reached.set()

    def _weighed(self, old: Route | None, new: Route | None) -> None:
        key = self._of_route.get((new.metadata.namespace, new.metadata.name)) if new else None
        if new is None or key is None:
            return
        before = self._routing.weight(old) if old else None
        if key in self.asked and self._routing.weight(new) == 20 != before:
            self.weights.setdefault(key, time.monotonic() - self.asked[key])
            self._weight_seen.set()

    async def create(self, keys: Iterable[tuple[str, str]] | None = None) -> None:
        """All, or these alone."""
        for i in range(SPACES):
            try:
                await self._client.create(NAMESPACES, {"metadata": {"name": f"{self._prefix}-{i}"}})
            except AlreadyExists:
                continue
        await self._each(self.keys if keys is None else list(keys), self._create)

    async def _create(self, key: tuple[str, str]) -> None:
        space, name = key
        for service in (name, f"{name}-canary"):
            await self._client.create(SERVICES, _service(service, name), space)
        for resource, route in self._routing.objects(name):
            await self._client.create(resource, route, space)
        await self._client.create(ROLLOUTS, _rollout(name, self._routing.canary(name)), space)

    async def update(self, image: str, keys: Iterable[tuple[str, str]] | None = None) -> None:
        self.weights.clear()
        await self._each(self.keys if keys is None else list(keys), lambda key: self.update_one(key, image))

    async def update_one(self, key: tuple[str, str], image: str) -> None:
        self.asked[key] = time.monotonic()
        self.weights.pop(key, None)
        body = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}
        await self._client.patch(ROLLOUTS, key[1], body, key[0])

    async def weight_of(self, key: tuple[str, str], seconds: float = 60) -> float:
        """Seconds from `update_one` until its weight was written."""
        async with asyncio.timeout(seconds):
            while key not in self.weights:
                self._weight_seen.clear()
                await self._weight_seen.wait()
        return self.weights[key]

    async def promote(self, keys: Iterable[tuple[str, str]] | None = None) -> None:
        """Write the patch of `kubectl argo rollouts promote`."""

        async def one(key: tuple[str, str]) -> None:
            await self._client.patch(
                ROLLOUTS, key[1], {"status": {"pauseConditions": None}}, key[0], subresource="status"
            )

        await self._each(self.keys if keys is None else list(keys), one)

    async def until(self, phase: str, keys: Iterable[tuple[str, str]] | None = None) -> None:
        """Returns when every Rollout, or each of these, has this phase; ends the program after `patience`."""
        self._wanted = phase
        self._missing = {key for key in (self.keys if keys is None else keys) if self._phases.get(key) != phase}
        self._reached.clear()
        if not self._missing:
            return
        try:
            async with asyncio.timeout(self.patience):
                await self._reached.wait()
        except TimeoutError:
            key = next(iter(self._missing))
            said = self._phases.get(key)
            raise SystemExit(
                f"{len(self._missing)} Rollouts are not {phase} after {self.patience:g} s: {key} is {said!r}"
            ) from None

    async def _each(self, keys: list[tuple[str, str]], do: Callable[[tuple[str, str]], Awaitable[None]]) -> None:
        waiting = iter(keys)

        async def work() -> None:
            for key in waiting:
                await do(key)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(work())


def _service(name: str, app: str) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {"metadata": {"name": name, "labels": {"app": app}}, "spec": {"selector": {"app": app}, "ports": ports}}


def _rollout(name: str, canary: Json) -> Json:
    container = {
        "name": "web",
        "image": "argoproj/rollouts-demo:blue",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"memory": "32Mi", "cpu": "5m"}},
    }
    return {
        "apiVersion": ROLLOUTS.api_version,
        "kind": ROLLOUTS.kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            "strategy": {"canary": {**canary, "steps": [{"setWeight": 20}, {"pause": {}}]}},
        },
    }
