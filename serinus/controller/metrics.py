"""Metrics as Argo Rollouts names them, so that dashboards and alerts go on working.

Gauges are read from the cache while they are asked for: a series lives exactly as long as its Rollout. Counters and
histograms of a Rollout are removed with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serinus import __version__
from serinus.api.resources import BUILT_IN, ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.controller.analysis_metrics import AnalysisGauges
from serinus.controller.cache import Cache
from serinus.engine.plan import Event
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue
from serinus.kube.wire import Handler, Request, Response
from serinus.routing.registry import routers_of

_OWNER = ["namespace", "name"]
_KINDS = {resource.plural: resource.kind for resource in (*BUILT_IN, ROLLOUTS)}


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._reconcile = Histogram(
            "rollout_reconcile", "Seconds of a reconcile.", _OWNER, registry=r, buckets=(0.01, 0.15, 0.25, 0.5, 1)
        )
        self._errors = Counter("rollout_reconcile_error", "Reconciles that failed.", _OWNER, registry=r)
        self._events = Counter("rollout_events", "Events told of a Rollout.", [*_OWNER, "type", "reason"], registry=r)
        self._requests = Counter(
            "controller_clientset_k8s_request",
            "Requests to the API server.",
            ["kind", "namespace", "name", "verb", "status_code"],
            registry=r,
        )

        self._counters: dict[tuple[str, str, str, int], Counter] = {}
        self._waits: dict[Key, tuple[str, ...]] = {}

    def watch(self, cache: Cache, queue: WorkQueue[Key]) -> None:
        """Adds the gauges that are read from the cache and the queue."""
        self.registry.register(_Gauges(cache, queue, self._waits))
        self.registry.register(AnalysisGauges(cache))

    def reconciled(self, key: Key, seconds: float) -> None:
        self._reconcile.labels(*key).observe(seconds)

    def waits(self, key: Key, reasons: tuple[str, ...]) -> None:
        """Why the Rollout waits now: codes of `engine/waits.py`."""
        if reasons:
            self._waits[key] = reasons
        else:
            self._waits.pop(key, None)

    def failed(self, key: Key) -> None:
        self._errors.labels(*key).inc()

    def told(self, rollout: Rollout, event: Event) -> None:
        self._events.labels(rollout.metadata.namespace, rollout.metadata.name, event.type, event.reason).inc()

    def forget(self, key: Key) -> None:
        """Removes the series of a Rollout that is gone."""
        self._waits.pop(key, None)
        labels = dict(zip(_OWNER, key, strict=True))
        for family in (self._reconcile, self._errors, self._events):
            family.remove_by_labels(labels)

    def counting(self, handler: Handler) -> Handler:
        """The handler, with its requests counted. Names are not told apart: they come and go forever."""

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
        if counter is None:  # finding a series by its labels costs more than to count
            counter = self._counters[labels] = self._requests.labels(kind, namespace, "", verb, str(status))
        counter.inc()

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self.registry)


class _Gauges(Collector):
    def __init__(self, cache: Cache, queue: WorkQueue[Key], waits: dict[Key, tuple[str, ...]]) -> None:
        self._cache, self._queue, self._waits = cache, queue, waits

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily(
            "rollout_info", "One for each Rollout.", labels=[*_OWNER, "strategy", "traffic_router", "phase"]
        )
        counts = {
            name: GaugeMetricFamily(f"rollout_info_replicas_{name}", f"Pods {name}.", labels=_OWNER)
            for name in ("available", "unavailable", "desired", "updated")
        }
        for key, rollout in self._cache.rollouts.items.items():
            spec, status = rollout.spec, rollout.status
            desired = 1 if spec.replicas is None else spec.replicas
            info.add_metric([*key, _strategy(rollout), _router(rollout), phase(rollout)], 1)
            numbers = {
                "available": status.available_replicas,
                "unavailable": max(0, status.replicas - status.available_replicas),
                "desired": desired,
                "updated": status.updated_replicas,
            }
            for name, number in numbers.items():
                counts[name].add_metric(list(key), number)
        yield info
        yield from counts.values()
        waiting = GaugeMetricFamily("rollout_waiting", "1 for each reason to wait.", labels=[*_OWNER, "reason"])
        for key, reasons in self._waits.items():
            for reason in dict.fromkeys(reasons):
                waiting.add_metric([*key, reason], 1)
        yield waiting
        depth = GaugeMetricFamily("workqueue_depth", "Keys that wait for work.", labels=["name"])
        depth.add_metric(["Rollouts"], len(self._queue))
        yield depth
        controller = GaugeMetricFamily("argo_rollouts_controller_info", "The running version.", labels=["version"])
        controller.add_metric([__version__], 1)
        yield controller
        build = GaugeMetricFamily("build_info", "The build.", labels=["version", "goversion", "goarch", "commit"])
        build.add_metric([__version__, "", "", ""], 1)
        yield build


def phase(rollout: Rollout) -> str:
    """The phase as this metric has always told it: from the conditions, not from status.phase."""
    found = {c.type: c for c in rollout.status.conditions}
    if (invalid := found.get("InvalidSpec")) and invalid.status == "True":
        return "InvalidSpec"
    progressing = found.get("Progressing")
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
    canary = rollout.spec.strategy.canary
    names = [router.name for router in routers_of(canary.traffic_routing)] if canary else []
    return names[0] if names else ""


def _subject(path: str) -> tuple[str, str]:
    """(kind, namespace) of a request's path."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        return _KINDS.get(rest[2], rest[2]), rest[1]
    return (_KINDS.get(rest[0], rest[0]), "") if rest else ("", "")
