"""Pods that do not start, one of each kind, as the kubelet, the scheduler and the API server report them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z"""
BEFORE = "2025-12-31T23:58:00Z"


@dataclass(frozen=True)
class Kind:
    """`code`, `words`: the report about it. `details`: words that change from attempt to attempt, so that no status has them.

    `weak`: not in a status at all. `events`: (reason, message) of Warnings about the pod.
    """

    code: str
    words: tuple[str, ...]
    status: Json
    events: tuple[tuple[str, str], ...] = ()
    weak: bool = False
    details: tuple[str, ...] = ()
    conditions: list[Json] = field(default_factory=list[Json])
    """Of the ReplicaSet, where there is no pod."""


def waiting(reason: str, message: str = "", **more: Any) -> Json:
    return {
        "phase": "Pending",
        "containerStatuses": [_container({"waiting": {"reason": reason, "message": message}}, **more)],
    }


def crashed(code: int, reason: str, restarts: int = 3, **more: Any) -> Json:
    ended = {"exitCode": code, "reason": reason, "finishedAt": BEFORE, **more}
    message = "back-off 40s restarting failed container=web pod=web-x_default(u)"
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    container = _container(state, lastState={"terminated": ended}, restartCount=restarts)
    return {"phase": "Running", "containerStatuses": [container]}


def running_again(code: int, reason: str) -> Json:
    last = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": BEFORE}}
    container = _container({"running": {"startedAt": BEFORE}}, lastState=last, restartCount=3)
    return {"phase": "Running", "containerStatuses": [container]}


def starting(*conditions: Json) -> Json:
    return {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": BEFORE}, *conditions],
        "containerStatuses": [_container({"waiting": {"reason": "ContainerCreating"}})],
    }


def unready() -> Json:
    message = "containers with unready status: [web]"
    ready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": message}
    return {
        "phase": "Running",
        "conditions": [ready],
        "containerStatuses": [_container({"running": {"startedAt": BEFORE}})],
    }


def before_start(init: Json, **state: Any) -> Json:
    return {
        "phase": "Pending",
        "initContainerStatuses": [{"name": "migrate", "image": "migrate:1", "ready": False, **init}],
        "containerStatuses": [_container(state or {"waiting": {"reason": "PodInitializing"}})],
    }


def _container(state: Json, **more: Any) -> Json:
    return {"name": "web", "image": "shop/web:gren", "ready": False, "restartCount": 0, "state": state, **more}


def unscheduled(reason: str, message: str) -> Json:
    return {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}],
    }


CRASH: Json = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2}
CRASH["lastState"] = {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": BEFORE}}
BACK_OFF = 'Back-off pulling image "shop/web:gren"'
QUOTA = 'pods "web-1-x7k2p" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=3, limited: cpu=3'
WEBHOOK = 'admission webhook "policy.example" denied the request: no limits'


def failed_create(message: str) -> list[Json]:
    return [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]


KINDS: dict[str, Kind] = {
    "image cannot be pulled": Kind(
        "ErrImagePull", ("web", "shop/web:gren"), waiting("ErrImagePull", "not found"), details=("not found",)
    ),
    "back-off of a pull": Kind(
        "ImagePullBackOff", ("ImagePullBackOff", "shop/web:gren"), waiting("ImagePullBackOff", BACK_OFF)
    ),
    "image name": Kind(
        "InvalidImageName", ("web", "invalid reference"), waiting("InvalidImageName", "invalid reference format")
    ),
    "never pulled": Kind(
        "ErrImageNeverPull",
        ("not present",),
        waiting("ErrImageNeverPull", "image is not present with pull policy of Never"),
    ),
    "crash loop": Kind("CrashLoopBackOff", ("web exited with code 1",), crashed(1, "Error"), details=("3 restarts",)),
    "crash loop by a signal": Kind("CrashLoopBackOff", ("code 139 (SIGSEGV)",), crashed(139, "Error")),
    "its last line": Kind(
        "CrashLoopBackOff",
        ("web exited with code 1",),
        crashed(1, "Error", message="no such table: carts"),
        details=("no such table: carts",),
    ),
    "runs between two crashes": Kind("CrashLoopBackOff", ("web exited with code 1",), running_again(1, "Error")),
    "out of memory": Kind("OOMKilled", ("code 137 (OOMKilled)",), crashed(137, "OOMKilled")),
    "first exit": Kind(
        "Error",
        ("web exited with code 2",),
        {"containerStatuses": [_container({"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": BEFORE}})]},
    ),
    "missing ConfigMap": Kind(
        "CreateContainerConfigError",
        ('configmap "shop" not found',),
        waiting("CreateContainerConfigError", 'configmap "shop" not found'),
    ),
    "missing key": Kind(
        "CreateContainerConfigError",
        ("couldn't find key",),
        waiting("CreateContainerConfigError", "couldn't find key password in Secret default/db"),
    ),
    "cannot be created": Kind(
        "CreateContainerError", ("web", "no command"), waiting("CreateContainerError", "no command specified")
    ),
    "cannot be run": Kind(
        "RunContainerError", ("executable",), waiting("RunContainerError", 'exec: "./web": executable file not found')
    ),
    "no node": Kind(
        "Unschedulable",
        ("0/3 nodes", "Insufficient cpu"),
        unscheduled("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu. preemption: none"),
    ),
    "scheduling gate": Kind(
        "SchedulingGated",
        ("gates",),
        unscheduled("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"),
    ),
    "quota": Kind("FailedCreate", ("exceeded quota: small",), {}, conditions=failed_create(QUOTA)),
    "admission": Kind("FailedCreate", ("policy.example",), {}, conditions=failed_create(WEBHOOK)),
    "volume": Kind(
        "FailedMount",
        ('secret "tls" not found',),
        starting(),
        (("FailedMount", 'MountVolume.SetUp failed for volume "tls": secret "tls" not found'),),
        weak=True,
    ),
    "volume elsewhere": Kind(
        "FailedAttachVolume",
        ("Multi-Attach",),
        starting(),
        (("FailedAttachVolume", "Multi-Attach error for volume"),),
        weak=True,
    ),
    "sandbox": Kind(
        "FailedCreatePodSandBox",
        ("no addresses",),
        starting(),
        (("FailedCreatePodSandBox", "no addresses left"),),
        weak=True,
    ),
    "created for long": Kind("ContainerCreating", ("for 2m",), starting(), weak=True),
    "init image": Kind(
        "Init:ErrImagePull",
        ("init container migrate",),
        before_start({"state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}),
    ),
    "init crash": Kind("Init:CrashLoopBackOff", ("init container migrate exited with code 3",), before_start(CRASH)),
    "init runs": Kind(
        "PodInitializing",
        ("migrate is running",),
        before_start({"state": {"running": {"startedAt": BEFORE}}}),
        weak=True,
    ),
    "sidecar crash": Kind(
        "Init:CrashLoopBackOff", ("migrate exited with code 3",), before_start(CRASH, running={"startedAt": BEFORE})
    ),
    "readiness": Kind(
        "Unhealthy",
        ("statuscode: 500",),
        unready(),
        (("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500"),),
        weak=True,
    ),
    "not ready, nothing more known": Kind("ContainersNotReady", ("unready status: [web]",), unready(), weak=True),
    "evicted": Kind(
        "Evicted",
        ("low on resource: memory",),
        {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
    ),
    "node lost": Kind(
        "NodeLost",
        ("unresponsive",),
        {"phase": "Running", "reason": "NodeLost", "message": "Node which was running pod is unresponsive"},
    ),
}
"""Every kind, by its name."""
