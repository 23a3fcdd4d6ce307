"""ConfigMaps of notifications in namespaces whose configuration the controller does not read."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from serinus.api.resources import CONFIG_MAPS
from serinus.controller.notifications.sources import ConfigMap
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.informer import Informer
from serinus.notifications.names import CONFIG_MAP


class IgnoredConfigMaps:
    """`namespace`: the only one that is read. `tell(config_map, text)` is called for each ConfigMap elsewhere."""

    def __init__(
        self, client: Client, clock: Clock, rng: Random, namespace: str, tell: Callable[[ConfigMap, str], None]
    ) -> None:
        self._namespace, self._tell = namespace, tell
        self._config_maps: Informer[ConfigMap] = Informer(
            client,
            CONFIG_MAPS,
            ConfigMap,
            fields=f"metadata.name={CONFIG_MAP}",
            clock=clock,
            rng=rng,
            trim=lambda config_map: ConfigMap(config_map.metadata),
        )
        self._config_maps.on_change(self._changed)

    async def run(self) -> None:
        """Watches until cancelled. Without the right to list ConfigMaps of all namespaces it finds none."""
        await self._config_maps.run()

    def report(self) -> None:
        """Reports all of them, after the start of leading."""
        for config_map in self._config_maps.items.values():
            self._changed(None, config_map)

    def _changed(self, old: ConfigMap | None, new: ConfigMap | None) -> None:
        if old is None and new is not None and new.metadata.namespace != self._namespace:
            self._tell(
                new,
                f"the controller reads the configuration of notifications in namespace {self._namespace} only: move the "
                "keys there, or start the controller with --self-service-notification-enabled",
            )
