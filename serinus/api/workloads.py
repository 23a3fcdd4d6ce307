"""Pods and what makes them."""

from __future__ import annotations

import msgspec

from serinus.api.meta import Condition, Json, LabelSelector, ObjectMeta


class ReplicaSetSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: Json = {}


class ReplicaSetStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    conditions: list[Condition] = []


class ReplicaSet(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: ObjectMeta
    spec: ReplicaSetSpec = msgspec.field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = msgspec.field(default_factory=ReplicaSetStatus)


class PodStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    phase: str = ""
    conditions: list[Condition] = []


class Pod(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: ObjectMeta
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    def ready(self) -> bool:
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)

    def unschedulable(self) -> bool:
        """Whether the scheduler found no node for it."""
        return any(c.type == "PodScheduled" and c.reason == "Unschedulable" for c in self.status.conditions)


class WorkloadSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: Json = {}


class Workload(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a `workloadRef` may name: a Deployment, a ReplicaSet or a PodTemplate (which has its template at the top)."""

    kind: str
    metadata: ObjectMeta
    spec: WorkloadSpec = msgspec.field(default_factory=WorkloadSpec)
    template: Json = {}
