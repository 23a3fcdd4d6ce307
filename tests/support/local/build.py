"""Objects for the tests of this folder."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.meta import Condition, LabelSelector, OwnerReference
from serinus.local.workloads.objects import (
    Deployment,
    DeploymentSpec,
    Meta,
    Pod,
    PodSpec,
    PodStatus,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
)

NOW = 1_767_225_600.0
CREATED = "2026-01-01T00:00:00Z"


def owner(kind: str, name: str, uid: str) -> OwnerReference:
    return OwnerReference("apps/v1", kind, name, uid, controller=True)


def pod(
    name: str,
    *,
    ready: str = CREATED,
    of: OwnerReference | None = None,
    phase: str = "Running",
    leaving: bool = False,
    labels: dict[str, str] | None = None,
    ip: str = "127.77.0.1",
    created: str = CREATED,
    annotations: dict[str, str] | None = None,
    node: str = "serinus",
    ports: list[dict[str, Any]] | None = None,
) -> Pod:
    """`ready`: since when; "" for not ready."""
    condition = Condition("Ready", "True" if ready else "False", last_transition_time=ready or CREATED)
    return Pod(
        Meta(
            name=name,
            namespace="default",
            uid=f"uid-{name}",
            labels={"app": "web"} if labels is None else labels,
            annotations=annotations or {},
            owner_references=[of] if of else [],
            creation_timestamp=created,
            deletion_timestamp=CREATED if leaving else None,
        ),
        PodSpec(
            node_name=node, containers=[{"name": "c", "ports": ports or [{"name": "http", "containerPort": 8080}]}]
        ),
        PodStatus(phase=phase, conditions=[condition], pod_ip=ip),
    )


def template(image: str = "x:1") -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def replica_set(
    name: str = "web-1",
    replicas: int = 3,
    *,
    image: str = "x:1",
    available: int | None = None,
    revision: str = "1",
    **more: Any,
) -> ReplicaSet:
    full = template(image)
    full["metadata"]["labels"]["pod-template-hash"] = name.rpartition("-")[2]
    size = replicas if available is None else available
    return ReplicaSet(
        Meta(
            name=name,
            namespace="default",
            uid=f"uid-{name}",
            generation=1,
            labels=full["metadata"]["labels"],
            annotations={
                "deployment.kubernetes.io/revision": revision,
                "deployment.kubernetes.io/desired-replicas": "3",
                "deployment.kubernetes.io/max-replicas": "4",
                **more.pop("annotations", {}),
            },
            owner_references=[owner("Deployment", "web", "uid-web")],
            creation_timestamp=CREATED,
        ),
        ReplicaSetSpec(replicas, selector=LabelSelector({"app": "web"}), template=full, **more),
        ReplicaSetStatus(replicas=replicas, available_replicas=size, ready_replicas=size, observed_generation=1),
    )


def deployment(replicas: int = 3, *, image: str = "x:1", **spec: Any) -> Deployment:
    made = DeploymentSpec(replicas, LabelSelector({"app": "web"}), template(image))
    for name, value in spec.items():
        made = msgspec.structs.replace(made, **{name: value})
    return Deployment(Meta(name="web", namespace="default", uid="uid-web", generation=1), made)
