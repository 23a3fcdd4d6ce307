"""Connects the parts of notifications: configurations, due messages, stored state, and sending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random

from serinus.controller.cache import Cache
from serinus.controller.notifications.ignored import IgnoredConfigMaps
from serinus.controller.notifications.memory import Memories
from serinus.controller.notifications.notifications import Notifications
from serinus.controller.notifications.repetitions import Repetitions
from serinus.controller.notifications.results import Results
from serinus.controller.notifications.sending import Sender
from serinus.controller.notifications.series import NotificationSeries
from serinus.controller.notifications.sources import ConfigMap, NotificationSources
from serinus.controller.notifications.subject import Subject
from serinus.engine.core.plan import Event
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue, work
from serinus.notifications.delivery import Delivery
from serinus.notifications.problems import ConfigurationProblem
from serinus.notifications.services.service import HttpSender, ServiceContext


def _forget(series: NotificationSeries, gone: Subject) -> None:
    series.forget((gone.metadata.namespace, gone.metadata.name))


class Notifying:
    """`namespace`: the controller's own. `watched`: other namespaces with configurations, "" for all; None for none.

    `everywhere`: the controller works in all namespaces, and so sees ConfigMaps that it does not use.
    `tell`: records an Event about an object of a kind.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        clock: Clock,
        rng: Random,
        http: HttpSender,
        environment: Mapping[str, str],
        series: NotificationSeries,
        *,
        namespace: str,
        watched: str | None,
        everywhere: bool = False,
        tell: Callable[[Subject | ConfigMap, Event, str], None],
    ) -> None:
        self._queue: WorkQueue[Key] = WorkQueue(clock, Random(rng.random()))
        self._memories = Memories(client, self._queue)
        self._tell = tell
        self._leads = False
        self.sources = NotificationSources(
            client,
            clock,
            Random(rng.random()),
            namespace=namespace,
            watched=watched,
            tell=self._problem,
            changed=lambda _: self.notifications.configuration_changed(),
        )
        repetitions = Repetitions(clock)
        self._ignored: IgnoredConfigMaps | None = None
        if everywhere and watched is None:
            self._ignored = IgnoredConfigMaps(client, clock, Random(rng.random()), namespace, self._warn)
        reach = ServiceContext(http, clock.now, environment)
        results = Results(cache, clock, self.sources, self._memories, repetitions, reach, series, tell)
        self._delivery = delivery = Delivery(results, clock)
        sender = Sender(clock, self._memories, repetitions, delivery, results.give_up)
        self.notifications = Notifications(cache, clock, self.sources, self._memories, repetitions, sender, series)
        series.waiting = lambda: (len(delivery.waiting()), delivery.waiting_bytes)
        series.problems, series.now = self._broken_keys, clock.now
        kinds = (cache.rollouts, cache.experiments, cache.analysis_runs)
        series.exists = lambda key: any(key in informer.items for informer in kinds)
        for informer in kinds:
            informer.on_change(lambda old, new: _forget(series, old) if new is None and old is not None else None)
        cache.rollouts.on_change(self.notifications.rollout_changed)

    async def watch(self) -> None:
        """Keeps the configurations current until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.sources.run())
            if self._ignored is not None:
                tasks.create_task(self._ignored.run())

    async def lead(self) -> None:
        """Sends until cancelled; for the leader. It sends nothing before the configurations are read."""
        await self.sources.synced()
        self._leads = True
        for config_map, problem in self.sources.problems():
            self._problem(config_map, problem)
        if self._ignored is not None:
            self._ignored.report()
        self.notifications.lead()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._delivery.run())
                tasks.create_task(work(self._queue, self._memories.write))
        finally:
            self._leads = False
            self.notifications.rest()
            self._delivery.clear()

    def _problem(self, config_map: ConfigMap, problem: ConfigurationProblem) -> None:
        if self._leads and problem.severity == "error":
            self._tell(config_map, Event("NotificationConfigInvalid", str(problem), "Warning"), "ConfigMap")

    def _warn(self, config_map: ConfigMap, text: str) -> None:
        if self._leads:
            self._tell(config_map, Event("NotificationConfigIgnored", text, "Warning"), "ConfigMap")

    def _broken_keys(self) -> list[tuple[str, str]]:
        return [
            (namespace, problem.key)
            for namespace, configuration in self.sources.configurations.items()
            for problem in configuration.problems
            if problem.severity == "error"
        ]
