"""The API data of containers: image rules are watched; ConfigMaps and Secrets are read on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import CONFIG_MAPS, SECRETS
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import NotFound
from serinus.kube.informer import Informer
from serinus.local.node.environment import Source
from serinus.local.node.images import CONFIG_MAP, KEY, SHARED_NAMESPACE, ImageRule, config_map_place, read_rules


class _ConfigMap(msgspec.Struct):
    metadata: ObjectMeta
    data: dict[str, str] | None = None


class ApiConfig:
    """`first`: image rules that precede those of the ConfigMaps."""

    def __init__(self, client: Client, clock: Clock, first: Sequence[ImageRule] = ()) -> None:
        self._client, self._first = client, first
        self.informer = Informer(client, CONFIG_MAPS, _ConfigMap, clock=clock, fields=f"metadata.name={CONFIG_MAP}")
        self.informer.on_change(self._on_change)
        self._waiting: set[asyncio.Event] = set()

    def _on_change(self, old: _ConfigMap | None, new: _ConfigMap | None) -> None:
        for event in self._waiting:
            event.set()

    async def rules(self, namespace: str) -> Sequence[ImageRule]:
        await self.informer.synced.wait()
        rules: list[ImageRule] = list(self._first)
        for space in dict.fromkeys((namespace, SHARED_NAMESPACE)):
            config_map = self.informer.items.get((space, CONFIG_MAP))
            text = (config_map.data or {}).get(KEY) if config_map is not None else None
            if text:
                rules += read_rules(text, config_map_place(space))
        return rules

    async def changed(self, timeout: float) -> None:
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return
        finally:
            self._waiting.discard(event)

    async def fetch(self, namespace: str, sources: set[Source]) -> dict[Source, Json]:
        objects: dict[Source, Json] = {}
        for kind, name in sources:
            try:
                objects[(kind, name)] = await self._client.get(
                    CONFIG_MAPS if kind == "ConfigMap" else SECRETS, name, namespace
                )
            except NotFound:
                continue
        return objects
