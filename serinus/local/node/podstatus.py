"""Computes a pod's status from its containers' states, like a kubelet. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from serinus.api.meta import Json
from serinus.kube.clock import rfc3339

_OURS = {"PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"}


@dataclass(slots=True)
class TrackedContainer:
    """`state`, `last`: as in a ContainerStatus. `over`: ended without restart. `hint`: why it is not ready, or ""."""

    name: str
    image: str
    state: Json = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Json = field(default_factory=dict[str, object])
    restarts: int = 0
    ready: bool = False
    started: bool = False
    image_id: str = ""
    id: str = ""
    over: bool = False
    hint: str = ""

    @property
    def exit_code(self) -> int | None:
        ended: Json | None = self.state.get("terminated")
        return int(ended.get("exitCode") or 0) if ended is not None else None

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
            **({"containerID": self.id} if self.id else {}),
        }


@dataclass(frozen=True, slots=True)
class PodView:
    """`sidecars`: names of init containers that keep running."""

    init: Sequence[TrackedContainer]
    containers: Sequence[TrackedContainer]
    sidecars: frozenset[str]
    ip: str
    host_ip: str
    started: float


def phase(view: PodView) -> str:
    init = [c for c in view.init if c.name not in view.sidecars]
    if any(c.over and c.exit_code not in (0, None) for c in init):
        return "Failed"
    if view.containers and all(c.over for c in view.containers):
        return "Succeeded" if all(c.exit_code == 0 for c in view.containers) else "Failed"
    if not initialized(view) or any(not c.last and "waiting" in c.state for c in view.containers):
        return "Pending"
    return "Running"


def initialized(view: PodView) -> bool:
    return all(c.started if c.name in view.sidecars else c.over and c.exit_code == 0 for c in view.init)


def status_of(pod: Json, view: PodView, now: float) -> Json:
    """The `status` to write. It keeps other writers' conditions, and the times of unchanged conditions."""
    old: Json = pod.get("status") or {}
    now_phase = phase(view)
    watched = [*(c for c in view.init if c.name in view.sidecars), *view.containers]
    unready = [c for c in watched if not c.ready and now_phase != "Succeeded"]
    completed = now_phase in ("Succeeded", "Failed")
    reason, message = "", ""
    if completed:
        reason = "PodCompleted" if now_phase == "Succeeded" else "PodFailed"
    elif unready:
        reason = "ContainersNotReady"
        message = f"containers with unready status: [{' '.join(c.name for c in unready)}]"
        if hints := [f"{c.name}: {c.hint}" for c in unready if c.hint]:
            message += "; " + "; ".join(hints)
    containers_ready = not unready and not completed
    gates = [g for g in pod["spec"].get("readinessGates") or [] if not _true(old, str(g.get("conditionType")))]
    ready = containers_ready and not gates
    ready_reason, ready_message = reason, message
    if containers_ready and gates:
        ready_reason = "ReadinessGatesNotReady"
        names = ", ".join(str(g.get("conditionType")) for g in gates)
        ready_message = f'the status of pod readiness gates is not "True": {names}'
    waiting = [c for c in view.init if not (c.started if c.name in view.sidecars else c.exit_code == 0)]
    own = [
        ("PodReadyToStartContainers", bool(view.ip), "", ""),
        (
            "Initialized",
            not waiting,
            "ContainersNotInitialized" if waiting else "",
            f"containers with incomplete status: [{' '.join(c.name for c in waiting)}]" if waiting else "",
        ),
        ("Ready", ready, ready_reason, ready_message),
        ("ContainersReady", containers_ready, reason, message),
        ("PodScheduled", True, "", ""),
    ]
    conditions = [_condition(old, kind, value, why, text, now) for kind, value, why, text in own]
    foreign = [c for c in old.get("conditions") or [] if c.get("type") not in _OURS]
    return {
        "phase": now_phase,
        "conditions": [*foreign, *conditions],
        "hostIP": view.host_ip,
        "hostIPs": [{"ip": view.host_ip}],
        **({"podIP": view.ip, "podIPs": [{"ip": view.ip}]} if view.ip else {}),
        "startTime": old.get("startTime") or rfc3339(view.started),
        **({"initContainerStatuses": [c.to_json() for c in view.init]} if view.init else {}),
        "containerStatuses": [c.to_json() for c in view.containers],
    }


def _true(status: Json, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or [])


def _condition(old: Json, kind: str, value: bool, reason: str, message: str, now: float) -> Json:
    status = "True" if value else "False"
    before = next((c for c in old.get("conditions") or [] if c.get("type") == kind), None)
    since = before.get("lastTransitionTime") if before is not None and before.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": since or rfc3339(now),
        **({"reason": reason} if reason else {}),
        **({"message": message[:1024]} if message else {}),
    }


def waiting(reason: str, message: str = "") -> Json:
    return {"waiting": {"reason": reason, **({"message": message[:1024]} if message else {})}}


def running(started: float) -> Json:
    return {"running": {"startedAt": rfc3339(started)}}


def terminated(
    code: int,
    started: float,
    finished: float,
    *,
    known: bool = True,
    message: str = "",
    id_: str = "",
    reason: str = "",
) -> Json:
    """`reason`: if it is more specific than the exit code."""
    reason = reason or ("ContainerStatusUnknown" if not known else "Completed" if code == 0 else "Error")
    return {
        "terminated": {
            "exitCode": code,
            **({"signal": code - 128} if 128 < code < 160 else {}),
            "reason": reason,
            **({"message": message} if message else {}),
            "startedAt": rfc3339(started),
            "finishedAt": rfc3339(finished),
            **({"containerID": id_} if id_ else {}),
        }
    }
