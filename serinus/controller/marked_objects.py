"""Releases router objects that carry the name of a Rollout which is gone, or names them no more.

`router_release.py` sees each change of a Rollout. This part covers the changes that no controller saw: it looks once,
when the controller begins to work. Only objects whose router writes the Rollout's name on them can be found, such as
Istio's DestinationRules. Their hashes select pods of one version, so a later version would get no requests.
Source: traffic routing, section 3 ("Watched").
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from msgspec import MsgspecError

from serinus.api.names import MANAGED_BY
from serinus.api.resources import Resource
from serinus.api.rollout import Rollout
from serinus.api.served_kind import ServedKind
from serinus.controller.cache import Cache
from serinus.controller.service_releaser import rollout_exists
from serinus.engine.core.service_release import is_settled
from serinus.kube.client import Client
from serinus.kube.errors import ApiError, NotFound
from serinus.kube.informer import Key
from serinus.kube.served_informer import served_resource
from serinus.routing import registry
from serinus.routing.router import Json, Router

log = logging.getLogger(__name__)

LATER = 10.0
"""Seconds until the next look at what could not be read, or may not be decided yet."""

PAGE = 500


class MarkedObjects:
    """`run` ends when nothing is left to look at. `namespace`: "" for all."""

    def __init__(self, client: Client, cache: Cache, namespace: str = "") -> None:
        self._client, self._cache, self._namespace = client, cache, namespace

    async def run(self) -> None:
        for router in registry.routers().values():
            if router.marked_kind is not None:
                try:
                    await self._released(router, router.marked_kind)
                except Exception:  # an object of an unexpected form must not end the controller
                    log.exception("%s of Rollouts that are gone are not released", router.marked_kind.group_resource)

    async def _released(self, router: Router[Any], kind: ServedKind) -> None:
        left: set[Key] | None = None
        while left is None or left:
            try:
                resource = await served_resource(self._client, kind)
                if resource is None:
                    return
                left = await self._marked(resource) if left is None else left
                left = {key for key in sorted(left) if not await self._done(router, resource, key)}
            except (ApiError, MsgspecError) as error:
                if isinstance(error, ApiError) and error.refused:
                    log.warning("%s of Rollouts that are gone are not released: %s", kind.group_resource, error.message)
                    return
            if left is None or left:
                await asyncio.sleep(LATER)

    async def _marked(self, resource: Resource) -> set[Key]:
        """The objects with the name of a Rollout that does not name them."""
        keys: set[Key] = set()
        async for page in self._client.pages(resource, self._namespace, type=dict, limit=PAGE):
            for each in page.items:
                key = (each["metadata"].get("namespace", ""), each["metadata"]["name"])
                owner = self._cache.rollouts.items.get((key[0], _owner(each)))
                if _owner(each) and not (owner is not None and _names(owner, resource, key[1])):
                    keys.add(key)
        return keys

    async def _done(self, router: Router[Any], resource: Resource, key: Key) -> bool:
        """False if the Rollout's present spec is not observed yet: that decides."""
        try:
            obj: Json = await self._client.get(resource, key[1], key[0])
        except NotFound:
            return True
        name = _owner(obj)
        rollout = self._cache.rollouts.items.get((key[0], name))
        if not name or (rollout is not None and _names(rollout, resource, key[1])):
            return True
        if rollout is not None and not is_settled(rollout):
            return False
        if rollout is None and await rollout_exists(self._client, key[0], name):
            return True  # another instance of the controller manages it
        for write in router.unmark(key[1], obj):
            precondition = {"uid": write.uid, "resourceVersion": write.resource_version}
            body = {**write.body, "metadata": {**(write.body.get("metadata") or {}), **precondition}}
            await self._client.patch(resource, key[1], body, key[0])
            log.info("give back: patch %s %s", resource.kind, key[1], extra={"fields": {"because": write.because}})
        return True


def _owner(obj: Json) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(MANAGED_BY) or "")


def _names(rollout: Rollout, resource: Resource, name: str) -> bool:
    key = f"{resource.kind}.{resource.group}"
    return any((ref.kind, ref.name) == (key, name) for ref in registry.references(rollout))
