"""Metrics with the names of Argo Rollouts, so that existing dashboards and alerts work.

Each scrape reads the gauges from the cache: a series exists exactly as long as its Rollout. Counters and histograms of
a Rollout are removed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serinus import __version__
from serinus.api.resources import BUILT_IN, ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.controller.monitoring.analysis_metrics import AnalysisGauges
from serinus.controller.monitoring.duration_series import Durations
from serinus.controller.monitoring.vectors import Events, Reconciles, gauge, text
from serinus.controller.notifications.series import NotificationSeries
from serinus.engine.core.plan import Event
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue
from serinus.kube.transport import Handler, Request, Response
from serinus.routing.registry import routers_of

_KINDS = {resource.plural: resource.kind for resource in (*BUILT_IN, ROLLOUTS)}


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._rollouts = Reconciles("rollout")
        self.experiments, self.runs = Reconciles("experiment"), Reconciles("analysis_run")
        self._events = Events()
        self.notifications = NotificationSeries()
        self.durations = Durations(r)
        self._cache: Cache | None = None
        self._requests = Counter(
            "controller_clientset_k8s_request",
            "Requests to the API server.",
            ["kind", "namespace", "name", "verb", "status_code"],
            registry=r,
        )

        self._counters: dict[tuple[str, str, str, int], Counter] = {}
        self._waits: dict[Key, tuple[tuple[str, str], ...]] = {}

    def watch(
        self, cache: Cache, queues: Mapping[str, WorkQueue[Key]], aside: Mapping[str, Callable[[], int]] | None = None
    ) -> None:
        """Adds the gauges of the cache and the queues, by name. `aside`: kind -> number of objects set aside."""
        self._cache = cache
        self.registry.register(_Gauges(cache, queues, aside or {}))
        self.registry.register(AnalysisGauges(cache))

    def reconciled(self, key: Key, seconds: float) -> None:
        self._rollouts.reconciled(key, seconds)

    def failed(self, key: Key) -> None:
        self._rollouts.failed(key)

    def waits(self, key: Key, reasons: tuple[tuple[str, str], ...]) -> None:
        """Records why the Rollout waits: (code of `engine/core/wait_reasons.py`, cause of unready pods or "")."""
        if reasons:
            self._waits[key] = reasons
        else:
            self._waits.pop(key, None)

    def told(self, rollout: Rollout, event: Event) -> None:
        self._events.told((rollout.metadata.namespace, rollout.metadata.name), event.type, event.reason)

    def forget(self, key: Key) -> None:
        """Removes the series of a deleted Rollout."""
        self._waits.pop(key, None)
        self._rollouts.forget(key)
        self._events.forget(key)

    def counting(self, handler: Handler) -> Handler:
        """The handler with its requests counted. Labels omit object names, whose number is unbounded."""

        async def counted(request: Request) -> Response:
            kind, namespace = _subject(request.path)
            verb = "Watch" if request.query.get("watch") == "true" else request.method.capitalize()
            try:
                answer = await handler(request)
            except Exception:
                self._requested(kind, namespace, verb, 0)
                raise
            self._requested(kind, namespace, verb, answer.status)
            return answer

        return counted

    def _requested(self, kind: str, namespace: str, verb: str, status: int) -> None:
        labels = (kind, namespace, verb, status)
        counter = self._counters.get(labels)
        if counter is None:  # looking up a series by labels costs more than counting
            counter = self._counters[labels] = self._requests.labels(kind, namespace, "", verb, str(status))
        counter.inc()

    def text(self) -> bytes:
        """The metrics in the exposition format of Prometheus."""
        series = (self._rollouts, self.experiments, self.runs, self._events, self.notifications)
        pieces = [*(line for one in series for line in one.lines()), *self._gauges()]
        return generate_latest(self.registry) + "".join(pieces).encode()

    def _gauges(self) -> Iterator[str]:
        rollouts = self._cache.rollouts.items if self._cache is not None else {}
        infos = (
            (key, f',phase="{phase(r)}",strategy="{_strategy(r)}",traffic_router="{text(_router(r))}"', 1)
            for key, r in rollouts.items()
        )
        yield from gauge("rollout_info", "One for each Rollout.", infos)
        phases = (
            (key, f',phase="{one}",strategy="{_strategy(r)}"', phase(r) == one)
            for key, r in rollouts.items()
            for one in PHASES
        )
        yield from gauge("rollout_phase", "1 for the phase that it is in. Deprecated: rollout_info has it.", phases)
        for name, number in _REPLICAS.items():
            values = ((key, "", number(r)) for key, r in rollouts.items())
            yield from gauge(f"rollout_info_replicas_{name}", f"Pods {name}.", values)
        reasons = (
            (key, f',reason="{text(reason)}"', 1)
            for key, waits in self._waits.items()
            for reason in dict.fromkeys(reason for reason, _ in waits)
        )
        yield from gauge("rollout_waiting", "1 for each reason to wait.", reasons)
        causes = (
            (key, f',reason="{text(reason)}",cause="{text(cause)}"', 1)
            for key, waits in self._waits.items()
            for reason, cause in dict.fromkeys(waits)
            if cause
        )
        yield from gauge("rollout_waiting_cause", "1 for what keeps pods that are waited for from being ready.", causes)


_REPLICAS: dict[str, Callable[[Rollout], int]] = {
    "available": lambda r: r.status.available_replicas,
    "unavailable": lambda r: max(0, r.status.replicas - r.status.available_replicas),
    "desired": lambda r: 1 if r.spec.replicas is None else r.spec.replicas,
    "updated": lambda r: r.status.updated_replicas,
}


class _Gauges(Collector):
    def __init__(
        self, cache: Cache, queues: Mapping[str, WorkQueue[Key]], aside: Mapping[str, Callable[[], int]]
    ) -> None:
        self._cache, self._queues, self._aside = cache, queues, aside

    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait for work.", labels=["name"])
        adds = CounterMetricFamily("workqueue_adds", "Keys that were added.", labels=["name"])
        retries = CounterMetricFamily(
            "workqueue_retries", "Keys that are tried again after a failure.", labels=["name"]
        )
        for name, queue in self._queues.items():
            depth.add_metric([name], len(queue))
            adds.add_metric([name], queue.added)
            retries.add_metric([name], queue.retried)
        yield from (depth, adds, retries)
        unreadable = GaugeMetricFamily(
            "rollout_unreadable_objects", "Objects that could not be read, or not in full.", labels=["kind", "extent"]
        )
        for informer in self._cache.informers():
            unreadable.add_metric([informer.resource.kind, "object"], len(informer.invalid))
            unreadable.add_metric([informer.resource.kind, "field"], len(informer.partial))
        yield unreadable
        aside = GaugeMetricFamily(
            "rollout_set_aside_objects", "Objects that the controller could not work on the last time.", labels=["kind"]
        )
        for kind, count in self._aside.items():
            aside.add_metric([kind], count())
        yield aside
        controller = GaugeMetricFamily("argo_rollouts_controller_info", "The running version.", labels=["version"])
        controller.add_metric([__version__], 1)
        yield controller
        build = GaugeMetricFamily("build_info", "The build.", labels=["version", "goversion", "goarch", "commit"])
        build.add_metric([__version__, "", "", ""], 1)
        yield build


PHASES = ("Completed", "Progressing", "Paused", "Timeout", "Error", "Abort", "InvalidSpec")


def phase(rollout: Rollout) -> str:
    """The phase for the phase labels of the metrics: from the conditions, not from status.phase."""
    conditions = {c.type: c for c in rollout.status.conditions}
    if (invalid := conditions.get("InvalidSpec")) and invalid.status == "True":
        return "InvalidSpec"
    if "WriteRefused" in conditions or "SetAside" in conditions:
        return "Error"
    progressing = conditions.get("Progressing")
    if progressing is None:
        return "Progressing"
    by_reason = {
        "NewReplicaSetAvailable": "Completed",
        "ProgressDeadlineExceeded": "Timeout",
        "RolloutAborted": "Abort",
        "RolloutPaused": "Paused",
        "ReplicaSetCreateError": "Error",
        "RolloutAnalysisRunFailed": "Error",
    }
    return by_reason.get(progressing.reason, "Progressing")


def _strategy(rollout: Rollout) -> str:
    strategy = rollout.spec.strategy
    return "canary" if strategy.canary else "blueGreen" if strategy.blue_green else "none"


def _router(rollout: Rollout) -> str:
    used = routers_of(rollout.spec)
    return used[0].router.key if used else ""


def _subject(path: str) -> tuple[str, str]:
    """(kind, namespace) of a request's path."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        return _KINDS.get(rest[2], rest[2]), rest[1]
    return (_KINDS.get(rest[0], rest[0]), "") if rest else ("", "")
