"""ReplicaSets: keeps the desired number of pods.

`plan` decides from one ReplicaSet and its namespace's pods; `ReplicaSets` executes the plan. A terminating or finished
pod does not count. The scale-down order is kube-controller-manager's: not yet scheduled, not running, not ready. Then
cheapest by `controller.kubernetes.io/pod-deletion-cost`, youngest as ready, most restarted, youngest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from serinus.api.meta import Condition, Json
from serinus.api.resources import PODS, REPLICA_SETS
from serinus.api.values.label_rules import selects
from serinus.api.values.times import parse_time
from serinus.kube.client import Client
from serinus.kube.clock import Clock, rfc3339
from serinus.kube.errors import ApiError, NotFound
from serinus.kube.queue import WorkQueue, work
from serinus.local.events import EventRecorder
from serinus.local.workloads.caches import Caches, Key, merge_status, owner_reference, quietly
from serinus.local.workloads.creation import PodMaker
from serinus.local.workloads.objects import Pod, ReplicaSet, ReplicaSetStatus

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BURST = 500
"""Pods created or deleted at once, as in kube-controller-manager."""

WORKERS = 4


@dataclass(frozen=True, slots=True)
class ReplicaSetPlan:
    """`create`: number of pods. `again`: when a ready pod becomes available (epoch seconds), if one is pending."""

    adopt: tuple[Pod, ...] = ()
    release: tuple[Pod, ...] = ()
    create: int = 0
    delete: tuple[Pod, ...] = ()
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)
    again: float | None = None


def available_at(pod: Pod, min_ready_seconds: int) -> float | None:
    """When the pod becomes available, in seconds since the epoch; None if it is not ready."""
    condition = pod.condition("Ready")
    if condition is None or condition.status != "True":
        return None
    return (parse_time(condition.last_transition_time) or 0.0) + min_ready_seconds if min_ready_seconds else 0.0


def claim(owner: ReplicaSet, pods: Iterable[Pod]) -> tuple[list[Pod], list[Pod], list[Pod]]:
    """(own pods, pods to adopt, pods to release), among the given owned and orphaned pods."""
    mine: list[Pod] = []
    adopt: list[Pod] = []
    release: list[Pod] = []
    going = owner.metadata.deletion_timestamp is not None
    for pod in pods:
        matches = selects(owner.spec.selector, pod.metadata.labels)
        controller = pod.metadata.controller()
        if controller is None:
            if matches and not going and not pod.leaving and not pod.finished:
                adopt.append(pod)
        elif controller.uid == owner.metadata.uid:
            if matches or pod.leaving:
                mine.append(pod)
            elif not going:
                release.append(pod)
    return mine, adopt, release


def deletion_rank(pod: Pod) -> tuple[Any, ...]:
    """Sort key: lower ranks are deleted first."""
    ready = pod.condition("Ready")
    ready_since = parse_time(ready.last_transition_time) if ready is not None and ready.status == "True" else None
    restarts = max((int(s.get("restartCount") or 0) for s in pod.status.container_statuses), default=0)
    phases = {"": 0, "Pending": 0, "Unknown": 1}
    return (
        bool(pod.spec.node_name),
        phases.get(pod.status.phase, 2),
        pod.ready,
        _cost(pod),
        -(ready_since or 0.0),
        -restarts,
        -(parse_time(pod.metadata.creation_timestamp) or 0.0),
        pod.metadata.name,
    )


def _cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def plan(owner: ReplicaSet, pods: Sequence[Pod], now: float, *, settled: bool = True) -> ReplicaSetPlan:
    """Plans the ReplicaSet. `settled`: whether `pods` shows all earlier writes; else no pod is created or deleted."""
    mine, adopt, release = claim(owner, pods)
    active = [p for p in (*mine, *adopt) if not p.leaving and not p.finished]
    template_labels: dict[str, str] = (owner.spec.template.get("metadata") or {}).get("labels") or {}
    times = [available_at(p, owner.spec.min_ready_seconds) for p in active]
    status = ReplicaSetStatus(
        replicas=len(active),
        fully_labeled_replicas=sum(template_labels.items() <= p.metadata.labels.items() for p in active),
        ready_replicas=sum(p.ready for p in active),
        available_replicas=sum(t is not None and t <= now for t in times),
        terminating_replicas=sum(p.leaving and not p.finished for p in mine),
        observed_generation=owner.metadata.generation,
        conditions=owner.status.conditions,
    )
    again = min((t for t in times if t is not None and t > now), default=None)
    surplus = len(active) - owner.spec.replicas
    if not settled or owner.metadata.deletion_timestamp is not None:
        return ReplicaSetPlan((), (), 0, (), status, again)
    doomed = sorted(active, key=deletion_rank)[: min(surplus, BURST)] if surplus > 0 else []
    adopted = tuple(p for p in adopt if p not in doomed)
    return ReplicaSetPlan(adopted, tuple(release), min(max(-surplus, 0), BURST), tuple(doomed), status, again)


class ReplicaSets:
    def __init__(self, client: Client, caches: Caches, clock: Clock, rng: Random) -> None:
        self._client, self._caches, self._clock = client, caches, clock
        self._events = EventRecorder(client, clock, "replicaset-controller")
        self._queue: WorkQueue[Key] = WorkQueue(clock, rng)
        self._maker = PodMaker(client, caches.pods, clock, rng, REPLICA_SETS.kind)
        caches.replica_sets.on_change(self._set_changed)
        caches.pods.on_change(self._pod_changed)

    async def run(self) -> None:
        await self._caches.synced()
        await work(self._queue, quietly(self._queue, self._sync), workers=WORKERS)

    def _set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        obj = new or old
        if obj is not None:
            self._queue.add((obj.metadata.namespace, obj.metadata.name))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for pod in (old, new):
            if pod is None:
                continue
            owner = pod.metadata.controller()
            if owner is not None:
                if owner.kind == REPLICA_SETS.kind:
                    self._queue.add((pod.metadata.namespace, owner.name))
            elif pod is new:
                for key, candidate in self._caches.replica_sets.items.items():
                    if key[0] == pod.metadata.namespace and selects(candidate.spec.selector, pod.metadata.labels):
                        self._queue.add(key)

    async def _sync(self, key: Key) -> None:
        owner = self._caches.replica_sets.items.get(key)
        if owner is None:
            self._maker.forget(key)
            return
        settled = await self._maker.settled(key)
        if not settled:
            self._queue.add_at(key, self._maker.settles_by(key))
        caches = self._caches
        pods = [*caches.pods_by_owner.get(owner.metadata.uid), *caches.orphan_pods.get(key[0])]
        todo = plan(owner, pods, self._clock.now(), settled=settled)
        problem: ApiError | None = None
        try:
            await self._apply(key, owner, todo)
        except NotFound:
            pass  # the ReplicaSet or its namespace was deleted: its event follows
        except ApiError as error:
            problem = error
        todo.status.conditions = _failure(todo.status.conditions, problem, self._clock.now())
        patch = merge_status(owner.status, todo.status, "replicas")
        if patch is not None:
            await self._write_status(key, owner, patch)
        if todo.again is not None:
            self._queue.add_at(key, todo.again)
        if problem is not None:
            raise problem

    async def _write_status(self, key: Key, owner: ReplicaSet, patch: Json) -> None:
        body = {"metadata": {"uid": owner.metadata.uid}, "status": patch}
        try:
            await self._client.patch(REPLICA_SETS, key[1], body, key[0], subresource="status")
        except NotFound:
            return

    async def _apply(self, key: Key, owner: ReplicaSet, todo: ReplicaSetPlan) -> None:
        for pod in todo.adopt:
            await self._own(pod, {"ownerReferences": [owner_reference(REPLICA_SETS, owner.metadata)]})
        for pod in todo.release:
            others = [o for o in pod.metadata.owner_references if o.uid != owner.metadata.uid]
            await self._own(pod, {"ownerReferences": others or None})
        if todo.create:
            reference = owner_reference(REPLICA_SETS, owner.metadata)
            names = await self._maker.create(key, owner.metadata.name, owner.spec.template, reference, todo.create)
            for name in names:
                self._events.say(REPLICA_SETS, owner.metadata, "SuccessfulCreate", f"Created pod: {name}")
        for pod in await self._maker.delete(key, todo.delete):
            self._events.say(REPLICA_SETS, owner.metadata, "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")

    async def _own(self, pod: Pod, metadata: Json) -> None:
        # With the observed version: if two ReplicaSets claim a pod, only one succeeds.
        precondition = {"uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version}
        namespace, name = pod.key
        await self._client.patch(PODS, name, {"metadata": {**precondition, **metadata}}, namespace)


def _failure(conditions: list[Condition], problem: ApiError | None, now: float) -> list[Condition]:
    others = [c for c in conditions if c.type != "ReplicaFailure"]
    if problem is None:
        return others
    old = next((c for c in conditions if c.type == "ReplicaFailure"), None)
    since = old.last_transition_time if old is not None else rfc3339(now)
    return [
        *others,
        Condition("ReplicaFailure", "True", last_transition_time=since, reason="FailedCreate", message=problem.message),
    ]
