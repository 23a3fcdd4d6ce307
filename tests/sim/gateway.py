"""The gateway that clients send through, and the requests they would lose.

It receives Ingresses and the endpoints of Services with a delay of its own for each object, in order for one object
and in any order between them. Requests are sent at every instant. So each change of the gateway's state or of a pod
checks every path that a request may take. A path that ends at a pod that does not serve, or at a Service without
endpoints, is a lost request.

Like ingress-nginx, it sends the canary's share to the main Service while it has no endpoint of the canary's:
that is no loss where endpoints exist and it will receive them.

Only these excuse a loss:
- before a Service selected a serving pod for the first time, while the Rollout is gone, while its own numbers allow that
  no pod serves, and for `PATIENCE` after that (a controller that has not received the change yet may rightly remove
  the last pod);
- a pod that the history crashed loses its requests until the gateway has received the crash;
- another client edited or deleted the canary Ingress, until the gateway has received the next write of a controller;
- a Service whose every remaining pod of the revision it selects was crashed or evicted by the history within `PATIENCE`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from serinus.api.names import HASH
from serinus.api.values.int_or_percent import scaled
from tests.sim.loop import Loop
from tests.sim.routers import CANARY, RouterModel
from tests.sim.store import Change, Store
from tests.sim.workloads import Workloads

Json = dict[str, Any]
SLOWEST = 0.5
"""Seconds after which the gateway has received every change."""

REPORTER = "gateway"
"""The writer of reports."""

PATIENCE = 60.0
"""Seconds for which a pod removed by the history excuses the losses that follow."""


class Gateway:
    """`entry`: the Service that requests enter by. `model`: the router's; the gateway reads its object.

    `lose` is called with a sentence for each loss.
    """

    def __init__(
        self,
        loop: Loop,
        store: Store,
        workloads: Workloads,
        rng: Random,
        entry: str,
        model: RouterModel,
        reports: float = 0.0,
    ) -> None:
        self.loop, self.store, self.workloads, self.rng = loop, store, workloads, rng
        self.entry, self.model, self.reports = entry, model, reports
        self.endpoints: dict[str, tuple[str, ...]] = {}
        """By Service, in the gateway's state: names of pods."""
        self.canary: tuple[str, float] = ("", 0.0)
        """(Service, share of the requests) in the canary Ingress, in the gateway's state."""
        self.main: Callable[[], str] = lambda: entry
        """The Service of the stable version. The other one's share goes there while that has no endpoint in the gateway's state."""
        self.trials: dict[str, float] = {}
        """By Service of an experiment: its share, in the gateway's state."""
        self.by_header = False
        """Whether requests with a header go to the canary Service, in the gateway's state."""
        self.foreign = False
        """Whether the gateway's state of the canary Ingress comes from another writer's edit or deletion."""
        self.answered: set[str] = set()
        """Services that selected a serving pod before."""
        self.left: dict[str, float] = {}
        """By revision: when the last request could go there, by the gateway's state."""
        self.idle = float("inf")
        """Until when a lost request is excused."""
        self.routed = False
        self.formerly: dict[str, list[tuple[float, str]]] = {}
        """By Service: its earlier selectors, and until when."""
        self.lose: Callable[[str], None] = lambda what: None
        self._due: set[str] = set()
        self._heard: dict[str, float] = {}
        store.listeners.append(self._seen)
        workloads.on_serving = self.look

    def _seen(self, change: Change) -> None:
        if change.plural == "pods":
            self._pod_seen(change)
        elif change.plural == "services":
            if change.old is not None:
                self.formerly.setdefault(change.name, []).append((self.loop.at, selected(change.old)))
            self._later(change.name)
        elif change.plural == "rollouts":
            self.routed = change.new is not None and not is_basic(change.new["spec"])
            if change.new is None or may_have_none(change.new):
                self.idle = float("inf")
                self.answered.clear()
            elif self.idle == float("inf"):
                self.idle = self.loop.at + (PATIENCE if change.old else 0)
        elif change.by != REPORTER:
            self._route_seen(change)

    def _route_seen(self, change: Change) -> None:
        """The router's object, or the one with its header route."""
        if (change.plural, change.name) == self.model.header_object:
            there = change.new is not None and self.model.headers(change.new)
            self._tell("header route", lambda: setattr(self, "by_header", there))
        elif (change.plural, change.name) == (self.model.plural, self.model.name):
            told, foreign = self._weight_of(change.new), not change.by.startswith("controller-")
            headers = change.new is not None and self.model.headers(change.new)
            trials, received = self._trials_of(change.new), change.new

            def hear() -> None:
                self.canary, self.foreign, self.trials = told, foreign, trials
                if self.model.header_object is None:
                    self.by_header = headers
                if self.reports and received is not None:
                    self.loop.call_later(self.reports, self._report, received["metadata"])

            self._tell("ingress", hear)

    def _pod_seen(self, change: Change) -> None:
        labels = [obj["metadata"].get("labels") or {} for obj in (change.old, change.new) if obj]
        for service in self.store.all("services"):
            if any(matches(service, each) for each in labels):
                self._later(service["metadata"]["name"])

    def _weight_of(self, obj: Json | None) -> tuple[str, float]:
        """(Service, share) in the router's object."""
        found = self.model.weight(obj) if obj is not None else None
        return (found[0], min(1.0, max(0.0, found[1] / found[2]))) if found else ("", 0.0)

    def _trials_of(self, obj: Json | None) -> dict[str, float]:
        """Service of an experiment -> its share of the requests, in the router's object."""
        found = self.model.weight(obj) if obj is not None else None
        given = self.model.trials(obj) if obj is not None else {}
        return {name: weight / found[2] for name, weight in given.items()} if found else {}

    def _report(self, received: Json) -> None:
        """Writes into the status that the object of this generation is in force."""
        seen = self.store.get(self.model.plural, self.model.name)
        if self.model.report is not None and seen is not None and seen["metadata"]["uid"] == received["uid"]:
            status = {"status": self.model.report(received["generation"])}
            self.store.patch(self.model.plural, self.model.name, status, REPORTER)

    def _later(self, name: str) -> None:
        """The endpoints controller acts a moment later; the gateway receives its write later still."""
        if name not in self._due:
            self._due.add(name)
            self.loop.call_later(self.rng.uniform(0.0, 0.1), self._publish, name)

    def _publish(self, name: str) -> None:
        self._due.discard(name)
        service = self.store.get("services", name)
        found = () if service is None else self.endpoints_of(service)
        self._tell(name, lambda: self.endpoints.__setitem__(name, found))

    def endpoints_of(self, service: Json) -> tuple[str, ...]:
        return tuple(
            p.name for p in self.workloads.pods.values() if p.serving and not p.ending and matches(service, p.labels)
        )

    def _tell(self, stream: str, hear: Any) -> None:
        at = max(self.loop.at + self.rng.uniform(0.01, SLOWEST - 0.1), self._heard.get(stream, 0.0))
        self._heard[stream] = at
        self.loop.call_at(at, self._hear, hear)

    def _hear(self, hear: Any) -> None:
        hear()
        self.look()

    def shares(self) -> dict[str, float]:
        """Where requests go now, by Service; shares sum up to 1."""
        service, share = self.canary
        trials = self.trials if service else {}
        out = {self.entry: 1.0 - share - sum(trials.values()) if service else 1.0, **trials}
        if service and share > 0:
            out[service] = out.get(service, 0.0) + share
        return {name: part for name, part in out.items() if part > 1e-9}

    def reached(self) -> tuple[str, ...]:
        """The Services that some request may go to now, with or without a header."""
        names = self.shares()
        return (*names, CANARY) if self.by_header and CANARY not in names else tuple(names)

    def look(self) -> None:
        """Follows every way that a request may take now."""
        pods = self.workloads.pods
        if self.loop.at < self.idle:
            return
        for name in self.reached():
            if self.routed and name not in self.trials and not selected(self.store.get("services", name)):
                continue  # no Rollout manages it yet
            known = self.endpoints.get(name, ())
            if not known:
                service = self.store.get("services", name)
                if name != self.main() and service is not None and self.endpoints_of(service):
                    continue
                if (name in self.answered or name in self.trials) and not self.excused(name):
                    self.lose(f"Service {name} gets requests and has no endpoints")
                continue
            for pod_name in known:
                pod = pods.get(pod_name)
                if pod is not None and pod.serving:
                    self.answered.add(name)
                elif name in self.answered and (pod is None or pod.hit is None):
                    self.lose(f"Service {name} sends requests to pod {pod_name}, which does not serve")

    def excused(self, name: str) -> bool:
        """Whether the history removed the pods that Service `name` selects, or misrouted the requests."""
        if self.foreign:
            return True
        since = self.loop.at - PATIENCE
        led = {pod_hash for until, pod_hash in self.formerly.get(name, ()) if until >= since}
        led.add(selected(self.store.get("services", name)))
        return any(at >= since and ("" in led or pod_hash in led) for at, pod_hash in self.workloads.lost)


