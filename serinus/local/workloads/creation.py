"""Creates and deletes an owner's pods, so that a stale cache never causes a duplicate."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import msgspec

from serinus.api.meta import Json
from serinus.api.resources import PODS
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import AlreadyExists, ApiError, Conflict, NotFound, Unavailable
from serinus.kube.informer import Informer
from serinus.local.workloads.expectations import PATIENCE, Expectations
from serinus.local.workloads.objects import Pod

Key = tuple[str, str]
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_BASE = 58


class PodMaker:
    """Creates pods for the owners of one kind. A key is the owner's namespace and name."""

    def __init__(self, client: Client, pods: Informer[Pod], clock: Clock, rng: Random, kind: str) -> None:
        self._client, self._pods, self._clock, self._rng, self._kind = client, pods, clock, rng, kind
        self._open: Expectations[Key] = Expectations(clock)
        pods.on_change(self._changed)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        owner = pod.metadata.controller() if pod is not None else None
        if pod is None or owner is None or owner.kind != self._kind:
            return
        key = (pod.metadata.namespace, owner.name)
        self._open.met(key, "+" + pod.metadata.name)
        if new is None or new.leaving:
            self._open.met(key, "-" + pod.metadata.uid)

    def forget(self, key: Key) -> None:
        self._open.forget(key)

    def settles_by(self, key: Key) -> float:
        """When `settled` reads the API itself, in seconds since the epoch."""
        return (self._open.oldest(key) or self._clock.now()) + PATIENCE

    async def settled(self, key: Key) -> bool:
        """Whether the cache shows all writes for this owner. After PATIENCE seconds it reads the API itself."""
        oldest = self._open.oldest(key)
        if oldest is None:
            return True
        if self._clock.now() - oldest < PATIENCE:
            return False
        for what in self._open.outstanding(key):
            if what.startswith("+") and (key[0], what[1:]) not in self._pods.items:
                try:
                    await self._client.get(PODS, what[1:], key[0])
                except NotFound:
                    self._open.met(key, what)
                continue
            self._open.met(key, what)
        return self._open.oldest(key) is None

    async def create(self, key: Key, base: str, template: Json, reference: Json, count: int) -> list[str]:
        """Creates `count` pods in batches that double, so that a rejected template costs one call.

        Returns their names. Raises the first failure after its batch.
        """
        names: list[str] = []
        size = 1
        while len(names) < count:
            bodies = [self.pod(key[0], base, template, reference) for _ in range(min(size, count - len(names)))]
            results = await asyncio.gather(*(self.create_one(key, b) for b in bodies), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
                names.append(result)
            size *= 2
        return names

    def pod(self, namespace: str, base: str, template: Json, reference: Json) -> Json:
        given: Json = template.get("metadata") or {}
        prefix = base[:_LONGEST_BASE] + "-"
        metadata: Json = {
            "name": prefix + "".join(self._rng.choice(_LETTERS) for _ in range(5)),
            "generateName": prefix,
            "namespace": namespace,
            "ownerReferences": [reference],
        }
        for field in ("labels", "annotations", "finalizers"):
            if given.get(field):
                metadata[field] = given[field]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}

    async def create_one(self, key: Key, body: Json) -> str:
        name: str = body["metadata"]["name"]
        self._open.expect(key, "+" + name)
        try:
            await self._client.create(PODS, body, key[0], type=msgspec.Raw)
        except AlreadyExists:
            # A random name collision, or this client's own pod after a lost response: the event decides.
            if (key[0], name) in self._pods.items:
                self._open.met(key, "+" + name)
            raise
        except Unavailable:
            raise  # it may have been created: `settled` reads the API if no event arrives
        except ApiError:
            self._open.met(key, "+" + name)
            raise
        return name

    async def delete(self, key: Key, pods: Sequence[Pod]) -> list[Pod]:
        """Deletes these pods; already deleted ones count as deleted. Raises the first failure after all calls."""
        results = await asyncio.gather(*(self._delete_one(key, p) for p in pods), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return list(pods)

    async def _delete_one(self, key: Key, pod: Pod) -> None:
        what = "-" + pod.metadata.uid
        self._open.expect(key, what)
        try:
            await self._client.delete(PODS, pod.metadata.name, key[0], uid=pod.metadata.uid)
        except (NotFound, Conflict):  # deleted, or another pod has its name
            if self._pods.items.get(pod.key, pod).metadata.uid != pod.metadata.uid or pod.key not in self._pods.items:
                self._open.met(key, what)
        except Unavailable:
            raise
        except ApiError:
            self._open.met(key, what)
            raise
