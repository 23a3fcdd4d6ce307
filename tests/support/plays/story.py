"""A trace as moments: the state of every object after each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

HASH = "rollouts-pod-template-hash"
CANARY_INGRESS = "Ingress/web-web-canary"
WEIGHT = "annotations.nginx.ingress.kubernetes.io/canary-weight"


@dataclass(frozen=True)
class Moment:
    """`t` in seconds. `line` has just been seen; `objects` is the state with it, field by field."""

    t: float
    line: Json
    objects: dict[str, Json]

    @property
    def object(self) -> str:
        return str(self.line.get("object", ""))

    @property
    def do(self) -> str:
        return str(self.line.get("do", ""))

    def field(self, name: str, field: str) -> Any:
        return self.objects.get(name, {}).get(field)

    def rollout(self, field: str) -> Any:
        return self.field("Rollout/web", field)

    def weight(self) -> int:
        """The percentage that the gateway sends to the canary Service."""
        return int(self.field(CANARY_INGRESS, WEIGHT) or 0)

    def leads_to(self, service: str) -> str | None:
        return self.field(f"Service/{service}", f"selector.{HASH}")

    def ready(self, pod_hash: str | None = None) -> int:
        """Pods that serve: ready and not terminating; of one version, or of all."""
        pods = [o for name, o in self.objects.items() if name.startswith("Pod/")]
        serving = [p for p in pods if p.get("ready") == "True" and not p.get("deleting")]
        return sum(1 for p in serving if pod_hash is None or p.get(f"labels.{HASH}") == pod_hash)

    def changes(self, name: str, field: str) -> bool:
        return self.object == name and field in self.line


def moments(trace: Sequence[Json]) -> Iterator[Moment]:
    objects: dict[str, Json] = {}
    for line in trace:
        name = line.get("object")
        if name is not None:
            fields = {k: v for k, v in line.items() if k not in ("t", "object", "flipped", "deleted")}
            now = {k: v for k, v in {**objects.get(name, {}), **fields}.items() if v is not None}
            objects = {k: v for k, v in objects.items() if k != name}
            if not line.get("deleted"):
                objects[name] = now
        yield Moment(float(line["t"]), line, objects)


def after(trace: Sequence[Json], command: str) -> list[Moment]:
    """The moments from the first command that begins so, to the next command."""
    found: list[Moment] = []
    for moment in moments(trace):
        if found and moment.do:
            break
        if found or moment.do.startswith(command):
            found.append(moment)
    return found


def later(trace: Sequence[Json], t: float) -> float:
    """Seconds until the next line of the controller's after `t`: of a Rollout, a ReplicaSet, or an Event."""
    mine = ("Rollout/", "ReplicaSet/")
    following = [m.t for m in moments(trace) if m.t >= t and (m.object.startswith(mine) or "event" in m.line)]
    return (following[0] if following else float("inf")) - t
