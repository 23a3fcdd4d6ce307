"""The observers of a running world, and their records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serinus.engine.core.plan import Plan, Snapshot
from tests.sim.gateway import PATIENCE
from tests.sim.ledger import Ledger
from tests.sim.store import Change, Json
from tests.sim.world import World


@dataclass(frozen=True)
class Violation:
    promise: str
    what: str
    at: float = 0.0

    def __str__(self) -> str:
        return f"{self.promise} at {self.at:.2f} s: {self.what}"


class Watchdog:
    """Checks promises when something happens in a world, and records the past that they need.

    `writes` run after each write of a controller, `plans` after each decision.
    """

    def __init__(self, world: World, writes: tuple[OnWrite, ...] = (), plans: tuple[OnPlan, ...] = ()) -> None:
        self.world, self._writes, self._plans = world, writes, plans
        self.violations: list[Violation] = []
        self.replicas: list[tuple[float, int]] = []
        """(when, spec.replicas) of each change."""
        self.leading: dict[str, float] = {}
        """By hash: the share of the requests that was routed there, up to the change that is checked."""
        self.last_led: dict[str, float] = {}
        """By hash: when Services and Ingress last routed to it; infinity while they do."""
        self.role: dict[str, str] = {}
        """By hash: its last role, "stable" or "canary"."""
        self.aborted: str = ""
        """The hash that a user aborted, until they release another version."""
        self.permits = 0
        self.ledger = Ledger(world)
        world.gateway.lose = lambda what: self.broke("drain_after_observe", what)
        world.store.listeners.append(self._seen)
        world.on_plan = self._planned

    def broke(self, promise: str, what: str) -> None:
        self.violations.append(Violation(promise, what, self.world.loop.at))

    def _seen(self, change: Change) -> None:
        if change.by.startswith("controller-"):
            for promise in self._writes:
                for what in promise(self, change):
                    self.broke(promise.__name__, what)
        self._remember(change)

    def _planned(self, snapshot: Snapshot, plan: Plan) -> None:
        for promise in self._plans:
            for what in promise(self, snapshot, plan):
                self.broke(promise.__name__, what)

    def _remember(self, change: Change) -> None:
        if self.world.history.templates:
            self.ledger.remember(change)
        now = self.world.loop.at
        if change.plural in ("services", self.world.router.plural, "rollouts"):
            leading = self.leading = self.world.leading()
            for pod_hash, last in self.last_led.items():
                if last == float("inf") and pod_hash not in leading:
                    self.last_led[pod_hash] = now
            for pod_hash in leading:
                self.last_led[pod_hash] = float("inf")
        if change.plural == "rollouts" and change.new is not None:
            status: Json = change.new.get("status") or {}
            self.role[status.get("currentPodHash", "")] = "canary"
            self.role[status.get("stableRS", "")] = "stable"
            size = change.new["spec"].get("replicas", 1)
            if not self.replicas or self.replicas[-1][1] != size:
                self.replicas.append((now, size))

    # The state that a controller may have had

    def fewest_replicas(self) -> int:
        """The smallest `spec.replicas` of the last `PATIENCE` seconds."""
        since, sizes = self.world.loop.at - PATIENCE, [self.replicas[-1][1]] if self.replicas else [0]
        for (_, size), (until, _) in zip(self.replicas, self.replicas[1:], strict=False):
            if until >= since:
                sizes.append(size)
        return min(sizes)

    def ready_pods(self, pod_hash: str) -> int:
        """Pods of this revision that serve, and those that the history removed lately."""
        since = self.world.loop.at - PATIENCE
        taken = sum(1 for at, lost in self.world.workloads.lost if lost == pod_hash and at >= since)
        return taken + self.serving_pods(pod_hash)

    def serving_pods(self, pod_hash: str) -> int:
        """Pods of this revision that are ready and stay."""
        pods = self.world.workloads.pods.values()
        return sum(1 for p in pods if p.pod_hash == pod_hash and p.serving and not p.ending)


OnWrite = Callable[[Watchdog, Change], Iterator[str]]
OnPlan = Callable[[Watchdog, Snapshot, Plan], Iterator[str]]
