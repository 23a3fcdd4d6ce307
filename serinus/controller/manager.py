"""The controller process: caches that are always synced, leader election, and workers while it leads."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random

from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.job import JOB_NAMESPACE
from serinus.analysis.providers.provider import ProviderContext
from serinus.api.analysis import AnalysisRun
from serinus.api.meta import WrittenMeta
from serinus.api.names import ALL_NAMESPACES, NOTIFICATION_NAMESPACES, OWN_NAMESPACE
from serinus.api.rollout import Rollout
from serinus.controller.analysis_runs import AnalysisRuns
from serinus.controller.apply import Applier
from serinus.controller.aws.elbv2 import Elbv2
from serinus.controller.aws.read_back import AwsReadBack
from serinus.controller.cache import Cache
from serinus.controller.events import Recorder, aborted_since
from serinus.controller.expectations import Writes
from serinus.controller.gateway_reader import GatewayReader, States
from serinus.controller.jobs import JobWatcher
from serinus.controller.marked_objects import MarkedObjects
from serinus.controller.messages import Subject
from serinus.controller.monitoring.metrics import Metrics
from serinus.controller.notifications.wiring import Notifying
from serinus.controller.reconcile import Reconciler, note
from serinus.controller.router_release import RouterReleaser
from serinus.controller.service_releaser import ServiceReleaser
from serinus.controller.snapshot import experiment_snapshot, snapshot
from serinus.controller.step_plugins import StepPlugins
from serinus.engine.core.plan import Event, Plan, Snapshot
from serinus.engine.experiment.experiment import plan_experiment
from serinus.engine.judging.weight_in_force import weight_in_force
from serinus.install.installation import LEASE
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.fair_queue import Lane
from serinus.kube.hands import Hands
from serinus.kube.informer import Key
from serinus.kube.lease import Election, LeaseSettings
from serinus.kube.queue import WorkQueue, work

log = logging.getLogger(__name__)

EVENTS_KEPT = 3600.0
"""Seconds for which an API server keeps Events (`--event-ttl`)."""

LAST_WORDS = 2.0
"""Seconds to write the waiting Events at shutdown."""


@dataclass(frozen=True, slots=True)
class Options:
    """`namespace`: "" for all. Ports: None disables the server, 0 takes any free port."""

    namespace: str = ""
    instance_id: str = ""
    workers: int = 10
    """Rollouts reconciled at once. A reconcile spends nearly all of its time waiting for the API."""
    analysis_workers: int = 30
    """AnalysisRuns reconciled at once. Runs that wait for a provider do not count (analysis/providers/lanes.py)."""
    only_analyses: bool = False
    """Another controller manages Rollouts and Experiments."""
    self_service_notifications: bool = False
    """Namespaces may have their own configurations of notifications."""
    resync: float = 900.0
    """Seconds between reconciles of every Rollout from the cache, without a call; 0: never."""
    aws_verify: bool = False
    """Read the weights of ALB Ingresses back from AWS."""
    aws_tag: str = "ingress.k8s.aws/resource"
    """The tag of a target group that names its Ingress and Service."""
    gateway: Callable[[], Awaitable[States]] | None = None
    """Asks the gateway of one machine which weights it has (`serinus up`)."""
    leader_elect: bool = True
    lease_namespace: str = "argo-rollouts"
    lease_duration: float = 4.0
    renew_deadline: float = 3.0
    retry_period: float = 0.5
    identity: str = field(default_factory=lambda: f"{socket.gethostname()}_{uuid.uuid4()}")
    address: str = "127.0.0.1"
    metrics_port: int | None = None
    health_port: int | None = None

    def lease(self) -> LeaseSettings:
        """The settings of the lease. ValueError if its times contradict each other."""
        name = f"{LEASE}-{self.instance_id}" if self.instance_id else LEASE
        read = ALL_NAMESPACES if self.self_service_notifications else OWN_NAMESPACE
        return LeaseSettings(
            name,
            self.lease_namespace,
            self.identity,
            self.lease_duration,
            self.renew_deadline,
            self.retry_period,
            {NOTIFICATION_NAMESPACES: read},
        )


class Controller:
    """All parts of the controller, connected. `plan` decides; the default is the engine's."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        rng: Random,
        *,
        options: Options | None = None,
        plan: Callable[[Snapshot], Plan] | None = None,
        metrics: Metrics | None = None,
        reach: ProviderContext | None = None,
        job_cluster: Client | None = None,
    ) -> None:
        self.options = options or Options()
        self._client, self._clock, self._rng = client, clock, rng
        self.metrics = metrics or Metrics()
        self.queue: WorkQueue[Key] = WorkQueue(clock, Random(rng.random()), lane=self._lane)
        self.experiment_queue: WorkQueue[Key] = WorkQueue(clock, Random(rng.random()), lane=_by_namespace)
        self.cache = Cache(
            client,
            clock,
            rng,
            self.queue.add,
            wake_experiment=self.experiment_queue.add,
            namespace=self.options.namespace,
            instance_id=self.options.instance_id,
        )
        self.recorder = Recorder(client, clock)
        self.reach = reach or ProviderContext(
            Http(),
            client,
            clock.now,
            namespace=self.options.lease_namespace,
            environment=os.environ,
            job_cluster=job_cluster,
        )
        self.reach = dataclasses.replace(self.reach, weight_of=self._weight_of)
        self._sending = self.reach.http if reach else Http()
        """Separate connections: messages to receivers use none of the analyses' connections."""
        self.notifying = Notifying(
            client,
            self.cache,
            clock,
            Random(f"{self.options.identity} notifications"),
            self._sending,
            self.reach.environment,
            self.metrics.notifications,
            namespace=self.options.lease_namespace,
            watched=self.options.namespace if self.options.self_service_notifications else None,
            everywhere=not self.options.namespace,
            tell=lambda about, event, kind: self.recorder.tell(about, event, kind=kind),
        )
        self.readers: list[AwsReadBack | GatewayReader] = []
        self.read_back: AwsReadBack | None = None
        if self.options.aws_verify:
            elbv2 = Elbv2(self.reach, tag=self.options.aws_tag)
            asking: WorkQueue[Key] = WorkQueue(clock, Random(rng.random()))
            self.read_back = AwsReadBack(elbv2, self.cache, asking, clock, self.queue.add)
            self.readers.append(self.read_back)
        read = self.options.gateway
        self.gateway = GatewayReader(read, self.cache, self.queue.add) if read else None
        self.readers += [self.gateway] if self.gateway else []
        self._hands = Hands(self.options.workers)
        plugins = StepPlugins(client, self.options.lease_namespace, self._hands)
        applier = Applier(
            client,
            clock,
            Writes(),
            self._tell,
            note,
            plugins.call,
            self.cache.resource,
            messages=self.notifying.notifications,
        )
        self.reconciler = Reconciler(
            self.cache,
            self.cache.rollouts,
            applier,
            self.queue,
            clock,
            see=partial(
                snapshot,
                read_back=self.read_back.known if self.read_back else None,
                gateway=self.gateway.known if self.gateway else None,
            ),
            plan=plan or _engine_plan(),
            measures=self.metrics,
            tell_waits=self.metrics.waits,
        )
        self.experimenter = Reconciler(
            self.cache,
            self.cache.experiments,
            Applier(client, clock, Writes(), self._tell, note, messages=self.notifying.notifications),
            self.experiment_queue,
            clock,
            see=experiment_snapshot,
            plan=plan_experiment,
            measures=self.metrics.experiments,
        )
        self.run_queue: WorkQueue[Key] = WorkQueue(clock, Random(rng.random()), lane=_by_namespace)
        self._run_hands = Hands(self.options.analysis_workers)
        self.jobs = JobWatcher(
            job_cluster or client,
            clock,
            rng,
            namespace=self.options.namespace and (self.reach.environment.get(JOB_NAMESPACE) or self.options.namespace),
            ended=lambda run, metric: self.runs.wake(run, metric),
        )
        self.runs = AnalysisRuns(
            client,
            self.cache.analysis_runs,
            self.run_queue,
            clock,
            self.reach,
            lambda run, event: self.recorder.tell(run, event, kind="AnalysisRun"),
            resolves=self.jobs.need,
            measures=self.metrics.runs,
            hands=self._run_hands,
            messages=self.notifying.notifications,
        )
        self.cache.analysis_runs.on_change(self._run_changed)
        for informer in (self.cache.rollouts, self.cache.experiments, self.cache.analysis_runs):
            informer.on_unreadable(partial(self._unreadable, informer.resource.kind))
        self.election = Election(client, clock, rng, self.options.lease()) if self.options.leader_elect else None
        services: WorkQueue[Key] = WorkQueue(clock, Random(rng.random()))
        self.releaser = ServiceReleaser(client, self.cache, services, clock)
        routed: WorkQueue[Key] = WorkQueue(clock, Random(rng.random()))
        self.router_releaser = RouterReleaser(client, self.cache, routed, clock)
        self.marked = MarkedObjects(client, self.cache, self.options.namespace)
        queues = {"Rollouts": self.queue, "Experiments": self.experiment_queue, "AnalysisRuns": self.run_queue}
        aside = {
            "Rollout": self.reconciler.aside.__len__,
            "Experiment": self.experimenter.aside.__len__,
            "AnalysisRun": self.runs.aside.__len__,
        }
        self.metrics.watch(self.cache, {**queues, "Services": services, "Routers": routed}, aside)
        self._working = False
        self.cache.rollouts.on_change(self._introduce)

    def _weight_of(self, run: AnalysisRun) -> float | None:
        owner = run.metadata.controller()
        rollout = self.cache.rollouts.items.get((run.metadata.namespace, owner.name)) if owner else None
        return weight_in_force(rollout, run) if rollout is not None else None

    async def run(self) -> None:
        """Runs until cancelled, then stops at once. Another process continues from the written state."""
        options = self.options
        async with _serving(self) as ports:
            if ports:
                log.info("listening", extra={"fields": {"address": options.address, **ports}})
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.cache.run())
                    if not options.only_analyses:
                        tasks.create_task(self.notifying.watch())
                    tasks.create_task(self._lead() if self.election is None else self.election.run(self._lead))
                    if options.resync > 0:
                        tasks.create_task(self._resync())
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WORDS):
                        await self.recorder.flush()
                await self.reach.close()
                await self._sending.close()

    def not_ready(self) -> str:
        """Why the caches are not synced, or have lost their connection; "" if they are current."""
        for informer in self.cache.informers():
            if not informer.synced.is_set() or informer.error:
                return f"{informer.resource.plural}: {informer.error or 'not listed yet'}"
        return ""

    def _lane(self, key: Key) -> Lane:
        """Unsettled Rollouts precede settled ones. Namespaces take turns, so a large namespace delays no other."""
        rollout = self.cache.rollouts.items.get(key)
        settled = (
            rollout is not None
            and rollout.status.phase == "Healthy"
            and rollout.status.observed_generation == str(rollout.metadata.generation)
        )
        return not settled, key[0]

    async def _lead(self) -> None:
        await self.cache.synced()
        if not self.options.only_analyses:
            await self.notifying.sources.answered()
        log.info("working", extra={"fields": {"rollouts": len(self.cache.rollouts.items)}})
        try:
            self._queue_all()
            self._working = True
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.recorder.run())
                tasks.create_task(self.notifying.lead())
                tasks.create_task(self.jobs.run())
                if not self.options.only_analyses:
                    if self.gateway is not None:  # a confirmed weight stays confirmed in the first pass
                        await self.gateway.refresh()
                    for part in (self.releaser, self.router_releaser, self.marked, *self.readers):
                        tasks.create_task(part.run())
                    rollouts = (self.queue, self.reconciler, self._hands)
                    trials = (self.experiment_queue, self.experimenter, Hands(self.options.workers))
                    for queue, reconciler, hands in (rollouts, trials):
                        tasks.create_task(work(queue, reconciler, workers=hands, failed=reconciler.failed))
                hands = self._run_hands
                tasks.create_task(work(self.run_queue, self.runs, workers=hands, failed=self.runs.failed))
        finally:
            self._working = False

    def _queue_all(self) -> None:
        for key, rollout in self.cache.rollouts.items.items():
            self.queue.add(key)
            if not rollout.status.observed_generation:
                self._added(rollout)  # others already have this Event
            if missed := aborted_since(rollout, self._clock.now() - EVENTS_KEPT):
                self.recorder.tell_if_absent(rollout, *missed)
        for key in self.cache.analysis_runs.items:
            self.run_queue.add(key)
        for key in self.cache.experiments.items:
            self.experiment_queue.add(key)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self.options.resync)
            for key, rollout in self.cache.rollouts.items.items():
                self.queue.add(key)
                self.notifying.notifications.rollout_changed(rollout, rollout)

    def _run_changed(self, old: AnalysisRun | None, new: AnalysisRun | None) -> None:
        some = new or old
        if some is not None and self._working:
            key = (some.metadata.namespace, some.metadata.name)
            self.runs.changed(key, new)
            self.run_queue.add(key)

    def _unreadable(self, kind: str, key: Key, uid: str, why: str) -> None:
        """Reports an unreadable object only by an Event, because its status cannot be read either."""
        about = Rollout(WrittenMeta(name=key[1], namespace=key[0], uid=uid))
        self.recorder.tell(about, Event("SetAside", f"it cannot be read: {why}", "Warning"), kind=kind)

    def _introduce(self, old: Rollout | None, new: Rollout | None) -> None:
        if self._working and old is None and new is not None:
            self._added(new)
        if self._working and old is not None and new is not None:
            self.metrics.durations.changed(old, new)
        if self._working and new is None and old is not None:
            text = f"Rollout {old.metadata.name}/{old.metadata.namespace} is deleted."
            event = Event("RolloutDeleted", text)
            self._tell(old, event)
            self.notifying.notifications.happened(lambda: old, [event])

    def _added(self, rollout: Rollout) -> None:
        name = f"{rollout.metadata.namespace}/{rollout.metadata.name}"
        event = Event("RolloutAddedToInformer", f"Rollout resource added to informer: {name}")
        self._tell(rollout, event)
        self.notifying.notifications.happened(lambda: rollout, [event])

    def _tell(self, about: Subject, event: Event) -> None:
        if isinstance(about, Rollout):
            self.metrics.told(about, event)
        self.recorder.tell(about, event, kind="Rollout" if isinstance(about, Rollout) else "Experiment")


