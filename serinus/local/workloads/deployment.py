"""Deployments: executes the actions of `deployment_plan`.

A ReplicaSet's name is derived from the template, so it cannot be created twice. Every change includes the version that
it was planned from, so a stale cache changes nothing.
"""

from __future__ import annotations

from random import Random

from serinus.api.meta import Json
from serinus.api.pods.identity import same_template
from serinus.api.resources import DEPLOYMENTS, REPLICA_SETS
from serinus.api.values.label_rules import selects
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import AlreadyExists, NotFound
from serinus.kube.queue import WorkQueue, work
from serinus.local.events import EventRecorder
from serinus.local.workloads.caches import Caches, Key, merge_status, owner_reference, quietly
from serinus.local.workloads.deployment_plan import (
    HASH,
    REVISION,
    Action,
    Adopt,
    Create,
    Delete,
    DeploymentPlan,
    ReplicaSetChange,
    ReplicaSetRelease,
    plan,
)
from serinus.local.workloads.deployment_status import status_of
from serinus.local.workloads.objects import Deployment, Pod, ReplicaSet

WORKERS = 2


class Deployments:
    def __init__(self, client: Client, caches: Caches, clock: Clock, rng: Random) -> None:
        self._client, self._caches, self._clock = client, caches, clock
        self._events = EventRecorder(client, clock, "deployment-controller")
        self._queue: WorkQueue[Key] = WorkQueue(clock, rng)
        caches.deployments.on_change(self._changed)
        caches.replica_sets.on_change(self._set_changed)
        caches.pods.on_change(self._pod_changed)

    async def run(self) -> None:
        await self._caches.synced()
        await work(self._queue, quietly(self._queue, self._sync), workers=WORKERS)

    def _changed(self, old: Deployment | None, new: Deployment | None) -> None:
        obj = new or old
        if obj is not None:
            self._queue.add((obj.metadata.namespace, obj.metadata.name))

    def _set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        for obj in (old, new):
            owner = obj.metadata.controller() if obj is not None else None
            if obj is not None and owner is not None and owner.kind == DEPLOYMENTS.kind:
                self._queue.add((obj.metadata.namespace, owner.name))
            elif obj is not None and owner is None and obj is new:
                for key, deployment in self._caches.deployments.items.items():
                    if key[0] == obj.metadata.namespace and selects(deployment.spec.selector, obj.metadata.labels):
                        self._queue.add(key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Requeues the Deployment when a pod ends: Recreate waits for that."""
        if old is None or (new is not None and not new.finished):
            return
        owner = old.metadata.controller()
        replica_set = self._caches.replica_sets.items.get((old.metadata.namespace, owner.name)) if owner else None
        if replica_set is not None:
            self._set_changed(None, replica_set)

    async def _sync(self, key: Key) -> None:
        deployment = self._caches.deployments.items.get(key)
        if deployment is None:
            return
        caches = self._caches
        candidates = [*caches.sets_by_owner.get(deployment.metadata.uid), *caches.orphan_sets.get(key[0])]
        todo = plan(deployment, candidates, old_pods=self._old_pods(deployment, candidates))
        for action in todo.actions:
            if not await self._apply(deployment, action):
                break
        await self._write(key, deployment, todo)

    def _old_pods(self, deployment: Deployment, candidates: list[ReplicaSet]) -> int:
        if deployment.spec.strategy.type != "Recreate":
            return 0
        old = [r for r in candidates if not same_template(_plain(r.spec.template), deployment.spec.template)]
        return sum(not p.finished for r in old for p in self._caches.pods_by_owner.get(r.metadata.uid))

    async def _write(self, key: Key, deployment: Deployment, todo: DeploymentPlan) -> None:
        if deployment.metadata.deletion_timestamp is None and todo.revision:
            recorded = deployment.metadata.annotations.get(REVISION)
            if recorded != todo.revision:
                body = {"metadata": {"uid": deployment.metadata.uid, "annotations": {REVISION: todo.revision}}}
                await self._client.patch(DEPLOYMENTS, key[1], body, key[0])
        status, deadline = status_of(deployment, todo, self._clock.now())
        patch = merge_status(deployment.status, status)
        if patch is not None:
            body = {"metadata": {"uid": deployment.metadata.uid}, "status": patch}
            try:
                await self._client.patch(DEPLOYMENTS, key[1], body, key[0], subresource="status")
            except NotFound:
                return
        if deadline is not None:
            self._queue.add_at(key, deadline)

    async def _apply(self, deployment: Deployment, action: Action) -> bool:
        """Executes one action. Returns whether to continue with the next one."""
        match action:
            case Adopt(replica_set):
                await self._patch(replica_set, {"ownerReferences": [owner_reference(DEPLOYMENTS, deployment.metadata)]})
            case ReplicaSetRelease(replica_set):
                others = [o for o in replica_set.metadata.owner_references if o.uid != deployment.metadata.uid]
                await self._patch(replica_set, {"ownerReferences": others or None})
            case Create():
                return await self._create(deployment, action)
            case Delete(replica_set):
                meta = replica_set.metadata
                try:
                    await self._client.delete(
                        REPLICA_SETS, meta.name, meta.namespace, uid=meta.uid, resource_version=meta.resource_version
                    )
                except NotFound:
                    return True
            case ReplicaSetChange(replica_set, replicas, annotations):
                await self._change(deployment, replica_set, replicas, dict(annotations))
        return True

    async def _change(
        self, deployment: Deployment, replica_set: ReplicaSet, replicas: int | None, annotations: dict[str, str]
    ) -> None:
        resize = replicas is not None and replicas != replica_set.spec.replicas
        if not resize and not annotations:
            return
        before = replica_set.spec.replicas
        await self._patch(replica_set, {"annotations": annotations}, {"replicas": replicas} if resize else None)
        if resize and replicas is not None:
            word = "up" if replicas > before else "down"
            text = f"Scaled {word} replica set {replica_set.metadata.name} from {before} to {replicas}"
            self._events.say(DEPLOYMENTS, deployment.metadata, "ScalingReplicaSet", text)

    async def _patch(self, replica_set: ReplicaSet, metadata: Json, spec: Json | None = None) -> None:
        meta = replica_set.metadata
        body: Json = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version, **metadata}}
        if spec:
            body["spec"] = spec
        await self._client.patch(REPLICA_SETS, meta.name, body, meta.namespace)

    async def _create(self, deployment: Deployment, action: Create) -> bool:
        body: Json = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": action.name,
                "namespace": deployment.metadata.namespace,
                "labels": dict(action.labels),
                "annotations": dict(action.annotations),
                "ownerReferences": [owner_reference(DEPLOYMENTS, deployment.metadata)],
            },
            "spec": {
                "replicas": action.replicas,
                "selector": action.selector,
                "template": action.template,
                **({"minReadySeconds": deployment.spec.min_ready_seconds} if deployment.spec.min_ready_seconds else {}),
            },
        }
        try:
            await self._client.create(REPLICA_SETS, body, deployment.metadata.namespace)
        except AlreadyExists:
            return await self._collided(deployment, action)
        text = f"Scaled up replica set {action.name} from 0 to {action.replicas}"
        self._events.say(DEPLOYMENTS, deployment.metadata, "ScalingReplicaSet", text)
        return True

    async def _collided(self, deployment: Deployment, action: Create) -> bool:
        """Handles a name collision: with the own ReplicaSet that the cache lacks, or with another template's."""
        meta = deployment.metadata
        existing = await self._client.get(REPLICA_SETS, action.name, meta.namespace, type=ReplicaSet)
        owner = existing.metadata.controller()
        if (
            owner is not None
            and owner.uid == meta.uid
            and same_template(_plain(existing.spec.template), deployment.spec.template)
        ):
            return True
        count = (deployment.status.collision_count or 0) + 1
        body = {
            "metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version},
            "status": {"collisionCount": count},
        }
        await self._client.patch(DEPLOYMENTS, meta.name, body, meta.namespace, subresource="status")
        deployment.status.collision_count = count  # else the next status write would undo it
        return False


def _plain(template: Json) -> Json:
    metadata = template.get("metadata") or {}
    return {
        **template,
        "metadata": {**metadata, "labels": {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}},
    }
