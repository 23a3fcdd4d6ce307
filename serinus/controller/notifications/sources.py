"""The current configurations of notifications: of the controller's namespace, and of other namespaces if allowed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import msgspec

from serinus.api.meta import ObjectMeta
from serinus.api.resources import CONFIG_MAPS, SECRETS
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.informer import Informer
from serinus.notifications.configuration import EMPTY, Configuration, ServiceDefinition, read_configuration
from serinus.notifications.limits import HOSTS_KEY, SERVICES_KEY, LimitedHttp, is_host_allowed, matches, not_allowed
from serinus.notifications.names import CONFIG_MAP, SECRET
from serinus.notifications.problems import ConfigurationProblem
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.services.service import ServiceContext

ANSWER_SECONDS = 2.0
"""Seconds for which a new leader waits for its configurations before it reconciles Rollouts."""

log = logging.getLogger(__name__)


class ConfigMap(msgspec.Struct):
    metadata: ObjectMeta
    data: dict[str, str] = {}


class Secret(msgspec.Struct):
    metadata: ObjectMeta
    data: dict[str, str] = {}


class NotificationSources:
    """`namespace`: the controller's own. `watched`: "" for all; None if only the own one may have a configuration.

    `tell` is called with the ConfigMap for each new problem, `changed` with each namespace that has a new
    configuration.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        rng: Random,
        *,
        namespace: str,
        watched: str | None,
        tell: Callable[[ConfigMap, ConfigurationProblem], None],
        changed: Callable[[str], None],
    ) -> None:
        self.namespace, self._self_service = namespace, watched is not None
        where = namespace if watched is None else watched
        self.config_maps: Informer[ConfigMap] = Informer(
            client, CONFIG_MAPS, ConfigMap, namespace=where, fields=f"metadata.name={CONFIG_MAP}", clock=clock, rng=rng
        )
        self.secrets: Informer[Secret] = Informer(
            client, SECRETS, Secret, namespace=where, fields=f"metadata.name={SECRET}", clock=clock, rng=rng
        )
        self.configurations: dict[str, Configuration] = {}
        self._tell, self._changed = tell, changed
        self.config_maps.on_change(self._changed_object)
        self.secrets.on_change(self._changed_object)

    async def run(self) -> None:
        """Keeps the configurations current until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.config_maps.run())
            tasks.create_task(self.secrets.run())

    async def synced(self) -> None:
        """Returns when all configurations have been read."""
        await self.config_maps.synced.wait()
        await self.secrets.synced.wait()

    async def answered(self) -> None:
        """Returns when all configurations have been read, or after ANSWER_SECONDS if the API server refuses that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.synced()

    def of(self, namespace: str) -> list[tuple[Configuration, str]]:
        """The configurations for objects of a namespace, each with the namespace in its state keys."""
        configurations: list[tuple[Configuration, str]] = []
        if (own := self.configurations.get(self.namespace)) is not None:
            configurations.append((own, ""))
        if self._self_service and namespace != self.namespace:
            other = self.configurations.get(namespace)
            if other is not None:
                configurations.append((other, namespace))
        return configurations

    def reach_of(
        self, namespace: str, service: ServiceDefinition, recipient: str, reach: ServiceContext
    ) -> ServiceContext | str:
        """The network access of a service in a namespace's configuration, or why the service is not allowed.

        Other namespaces have the limits of the controller's configuration, without the identity of its pod.
        """
        if namespace == self.namespace:
            return reach
        limits = self.configurations.get(self.namespace, EMPTY).limits
        types, hosts = limits.get(SERVICES_KEY), limits.get(HOSTS_KEY)
        if types is not None and not matches(service.type, types.of(namespace)):
            return f"{SERVICES_KEY} does not allow services of type {service.type} for namespace {namespace}"
        if hosts is None:
            return replace(reach, ambient=False)
        allowed = hosts.of(namespace)
        address = SERVICES[service.type].host(service.options, recipient)
        if address and not is_host_allowed(address, allowed):
            return not_allowed(address, namespace)
        return replace(reach, ambient=False, http=LimitedHttp(reach.http, allowed, namespace))

    def problems(self) -> list[tuple[ConfigMap, ConfigurationProblem]]:
        """All current problems, each with its ConfigMap."""
        return [
            (config_map, problem)
            for (namespace, _), config_map in self.config_maps.items.items()
            if (configuration := self.configurations.get(namespace)) is not None
            for problem in configuration.problems
        ]

    def _changed_object(self, old: ConfigMap | Secret | None, new: ConfigMap | Secret | None) -> None:
        some = new or old
        if some is not None:
            self._read(some.metadata.namespace)

    def _read(self, namespace: str) -> None:
        config_map = self.config_maps.items.get((namespace, CONFIG_MAP))
        secret = self.secrets.items.get((namespace, SECRET))
        if config_map is None:
            if self.configurations.pop(namespace, None) is not None:
                self._changed(namespace)
            return
        before = self.configurations.get(namespace, EMPTY)
        configuration = read_configuration(namespace, config_map.data, _decoded(secret), before)
        self.configurations[namespace] = configuration
        for problem in configuration.problems:
            if problem not in before.problems:
                fields = {"namespace": namespace, "configmap": CONFIG_MAP}
                level = logging.WARNING if problem.severity == "error" else logging.INFO
                log.log(level, "notifications: %s", problem, extra={"fields": fields})
                self._tell(config_map, problem)
        self._changed(namespace)


def _decoded(secret: Secret | None) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for key, value in (secret.data if secret is not None else {}).items():
        try:
            values[key] = base64.b64decode(value)
        except (binascii.Error, ValueError):
            continue
    return values
