"""A world for the planner alone: plans are carried out on plain values, pods become ready when the test marks them."""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.network import Ingress, Service
from serinus.api.rollout import Rollout
from serinus.api.values.times import parse_time
from serinus.api.workloads import Pod, ReplicaSet, Workload
from serinus.engine.core import wait_reasons
from serinus.engine.core.event_order import ordered
from serinus.engine.core.plan import Event, Plan, Snapshot, Wait
from serinus.engine.planner import plan
from serinus.routing.router import GatewayState

Json = dict[str, Any]
TYPES: dict[str, Any] = {
    "Rollout": Rollout,
    "ReplicaSet": ReplicaSet,
    "Service": Service,
    "Deployment": Workload,
    "Ingress": Ingress,
    "Pod": Pod,
    "AnalysisRun": AnalysisRun,
    "Experiment": Experiment,
}
DEADLINES = {reason.code: reason.deadline for reason in wait_reasons.ALL}
"""Code of a wait -> its kind of deadline, or none."""


def merged(obj: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    out = dict(obj) if isinstance(obj, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


class World:
    """`settle` plans until nothing is left to do; writes and Events are recorded."""

    def __init__(self, *objects: Json) -> None:
        self.now, self.version = 1_800_000_000.0, 1
        self.objects: dict[tuple[str, str], Json] = {}
        self.writes: list[str] = []
        self.told: list[Event] = []
        self.last = Plan()
        self.gateway: GatewayState | None = None
        """The state that the controller of one machine reads from the gateway."""
        for obj in objects:
            self.add(obj)

    def add(self, obj: Json) -> None:
        self.version += 1
        meta: Json = {
            "namespace": "default",
            "uid": f"uid-{self.version}",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **obj["metadata"],
            "resourceVersion": str(self.version),
        }
        self.objects[obj["kind"], meta["name"]] = {**obj, "metadata": meta}

    def patch(self, kind: str, name: str, patch: Json) -> None:
        old = self.objects[kind, name]
        new = merged(old, copy.deepcopy(patch))
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        self.objects[kind, name] = new

    def of(self, kind: str) -> dict[str, Any]:
        made = {n: msgspec.json.encode(o) for (k, n), o in self.objects.items() if k == kind}
        return {n: msgspec.json.decode(text, type=TYPES[kind]) for n, text in made.items()}

    @property
    def rollout(self) -> Rollout:
        return next(iter(self.of("Rollout").values()))

    def set_of(self, image: str) -> ReplicaSet:
        return next(
            r
            for r in self.of("ReplicaSet").values()
            if r.spec.template["spec"]["containers"][0]["image"].endswith(image)
        )

    def snapshot(self) -> Snapshot:
        return Snapshot(
            self.now,
            self.rollout,
            tuple(self.of("ReplicaSet").values()),
            tuple(self.of("Pod").values()),
            self.of("Service"),
            self.of("Ingress"),
            objects={f"{k}/{n}": o for (k, n), o in self.objects.items() if k.endswith("AnalysisTemplate") or "." in k},
            analysis_runs=tuple(self.of("AnalysisRun").values()),
            experiments=tuple(self.of("Experiment").values()),
            workload=next(iter(self.of("Deployment").values()), None),
            gateway=self.gateway,
        )

    def plan(self) -> Plan:
        """The plan for the present state."""
        p = plan(self.snapshot())
        for wait in p.waits:
            assert wait.until is None or self._time_ends(wait), f"{wait} promises a moment at which nothing ends"
        return p

    def once(self) -> Plan:
        """One pass, carried out."""
        seen = self.snapshot()
        before = msgspec.json.encode(seen)
        p = plan(seen)
        assert msgspec.json.encode(seen) == before, "a plan must not change what it was given"
        assert self.plan() == p, "the same snapshot gives the same plan"
        self.carry_out(p, "Rollout", self.rollout.metadata.name)
        return p

    def _time_ends(self, wait: Wait) -> bool:
        future = wait.reason == wait_reasons.RESTARTING.code and wait.until == parse_time(self.rollout.spec.restart_at)
        return future or DEADLINES[wait.reason] != "none"

    def carry_out(self, p: Plan, kind: str, name: str) -> None:
        """Carries out a plan about this object."""
        done: list[int] = []
        for index, action in enumerate(p.actions):
            assert action.because
            if action.verb == "create" and (action.kind, action.name) in self.objects:
                continue  # AlreadyExists: the next plan sees the existing object
            self.writes.append(f"{action.verb} {action.kind} {action.name}")
            done.append(index)
            if action.verb == "create":
                self.add({**action.body, "kind": action.kind})  # with the group, for kinds of other projects
            elif action.verb == "delete":
                del self.objects[action.kind, action.name]
            else:
                self.patch(action.kind, action.name, action.body)
        if p.status is not None:
            self.writes.append("status")
            self.objects[kind, name] = merged(self.objects[kind, name], {"status": p.status})
        self.told += ordered(p, done, status=True)
        self.last = p

    def settle(self, *, ready: bool = True) -> None:
        """Plan, and let pods appear (and become ready), until nothing changes any more."""
        for _ in range(40):
            p = self.once()
            if not self.pods(ready=ready) and not p.actions and p.status is None:
                return
        raise AssertionError(f"it never settles: {self.writes[-8:]}")

    def pods(self, *, ready: bool = True) -> bool:
        """ReplicaSets get their desired pods; True when anything changed."""
        changed = False
        for (kind, _), obj in list(self.objects.items()):
            if kind == "ReplicaSet":
                want = obj["spec"]["replicas"]
                serving = want if ready else min(want, obj.get("status", {}).get("availableReplicas", 0))
                status = {
                    "replicas": want,
                    "readyReplicas": serving,
                    "availableReplicas": serving,
                    "observedGeneration": obj["metadata"]["generation"],
                }
                if obj.get("status") != status:
                    obj["status"], changed = status, True
        return changed

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.settle()

    @property
    def weight(self) -> int | None:
        canary = self.objects.get(("Ingress", "web-web-canary"))
        return int(canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]) if canary else None

    def selected(self, service: str) -> str:
        return self.objects["Service", service]["spec"]["selector"].get("rollouts-pod-template-hash", "")


def service(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }


def ingress() -> Json:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "web.test", "http": {"paths": [path]}}]},
    }


STEPS: list[Json] = [
    {"setWeight": 20},
    {"pause": {}},
    {"setWeight": 50},
    {"pause": {"duration": 3}},
    {"setWeight": 70},
    {"pause": {"duration": 3}},
]


def rollout(image: str = "blue", *, replicas: int = 2, steps: list[Json] | None = None, **canary: Any) -> Json:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": f"argoproj/rollouts-demo:{image}",
                    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                }
            ]
        },
    }
    strategy = {
        "canaryService": "web-canary",
        "stableService": "web",
        "scaleDownDelaySeconds": 4,
        "trafficRouting": {"nginx": {"stableIngress": "web"}},
        "steps": STEPS if steps is None else steps,
        **canary,
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            "strategy": {"canary": strategy},
        },
    }


def routed(**options: Any) -> World:
    """A settled Rollout at blue, with everything that it names."""
    world = World(service("web"), service("web-canary"), ingress(), rollout(**options))
    world.settle()
    return world


def release(world: World, image: str) -> None:
    containers = copy.deepcopy(world.objects["Rollout", "web"]["spec"]["template"]["spec"]["containers"])
    containers[0]["image"] = f"argoproj/rollouts-demo:{image}"
    world.patch("Rollout", "web", {"spec": {"template": {"spec": {"containers": containers}}}})