async def run_controller(
    client: Client,
    clock: Clock,
    rng: Random,
    *,
    options: Options | None = None,
    plan: Callable[[Snapshot], Plan] | None = None,
    metrics: Metrics | None = None,
    reach: ProviderContext | None = None,
    job_cluster: Client | None = None,
) -> None:
    """Runs a controller until cancelled. `reach`: the network access of analysis providers, if not the real network.

    `job_cluster`: the cluster that runs the Jobs of analyses, if not this one.

    ValueError if the options contradict each other; `ports.PortTaken` if a port cannot be opened.
    """
    await Controller(
        client, clock, rng, options=options, plan=plan, metrics=metrics, reach=reach, job_cluster=job_cluster
    ).run()


def _by_namespace(key: Key) -> Lane:
    return True, key[0]


def lease_namespace(fallback: str) -> str:
    """The namespace of the Lease: the controller's own, from POD_NAMESPACE."""
    return os.environ.get("POD_NAMESPACE") or fallback


def _engine_plan() -> Callable[[Snapshot], Plan]:
    from serinus.engine.planner import plan

    return plan


def _serving(controller: Controller) -> AbstractAsyncContextManager[dict[str, int]]:
    from serinus.controller.monitoring.health import serving  # aiohttp's server: not needed without ports

    options = controller.options
    metrics = None if options.metrics_port is None else (options.metrics_port, controller.metrics.text)
    health = None if options.health_port is None else (options.health_port, controller.not_ready)
    return serving(options.address, metrics=metrics, health=health)
