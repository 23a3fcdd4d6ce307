"""The Rollouts of an API server and the objects that belong to them, kept current by watches.

A change of any object is reported with the key of its Rollout, at any depth: a pod belongs to a ReplicaSet, which
belongs to a Rollout or to an Experiment of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from serinus.api.resources import ANALYSIS_RUNS, EXPERIMENTS, PODS, REPLICA_SETS, ROLLOUTS, Resource
from serinus.dashboard.trimmed import (
    Keep,
    Kept,
    Sent,
    SentRollout,
    keep_owned,
    keep_pod,
    keep_replica_set,
    keep_rollout,
)
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.informer import Informer, Key
from serinus.view.rollout_info import HASH, RolloutInfo, Surroundings, rollout_info

Json = dict[str, Any]

LOOK_SECONDS = 0.05

PAGE = 200
"""Objects per page of a list. The raw text of one page is the peak of the memory of a start."""

_BELOW: tuple[tuple[Resource, Keep, str], ...] = (
    (REPLICA_SETS, keep_replica_set, HASH),
    (PODS, keep_pod, HASH),
    (EXPERIMENTS, keep_owned, ""),
    (ANALYSIS_RUNS, keep_owned, ""),
)
"""Filtered by the label of a Rollout's objects: a cluster has far more ReplicaSets and pods than those."""


class World:
    """`changed` receives the key of each Rollout that looks different now. `namespace`: "" for all."""

    def __init__(
        self, client: Client, clock: Clock, rng: Random, changed: Callable[[Key], None], namespace: str = ""
    ) -> None:
        self.namespace = namespace
        self._changed = changed

        def informer(
            resource: Resource, keep: Keep, labels: str = "", sent: type[Sent] = Sent
        ) -> Informer[Sent | Kept]:
            def trim(one: Sent | Kept) -> Sent | Kept:
                return keep(one) if isinstance(one, Sent) else one

            return Informer(
                client, resource, sent, namespace=namespace, labels=labels, clock=clock, rng=rng, trim=trim, page=PAGE
            )

        self.rollouts = informer(ROLLOUTS, keep_rollout, sent=SentRollout)
        self.below = {resource: informer(resource, keep, labels) for resource, keep, labels in _BELOW}
        self._keys: dict[str, Key] = {}
        """Key of each Rollout by its UID."""
        self._owners: dict[str, str] = {}
        """UID -> owner's UID, for objects that may own others."""
        self._owned: dict[Resource, dict[str, tuple[Kept, ...]]] = {resource: {} for resource, *_ in _BELOW}
        """By the owner's UID."""
        self.rollouts.on_change(self._on_rollout)
        for resource, watched in self.below.items():
            watched.on_change(lambda old, new, resource=resource: self._on_owned(resource, old, new))

    async def run(self) -> None:
        """Watches until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in (self.rollouts, *self.below.values()):
                group.create_task(informer.run())
                # One list at a time: all their texts at once would be the peak of memory use.
                await _listed_or_failed(informer)

    def json(self, key: Key) -> Json | None:
        """The cached part of the Rollout."""
        rollout = self.rollouts.items.get(key)
        return rollout.json() if isinstance(rollout, Kept) else None

    def around(self, key: Key) -> Surroundings:
        """The objects that belong to the Rollout."""
        rollout = self.rollouts.items.get(key)
        if not isinstance(rollout, Kept):
            return Surroundings()
        uid = rollout.uid
        experiments = self._of(EXPERIMENTS, uid)
        owners = (uid, *(e.uid for e in experiments))
        sets = [rs for owner in owners for rs in self._of(REPLICA_SETS, owner)]
        return Surroundings(
            replica_sets=[rs.json() for rs in sets],
            pods=[pod.json() for rs in sets for pod in self._of(PODS, rs.uid)],
            experiments=[e.json() for e in experiments],
            analysis_runs=[run.json() for owner in owners for run in self._of(ANALYSIS_RUNS, owner)],
        )

    def info(self, key: Key) -> RolloutInfo | None:
        """The Rollout's data for clients; None if there is no such Rollout."""
        rollout = self.json(key)
        return None if rollout is None else rollout_info(rollout, self.around(key))

    def _of(self, resource: Resource, owner: str) -> list[Kept]:
        return list(self._owned[resource].get(owner, ()))

    def _on_rollout(self, old: Sent | Kept | None, new: Sent | Kept | None) -> None:
        for rollout, there in ((old, False), (new, True)):
            if isinstance(rollout, Kept):
                if there:
                    self._keys[rollout.uid] = rollout.key
                else:
                    self._keys.pop(rollout.uid, None)
                self._changed(rollout.key)

    def _on_owned(self, resource: Resource, old: Sent | Kept | None, new: Sent | Kept | None) -> None:
        owned = self._owned[resource]
        for child, there in ((old, False), (new, True)):
            if not isinstance(child, Kept) or not (owner := child.owner_uid):
                continue
            others = tuple(other for other in owned.get(owner, ()) if other.uid != child.uid)
            if there or others:
                owned[owner] = (*others, child) if there else others
            else:
                owned.pop(owner, None)
            self._tell(owner)
            if there and resource is not PODS:
                self._owners[child.uid] = owner
            elif not there:
                self._owners.pop(child.uid, None)

    def _tell(self, owner: str) -> None:
        for _ in range(3):  # a pod, its ReplicaSet, that one's Experiment
            if owner in self._keys:
                self._changed(self._keys[owner])
                return
            if owner not in self._owners:
                return
            owner = self._owners[owner]


async def _listed_or_failed(informer: Informer[Sent | Kept]) -> None:
    listed = asyncio.ensure_future(informer.synced.wait())
    try:
        while not (informer.error or listed.done()):
            await asyncio.wait((listed,), timeout=LOOK_SECONDS)
    finally:
        listed.cancel()
