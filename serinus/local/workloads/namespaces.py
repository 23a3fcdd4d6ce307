"""Namespaces: creates the default ServiceAccount, and finalizes a deleted namespace once it is empty."""

from __future__ import annotations

import logging
from random import Random

from serinus.api.resources import ARGOPROJ, BUILT_IN, CRDS, NAMESPACES, SERVICE_ACCOUNTS, Resource
from serinus.kube.client import Client, Json
from serinus.kube.clock import Clock
from serinus.kube.errors import AlreadyExists, ApiError, Forbidden, Invalid, NotFound
from serinus.kube.informer import Informer
from serinus.kube.queue import WorkQueue, work
from serinus.local.workloads.caches import quietly
from serinus.local.workloads.objects import Head, Namespace

log = logging.getLogger(__name__)

AGAIN = 0.2
"""Seconds between checks of a namespace whose pods are still ending."""

NOT_DELETED = {"events"}
"""Deleted last, so that Events of the deletion are still recorded."""


class Namespaces:
    def __init__(self, client: Client, clock: Clock, rng: Random) -> None:
        self._client, self._clock = client, clock
        self._namespaces = Informer(client, NAMESPACES, Namespace, clock=clock)
        self._accounts = Informer(client, SERVICE_ACCOUNTS, Head, clock=clock, fields="metadata.name=default")
        self._queue: WorkQueue[str] = WorkQueue(clock, rng)
        self._namespaces.on_change(self._changed)
        self._accounts.on_change(self._account_changed)
        self.informers: tuple[Informer[Namespace] | Informer[Head], ...] = (self._namespaces, self._accounts)

    def _changed(self, old: Namespace | None, new: Namespace | None) -> None:
        obj = new or old
        if obj is not None:
            self._queue.add(obj.metadata.name)

    def _account_changed(self, old: Head | None, new: Head | None) -> None:
        if old is not None and new is None:
            self._queue.add(old.metadata.namespace)

    async def run(self) -> None:
        await self._namespaces.synced.wait()
        await self._accounts.synced.wait()
        await work(self._queue, quietly(self._queue, self._sync), workers=2)

    async def _sync(self, name: str) -> None:
        namespace = self._namespaces.items.get(("", name))
        if namespace is None:
            return
        if namespace.metadata.deletion_timestamp is None:
            if (name, "default") not in self._accounts.items:
                await self._account(name)
            return
        if await self._emptied(name):
            await self._finalize(name)
        else:
            self._queue.add_at(name, self._clock.now() + AGAIN)

    async def _account(self, namespace: str) -> None:
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
        try:
            await self._client.create(SERVICE_ACCOUNTS, body, namespace)
        except (AlreadyExists, Forbidden, NotFound):
            return  # it exists already, or the namespace is terminating

    async def _emptied(self, namespace: str) -> bool:
        """Deletes the namespace's objects and returns whether none remain."""
        left = 0
        for resource in sorted(await self._served(), key=lambda r: r.plural in NOT_DELETED):
            if resource.plural in NOT_DELETED and left:
                continue
            try:
                page = await self._client.list(resource, namespace, type=Head)
                if not page.items:
                    continue
                left += len(page.items)
                if any(i.metadata.deletion_timestamp is None for i in page.items):
                    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
                    await self._client.raw("DELETE", resource.path(namespace), body=body)
                    left -= len(page.items)
                    left += len((await self._client.list(resource, namespace, type=Head)).items)
            except NotFound:
                continue  # this kind is not served here
        return left == 0

    async def _served(self) -> list[Resource]:
        mine = {r.group_resource: r for r in (*BUILT_IN, *ARGOPROJ) if r.namespaced}
        try:
            crds = (await self._client.list(CRDS)).items
        except (NotFound, Forbidden):
            crds = []
        for crd in crds:
            resource = resource_of(crd)
            if resource is not None and resource.namespaced:
                mine.setdefault(resource.group_resource, resource)
        return list(mine.values())

    async def _finalize(self, name: str) -> None:
        try:
            live = await self._client.get(NAMESPACES, name)
            if not live["metadata"].get("deletionTimestamp"):
                return
            live["spec"] = {**(live.get("spec") or {}), "finalizers": []}
            await self._client.update(NAMESPACES, live, subresource="finalize")
        except NotFound:
            return
        except Invalid as error:
            raise ApiError(
                error.code, error.reason, f"namespace {name} cannot be finalized: {error.message}"
            ) from error


def resource_of(crd: Json) -> Resource | None:
    """The resource of a CustomResourceDefinition, in its storage version."""
    spec: Json = crd.get("spec") or {}
    names: Json = spec.get("names") or {}
    version = next((str(v.get("name")) for v in spec.get("versions") or [] if v.get("storage") and v.get("served")), "")
    if not version or not names.get("plural"):
        return None
    return Resource(
        str(spec.get("group")), version, str(names["plural"]), str(names.get("kind")), spec.get("scope") != "Cluster"
    )
