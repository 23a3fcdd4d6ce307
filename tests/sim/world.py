"""The whole system, joined for one history: API, cluster, gateway, controllers, and their users."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from random import Random
from typing import Any

from serinus.analysis.providers.provider import ProviderContext
from serinus.api.meta import Json
from serinus.api.names import HASH
from serinus.controller.manager import Controller, Options
from serinus.engine.core.plan import Plan, Snapshot
from serinus.engine.planner import plan as engine_plan
from serinus.kube.client import Client
from serinus.kube.errors import ApiError
from tests.sim.counters import Counters
from tests.sim.faults import Episode, Limit, Weather, Wire
from tests.sim.gateway import REPORTER, Gateway, is_basic
from tests.sim.history import NAME, History, Kill, image_of, manifests
from tests.sim.loop import Loop
from tests.sim.monitoring import Line, Monitoring
from tests.sim.probes import Trouble
from tests.sim.routers import CANARY, MODELS
from tests.sim.store import Change, Store
from tests.sim.workloads import Workloads, kind_of_owner

Planner = Callable[[Snapshot], Plan]
USER, SOMEBODY = "user", "somebody"


class NoMetrics:
    """The simulation reads no metrics: nothing is counted."""

    def __getattr__(self, name: str) -> NoMetrics:
        return self

    def __call__(self, *_: Any, **__: Any) -> None:
        return None


def _measured(change: Change) -> bool:
    """Whether a run continues unchanged: only its measurements changed."""
    old, new = change.old or {}, change.new or {}
    return (old.get("status") or {}).get("phase") == (new.get("status") or {}).get("phase") == "Running"


class World:
    """`broken` collects the findings of `watch` (see promises.py)."""

    def __init__(self, history: History, *, plan: Planner | None = None, faults: bool = True) -> None:
        self.history, self.faults = history, faults
        self.loop = Loop()
        self.store = Store(self.loop)
        seed = history.seed
        self.workloads = Workloads(self.loop, self.store, Random(f"pods {seed}"), history.images, history.grace)
        self.router = MODELS[history.router]
        self.workloads.routed = self.router.plural
        self.gateway = Gateway(
            self.loop, self.store, self.workloads, Random(f"gateway {seed}"), NAME, self.router, history.reports
        )
        self.gateway.main = lambda: CANARY if self.ping_is_stable else NAME
        self.weather = Weather(self.loop, history.episodes if faults else (), seed)
        self.monitoring = (
            Counters(self.loop, self.store, history, self.gateway, self.workloads)
            if history.error_rates
            else Monitoring(self.loop, self.store, history)
        )
        self.monitoring.trouble(history.troubles if faults else ())
        self.rng = Random(f"controller {seed}")
        self._plan = plan or engine_plan
        self.on_plan: Callable[[Snapshot, Plan], None] = lambda snapshot, plan: None
        self.wires: dict[int, Wire] = {}
        self.controllers: dict[int, tuple[Controller, Any]] = {}
        self.plans = self.kills = self.writes = 0
        self.ended = False
        self.edited: set[str] = set()
        """ReplicaSets whose template another client has changed."""
        self.permits = 0
        """How often a user promoted an update."""
        self.weight_by_hand = False
        """Whether another client wrote the router's object last: a Service may have a share that no controller gave it."""
        self.calm_since = 0.0
        """When the weather changed last."""
        self.last_write = 0.0
        """When anything but a lease was last written, by any client."""
        self.store.listeners.append(self._seen)

    def _seen(self, change: Change) -> None:
        if (change.plural, change.name) == (self.router.plural, self.router.name) and change.by != REPORTER:
            self.weight_by_hand = not change.by.startswith("controller-")
        subsets = self.router.subsets
        if subsets is not None and change.plural == subsets.plural and change.new is not None:
            for service, pod_hash in subsets.led(change.new).items():
                self.store.patch("services", service, {"spec": {"selector": {HASH: pod_hash or None}}}, change.by)
        if change.plural != "leases":
            self.writes += 1
            if not (change.plural == "analysisruns" and self.history.endless and _measured(change)):
                self.last_write = self.loop.at

    # Controllers

    def start(self) -> None:
        for plural, obj in manifests(self.history):
            self.store.create(plural, obj, USER)
        for who in range(2 if self.history.elected and self.faults else 1):
            self.begin(who)
        for kill in self.history.kills if self.faults else ():
            self.loop.call_at(kill.at, self._arm, kill)

    def begin(self, who: int) -> None:
        """Starts a controller without memory."""
        if self.ended:
            return
        wire = self.wires[who] = Wire(self.store, self.weather, who)
        if self.history.endless:
            wire.no_work.add("analysisruns")
        elected = self.history.elected and self.faults
        options = Options(
            leader_elect=elected,
            lease_duration=15.0,
            renew_deadline=10.0,
            retry_period=3.0,
            workers=1,
            analysis_workers=4 if self.history.templates else 1,
            identity=f"controller-{who}-{self.kills}",
        )
        client = Client(wire, user_agent=wire.name)
        metrics: Any = NoMetrics()
        rng = Random(self.rng.random())
        reach = ProviderContext(Line(self.monitoring), client, self.loop.now)
        controller = Controller(
            client, self.loop, rng, options=options, plan=self._decide, metrics=metrics, reach=reach
        )
        for part in (controller.reconciler, controller.experimenter, controller.runs):
            part.failed = self._failed  # type: ignore[method-assign]
        self.controllers[who] = (controller, self.loop.create_task(controller.run()))

    def _failed(self, key: Any, error: Exception, delay: float) -> None:
        """A request that the API refuses is retried; any other error is a bug."""
        if not isinstance(error, ApiError):
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.loop.errors.append(f"{error!r} at {where.filename}:{where.lineno}")

    def _decide(self, snapshot: Snapshot) -> Plan:
        self.plans += 1
        decided = self._plan(snapshot)
        self.on_plan(snapshot, decided)
        return decided

    def _arm(self, kill: Kill) -> None:
        """Kills the working controller at its next writes."""
        who = max(self.wires, key=lambda w: self.wires[w].last_work)
        wire = self.wires[who]
        wire.kill, wire.writes = Limit(kill.write, kill.after), 0
        wire.on_kill = lambda: self._kill(who, kill.back)

    def _kill(self, who: int, back: float) -> None:
        self.kills += 1
        self.wires[who].die()
        # The task ends on the way; none of its requests reaches the API any more.
        self.loop.call_soon(self.controllers[who][1].cancel)
        self.loop.call_later(back, self.begin, who)

    def end(self) -> None:
        """Ends every task, so that nothing is left for the next history."""
        self.ended = True
        for who, (_, task) in self.controllers.items():
            self.wires[who].die()
            task.cancel()
        self.loop.run(self.loop.at + 10.0)

    def new_weather(self, episodes: tuple[Episode, ...], troubles: tuple[Trouble, ...] = ()) -> None:
        """From now on these; their times count from now."""
        self.monitoring.trouble(troubles if self.faults else ())
        moved = tuple(
            Episode(e.kind, e.at + self.loop.at, e.length, e.rate, e.delay, e.plural, e.only) for e in episodes
        )
        struck = self.weather.struck
        self.weather = Weather(self.loop, moved if self.faults else (), self.history.seed)
        self.weather.struck = struck
        self.calm_since = self.loop.at
        for wire in self.wires.values():
            wire.weather, wire.kill = self.weather, None

    # The present state

    @property
    def rollout(self) -> Json | None:
        return self.store.get("rollouts", NAME)

    @property
    def status(self) -> Json:
        return (self.rollout or {}).get("status") or {}

    @property
    def spec(self) -> Json:
        return (self.rollout or {"spec": {}})["spec"]

    @property
    def canary(self) -> Json:
        return self.spec.get("strategy", {}).get("canary") or {}

    @property
    def blue_green(self) -> Json:
        return self.spec.get("strategy", {}).get("blueGreen") or {}

    def sets(self) -> dict[str, Json]:
        """The Rollout's ReplicaSets, by the hash they carry."""
        sets = self.store.all("replicasets")
        return {rs["metadata"]["labels"].get(HASH, ""): rs for rs in sets if kind_of_owner(rs) != "Experiment"}

    def selected(self) -> dict[str, str]:
        """Service → the hash that it selects, "" for none."""
        return {s["metadata"]["name"]: s["spec"].get("selector", {}).get(HASH, "") for s in self.store.all("services")}

    def weight(self) -> tuple[int, int] | None:
        """(weight, out of) in the router's object; None where there is none."""
        obj = self.store.get(self.router.plural, self.router.name)
        found = self.router.weight(obj) if obj is not None else None
        return (found[1], found[2]) if found else None

    @property
    def ping_is_stable(self) -> bool:
        """With ping-pong: whether the stable version is behind the Service that the model calls the canary's."""
        return "pingPong" in self.canary and (self.status.get("canary") or {}).get("stablePingPong") == "ping"

    def canary_weight(self) -> tuple[int, int] | None:
        """`weight` of the version on trial, whichever Service of a pair leads to it."""
        found = self.weight()
        return (found[1] - found[0], found[1]) if found and self.ping_is_stable else found

    def led(self) -> dict[str, str]:
        """`selected` of the Services that the Rollout names; with ping-pong that of the stable version alone."""
        if "pingPong" in self.canary:
            return {"stable": self.selected().get(CANARY if self.ping_is_stable else NAME, "")}
        found = {name: pod_hash for name, pod_hash in self.selected().items() if name in self.history.services}
        if self.router.subsets is not None:
            found = {name: h for name, h in found.items() if h not in self.router.subsets.nobody}
            if self.status.get("abort"):
                found.pop(
                    CANARY, None
                )  # a subset without weight keeps its version: an early abort comes before it moves
        return found

    def leading(self) -> dict[str, float]:
        """By hash: the share of the requests that Services and Ingress, as they are written now, send to it."""
        selected, found, out = self.selected(), self.weight(), dict[str, float]()
        share = found[0] / found[1] if found else 0.0
        obj = self.store.get(self.router.plural, self.router.name)
        trials = sum(self.router.trials(obj).values()) / found[1] if found and obj is not None else 0.0
        ways = [(NAME, 1.0 - share - trials)] if NAME in selected else []
        if share:
            named = CANARY if self.router.subsets or "pingPong" in self.canary else self.canary.get("canaryService", "")
            ways.append((str(named), share))
        for service, part in ways:
            if part > 1e-9 and (pod_hash := selected.get(service, "")):
                out[pod_hash] = out.get(pod_hash, 0.0) + part
        return out

    def analyses(self) -> Json:
        """By kind: the phase of the run that counts now; nothing in a history without analyses.

        Failed and Error are one: of a version that never answers, the Job of one metric fails and the query of another errs,
        and the order depends on timing.
        """
        if not self.history.templates:
            return {}
        status = {**(self.status.get("canary") or {}), **(self.status.get("blueGreen") or {})}
        phases = {key: run.get("status") for key, run in sorted(status.items()) if key.endswith("AnalysisRunStatus")}
        return {key: "Failed" if phase == "Error" else phase for key, phase in phases.items()}

    def fingerprint(self) -> Json:
        """The fields by which ends of histories are compared."""
        status, sets = self.status, self.sets()
        images = {pod_hash: image_of(rs) for pod_hash, rs in sets.items()}
        available = status.get("availableReplicas", 0)
        if "InconclusiveAnalysisRun" in [p["reason"] for p in status.get("pauseConditions", [])]:
            # Sizes are frozen then: a version before the stable one may still have had its pods, and where pods alone divide
            # the traffic both sides may have been on the way to their sizes.
            kept = () if is_basic(self.spec) else (status.get("stableRS"), status.get("currentPodHash"))
            if self.canary.get("dynamicStableScale"):
                kept = kept[1:]  # the stable version drains for seconds after its weight: the verdict may come before
            sets = {h: rs for h, rs in sets.items() if h in kept}
            available = None
        weight = self.canary_weight()
        return self.analyses() | {
            "phase": status.get("phase"),
            "message": status.get("message", "").partition(":")[0],
            "stable": images.get(status.get("stableRS", "")),
            "current": images.get(status.get("currentPodHash", "")),
            "index": status.get("currentStepIndex"),
            "aborted": bool(status.get("abort")),
            "pauses": [p["reason"] for p in status.get("pauseConditions", [])],
            "sizes": {images[h]: rs["spec"]["replicas"] for h, rs in sorted(sets.items()) if rs["spec"]["replicas"]},
            "available": available,
            "weight": weight and weight[0] / weight[1],
            "selected": {name: images.get(h, h) for name, h in self.led().items()},
        }
