"""A copy of the objects of another project's kind, which may be installed later and removed again.

It first reads from the API server which version of the kind is served. If none is served, there are no objects, and it
checks again every AGAIN seconds. If the definition is removed while the kind is watched, it starts over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from msgspec import MsgspecError

from serinus.api.names import LAST_APPLIED
from serinus.api.resources import Resource
from serinus.api.served_kind import Discovered, ServedKind, discovery
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, NotFound
from serinus.kube.informer import Informer

log = logging.getLogger(__name__)

Json = dict[str, Any]

AGAIN = 10.0
"""Seconds between two checks whether a kind is served. A check takes one or two requests."""


class _Unserved(Exception):
    """The kind was served at the check and is no longer served."""


class ServedInformer(Informer[Json]):
    """`version`: the one in use; "" if the kind is not served, or not checked yet. `known` is called after each list,
    and when a check finds that the kind is not served."""

    def __init__(
        self,
        client: Client,
        kind: ServedKind,
        *,
        namespace: str = "",
        clock: Clock,
        rng: Random | None = None,
        known: Callable[[], None] = lambda: None,
    ) -> None:
        first = kind.resource(kind.versions[0])
        super().__init__(client, first, dict, namespace=namespace, clock=clock, rng=rng, trim=_trimmed)
        self.version = ""
        self.others: tuple[str, ...] = ()
        """Versions in which the kind is served, if it is served only in unknown ones."""
        self._kind, self._known = kind, known

    @property
    def kind(self) -> ServedKind:
        return self._kind

    async def run(self) -> None:
        """Keeps `items` current until cancelled, whether the kind is served or not."""
        failures = 0
        while True:
            try:
                resource, others = await _discovered(self._client, self._kind, self._heard)
            except (ApiError, MsgspecError) as error:
                failures += 1
                super()._lost(str(error), getattr(error, "code", 0))
                await self._rest(failures, None)
                continue
            failures = 0
            if resource is None:
                self._is_unserved(others)
                await asyncio.sleep(AGAIN)
                continue
            self._resource, self.version, self.others = resource, resource.version, ()
            self._version = ""
            if not self.items:
                self.synced.clear()
            try:
                await super().run()
            except _Unserved:
                log.info("%s is no longer served", self._kind.group_resource)

    def _is_unserved(self, others: tuple[str, ...]) -> None:
        news = self.version != "" or not self.synced.is_set() or self.others != others
        self.version, self.error, self.others = "", "", others
        for key in list(self.items):
            self._remove(key)
        self.synced.set()
        self.answered.set()
        if news:
            self._known()

    async def _list(self) -> None:
        await super()._list()
        self._known()

    def _lost(self, why: str, code: int = 0) -> None:
        if code == 404:
            raise _Unserved
        super()._lost(why, code)


async def served_resource(client: Client, kind: ServedKind) -> Resource | None:
    """The kind in the version that the API server serves; None for none. Raises the ApiError of a failed request."""
    return (await _discovered(client, kind)).resource


async def _discovered(client: Client, kind: ServedKind, heard: Callable[[], None] = lambda: None) -> Discovered:
    """Makes the requests of a discovery. `heard` is called after each answer."""
    asking = discovery(kind)
    try:
        path = next(asking)
        while True:
            try:
                answer = await client.raw("GET", path)
            except NotFound:
                path = asking.send(None)
                continue
            heard()
            path = asking.send(msgspec.json.decode(answer.body, type=dict))
    except StopIteration as end:
        return end.value


def _trimmed(obj: Json) -> Json:
    """Drops parts that no router reads: managedFields, and kubectl's copy of the whole object."""
    meta: Json = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    notes: Json = meta.get("annotations") or {}
    if LAST_APPLIED in notes:
        meta["annotations"] = {k: v for k, v in notes.items() if k != LAST_APPLIED}
    return {**obj, "metadata": meta}
