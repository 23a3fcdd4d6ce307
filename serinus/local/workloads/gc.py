"""Garbage collection: objects with absent owners, and owners that wait for their dependents.

The graph consists of one metadata cache per resource, custom ones included. `judge` decides for one object and is pure.
An owner outside the graph counts as absent only after the API has confirmed it by uid: a stale cache deletes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from serinus.api.meta import OwnerReference
from serinus.api.resources import ARGOPROJ, BUILT_IN, CRDS, EVENTS, Resource
from serinus.kube.client import Client, Json
from serinus.kube.clock import Clock
from serinus.kube.errors import Conflict, NotFound
from serinus.kube.informer import Informer
from serinus.kube.queue import WorkQueue, work
from serinus.local.workloads.caches import quietly
from serinus.local.workloads.namespaces import resource_of
from serinus.local.workloads.objects import Head, Meta

log = logging.getLogger(__name__)

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
Key = tuple[Resource, str, str]


@dataclass(frozen=True, slots=True)
class GcDecision:
    """`delete`: a propagation policy, or "". `owners`: the references to keep; None for no change."""

    delete: str = ""
    owners: list[OwnerReference] | None = None
    orphan: tuple[Key, ...] = ()
    finalizer: str = ""


@dataclass(frozen=True, slots=True)
class Dependent:
    key: Key
    meta: Meta
    blocks: bool


def judge(
    meta: Meta, owners: Sequence[tuple[OwnerReference, Meta | None]], dependents: Sequence[Dependent]
) -> GcDecision:
    """Decides for one object. `owners`: each reference with its owner, None if it is certainly absent."""
    if meta.deletion_timestamp is not None:
        if ORPHAN in meta.finalizers:
            return GcDecision(orphan=tuple(d.key for d in dependents), finalizer="" if dependents else ORPHAN)
        if FOREGROUND in meta.finalizers and not any(d.blocks for d in dependents):
            return GcDecision(finalizer=FOREGROUND)
        return GcDecision()
    if not owners:
        return GcDecision()
    absent = [r for r, owner in owners if owner is None]
    waiting = [r for r, owner in owners if owner is not None and _waits(owner)]
    solid = [r for r, owner in owners if owner is not None and not _waits(owner)]
    if solid:
        return GcDecision(owners=solid) if absent or waiting else GcDecision()
    if waiting:
        return GcDecision(delete="Foreground" if dependents else "Background")
    return GcDecision(delete="Background")


def _waits(owner: Meta) -> bool:
    return owner.deletion_timestamp is not None and FOREGROUND in owner.finalizers


class GarbageCollector:
    def __init__(self, client: Client, clock: Clock, rng: Random) -> None:
        self._client, self._clock = client, clock
        self._queue: WorkQueue[Key] = WorkQueue(clock, rng)
        self._informers: dict[Resource, Informer[Head]] = {}
        self._by_uid: dict[str, Key] = {}
        self._dependents: dict[str, set[Key]] = defaultdict(set)
        self._crds = Informer(client, CRDS, dict[str, object], clock=clock)  # type: ignore[type-abstract]
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[Resource, asyncio.Task[None]] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            for resource in (*BUILT_IN, *ARGOPROJ):
                if resource is not EVENTS:
                    self._watch(resource)
            self._crds.on_change(self._crd_changed)
            group.create_task(self._crds.run())
            for informer in list(self._informers.values()):
                await informer.synced.wait()
            await work(self._queue, quietly(self._queue, self._sync), workers=4)

    def _watch(self, resource: Resource) -> None:
        if resource in self._informers or self._group is None:
            return
        informer = Informer(self._client, resource, Head, clock=self._clock)
        informer.on_change(lambda old, new: self._changed(resource, old, new))
        self._informers[resource] = informer
        self._tasks[resource] = self._group.create_task(informer.run())

    def _crd_changed(self, old: Json | None, new: Json | None) -> None:
        before, after = (resource_of(old) if old else None), (resource_of(new) if new else None)
        built_in = {r.group_resource for r in (*BUILT_IN, *ARGOPROJ)}
        if before is not None and before != after and before in self._tasks and before.group_resource not in built_in:
            self._tasks.pop(before).cancel()
            del self._informers[before]
        conditions = ((new or {}).get("status") or {}).get("conditions") or []
        established = any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
        if after is not None and established and after.group_resource not in built_in:
            self._watch(after)

    def _changed(self, resource: Resource, old: Head | None, new: Head | None) -> None:
        if old is not None:
            self._forget(resource, old.metadata)
        if new is not None:
            self._remember(resource, new.metadata, wake_owners=old is None)
        obj = new or old
        if obj is None:
            return
        meta = obj.metadata
        if new is not None and (meta.owner_references or (meta.deletion_timestamp and meta.finalizers)):
            self._queue.add((resource, meta.namespace, meta.name))
        if new is None or (meta.deletion_timestamp and FOREGROUND in meta.finalizers):
            for key in self._dependents.get(meta.uid, ()):
                self._queue.add(key)

    def _forget(self, resource: Resource, meta: Meta) -> None:
        key = (resource, meta.namespace, meta.name)
        for reference in meta.owner_references:
            self._dependents[reference.uid].discard(key)
            if not self._dependents[reference.uid]:
                del self._dependents[reference.uid]
            self._wake(reference.uid)  # an owner that waits for its dependents may continue
        self._by_uid.pop(meta.uid, None)

    def _remember(self, resource: Resource, meta: Meta, *, wake_owners: bool) -> None:
        key = (resource, meta.namespace, meta.name)
        for reference in meta.owner_references:
            self._dependents[reference.uid].add(key)
            if wake_owners:
                self._wake(reference.uid)  # an owner that is being deleted has one more dependent
        self._by_uid[meta.uid] = key

    def _wake(self, uid: str) -> None:
        key = self._by_uid.get(uid)
        if key is not None:
            self._queue.add(key)

    def _head(self, key: Key) -> Meta | None:
        informer = self._informers.get(key[0])
        head = informer.items.get((key[1], key[2])) if informer else None
        return head.metadata if head else None

    async def _sync(self, key: Key) -> None:
        meta = self._head(key)
        if meta is None:
            return
        owners: list[tuple[OwnerReference, Meta | None]] = []
        if meta.deletion_timestamp is None:
            for reference in meta.owner_references:
                known = self._by_uid.get(reference.uid)
                owner = self._head(known) if known else None
                if owner is None:
                    certain, owner = await self._ask(reference, key[1])
                    if not certain:
                        owner = Meta(uid=reference.uid)  # of an unknown kind: it may exist
                owners.append((reference, owner))
        verdict = judge(meta, owners, self._dependents_of(meta))
        try:
            await self._apply(key, meta, verdict)
        except NotFound:
            return

    def _dependents_of(self, meta: Meta) -> list[Dependent]:
        dependents: list[Dependent] = []
        for key in self._dependents.get(meta.uid, ()):
            head = self._head(key)
            if head is not None:
                blocks = any(r.uid == meta.uid and r.block_owner_deletion for r in head.owner_references)
                dependents.append(Dependent(key, head, blocks))
        return dependents

    async def _ask(self, reference: OwnerReference, namespace: str) -> tuple[bool, Meta | None]:
        """(whether the API gave a definite answer, the owner if it exists)."""
        resource = next(
            (r for r in self._informers if (r.api_version, r.kind) == (reference.api_version, reference.kind)), None
        )
        if resource is None:
            group = reference.api_version.rpartition("/")[0]
            resource = next((r for r in self._informers if (r.group, r.kind) == (group, reference.kind)), None)
        if resource is None:
            return False, None
        try:
            owner = await self._client.get(
                resource, reference.name, namespace if resource.namespaced else "", type=Head
            )
        except NotFound:
            return True, None
        return True, owner.metadata if owner.metadata.uid == reference.uid else None

    async def _apply(self, key: Key, meta: Meta, verdict: GcDecision) -> None:
        resource, namespace, name = key
        precondition = {"uid": meta.uid, "resourceVersion": meta.resource_version}
        if verdict.delete:
            try:
                await self._client.delete(
                    resource,
                    name,
                    namespace,
                    uid=meta.uid,
                    resource_version=meta.resource_version,
                    propagation=verdict.delete,
                )
            except Conflict:
                # It has changed: its event requeues it, unless the cache has that version already.
                self._queue.retry(key)
            return
        if verdict.owners is not None:
            await self._client.patch(
                resource, name, {"metadata": {**precondition, "ownerReferences": verdict.owners}}, namespace
            )
        for dependent in verdict.orphan:
            head = self._head(dependent)
            if head is not None:
                others = [r for r in head.owner_references if r.uid != meta.uid]
                version = {"uid": head.uid, "resourceVersion": head.resource_version}
                body = {"metadata": {**version, "ownerReferences": others or None}}
                try:
                    await self._client.patch(dependent[0], dependent[2], body, dependent[1])
                except NotFound:
                    continue
        if verdict.finalizer:
            others = [f for f in meta.finalizers if f != verdict.finalizer]
            await self._client.patch(
                resource, name, {"metadata": {**precondition, "finalizers": others or None}}, namespace
            )