def selected(service: Json | None) -> str:
    """The revision that a Service selects, "" for all of them."""
    return ((service or {}).get("spec") or {}).get("selector", {}).get(HASH, "")


def is_basic(spec: Json) -> bool:
    """Whether pods alone divide the traffic."""
    canary = spec["strategy"].get("canary") or {}
    return bool(canary) and not canary.get("trafficRouting")


def may_have_none(rollout: Json) -> bool:
    """Whether the user's own numbers allow that no pod serves: none is desired, or all may be unavailable."""
    spec, status = rollout["spec"], rollout.get("status") or {}
    wanted = spec.get("replicas", 1)
    if wanted == 1 and spec.get("restartAt") and _frozen(spec, status):
        return True  # the only pod must be replaced, and none may be created beside it
    if not is_basic(spec):
        return wanted == 0
    canary = spec["strategy"]["canary"]
    surge = scaled(canary.get("maxSurge"), wanted, round_up=True, default="25%")
    missing = scaled(canary.get("maxUnavailable"), wanted, round_up=False, default="25%")
    return wanted <= (missing if surge or missing else 1)


def _frozen(spec: Json, status: Json) -> bool:
    """Whether no pod may be created beside one that must be replaced."""
    canary: Json = spec["strategy"].get("canary") or {}
    if not canary:
        return False
    if is_basic(spec) and status.get("stableRS") != status.get("currentPodHash"):
        return True
    undecided = any(pause["reason"] == "InconclusiveAnalysisRun" for pause in status.get("pauseConditions") or [])
    aborted = status.get("abort") and (is_basic(spec) or canary.get("dynamicStableScale"))
    return bool(spec.get("paused") or undecided or aborted)


def matches(service: Json, labels: Json) -> bool:
    wanted: Json = (service.get("spec") or {}).get("selector") or {}
    return bool(wanted) and all(labels.get(k) == v for k, v in wanted.items())
