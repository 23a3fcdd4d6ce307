"""One cache per resource, shared by all workload controllers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

import msgspec

from serinus.api.meta import ObjectMeta
from serinus.api.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    JOBS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from serinus.kube.client import Client, Json
from serinus.kube.clock import Clock
from serinus.kube.errors import Conflict
from serinus.kube.informer import Informer
from serinus.kube.queue import WorkQueue
from serinus.local.workloads.objects import Deployment, Endpoints, EndpointSlice, Job, Pod, ReplicaSet, Service

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Key = tuple[str, str]


class Index(Generic[T]):
    """An index of a cache's objects by a shared value, such as their owner; updated with the cache."""

    def __init__(self, informer: Informer[T], values: Callable[[T], Iterable[Hashable]]) -> None:
        self._items, self._values = informer.items, values
        self._keys: dict[Hashable, set[Key]] = defaultdict(set)
        informer.on_change(self._changed)

    def _changed(self, old: T | None, new: T | None) -> None:
        for obj, add in ((old, False), (new, True)):
            if obj is None:
                continue
            metadata: ObjectMeta = obj.metadata  # type: ignore[attr-defined]
            key = (metadata.namespace, metadata.name)
            for value in self._values(obj):
                if add:
                    self._keys[value].add(key)
                else:
                    self._keys[value].discard(key)
                    if not self._keys[value]:
                        del self._keys[value]

    def get(self, value: Hashable) -> list[T]:
        """The objects with this value, sorted by name."""
        return [self._items[key] for key in sorted(self._keys.get(value, ())) if key in self._items]


class Caches:
    def __init__(self, client: Client, clock: Clock) -> None:
        def informer(resource: Resource, kind: type[T]) -> Informer[T]:
            return Informer(client, resource, kind, clock=clock)

        self.pods = informer(PODS, Pod)
        self.replica_sets = informer(REPLICA_SETS, ReplicaSet)
        self.deployments = informer(DEPLOYMENTS, Deployment)
        self.jobs = informer(JOBS, Job)
        self.services = informer(SERVICES, Service)
        self.slices = informer(ENDPOINT_SLICES, EndpointSlice)
        self.endpoints = informer(ENDPOINTS, Endpoints)
        self.pods_by_owner = Index(self.pods, _owner)
        self.orphan_pods = Index(self.pods, lambda p: () if p.metadata.controller() else (p.metadata.namespace,))
        self.pods_by_namespace = Index(self.pods, lambda p: (p.metadata.namespace,))
        self.sets_by_owner = Index(self.replica_sets, _owner)
        self.orphan_sets = Index(
            self.replica_sets, lambda r: () if r.metadata.controller() else (r.metadata.namespace,)
        )
        self.slices_by_service = Index(self.slices, _service_of)
        self.all: tuple[Informer[Any], ...] = (
            self.pods, self.replica_sets, self.deployments, self.jobs, self.services, self.slices, self.endpoints,
        )  # fmt: skip

    async def synced(self) -> None:
        for informer in self.all:
            await informer.synced.wait()


def _owner(obj: Pod | ReplicaSet) -> Iterable[str]:
    owner = obj.metadata.controller()
    return (owner.uid,) if owner else ()


def _service_of(obj: EndpointSlice) -> Iterable[Key]:
    service = obj.metadata.labels.get("kubernetes.io/service-name")
    return ((obj.metadata.namespace, service),) if service else ()


def quietly(queue: WorkQueue[K], handler: Callable[[K], Awaitable[None]]) -> Callable[[K], Awaitable[None]]:
    """Wraps a handler to retry after a Conflict without logging: the cache was stale."""

    async def handle(key: K) -> None:
        try:
            await handler(key)
        except Conflict:
            queue.retry(key)

    return handle


def owner_reference(resource: Resource, metadata: ObjectMeta) -> Json:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def merge_status(old: msgspec.Struct, new: msgspec.Struct, *always: str) -> Json | None:
    """A merge patch of `status` from `old` to `new`; None if they are equal. `always`: fields written even if 0."""
    if old == new:
        return None
    before: Json = msgspec.to_builtins(old)
    after: Json = msgspec.to_builtins(new)
    gone: Json = dict.fromkeys(before.keys() - after.keys())
    return {**gone, **{name: 0 for name in always if name not in after}, **after}
