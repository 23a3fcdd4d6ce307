"""Pods and the objects that create them."""

from __future__ import annotations

import msgspec

from serinus.api.meta import Condition, Json, LabelSelector, ObjectMeta

CONTROLLERS = frozenset({"rollouts-controller", "serinus"})
"""Field managers of Rollout controllers: Argo Rollouts, and Serinus on a cluster and in `serinus up`."""


class _Owned(msgspec.Struct):
    """A field that a writer owns. Only its presence counts."""


class _OwnedSpec(msgspec.Struct, omit_defaults=True):
    selector: _Owned | None = msgspec.field(default=None, name="f:selector")
    template: _Owned | None = msgspec.field(default=None, name="f:template")


class _OwnedFields(msgspec.Struct, omit_defaults=True):
    spec: _OwnedSpec = msgspec.field(default_factory=_OwnedSpec, name="f:spec")


class ReplicaSetWriter(msgspec.Struct, omit_defaults=True):
    """One entry of a ReplicaSet's managedFields."""

    manager: str = ""
    subresource: str = ""
    fields: _OwnedFields = msgspec.field(default_factory=_OwnedFields, name="fieldsV1")


class ReplicaSetMeta(ObjectMeta, rename="camel", omit_defaults=True):
    managed_fields: list[ReplicaSetWriter] = msgspec.field(default_factory=list[ReplicaSetWriter])

    def template_editor(self) -> str:
        """The field manager that changed the pod template after its creation, by managedFields; "" for none.

        The creator owns the selector, which is immutable. Changes of an admission webhook count as the writer's.
        """
        makers = {writer.manager for writer in self.managed_fields if writer.fields.spec.selector is not None}
        if not makers:
            return ""
        editors = (
            writer.manager
            for writer in self.managed_fields
            if writer.fields.spec.template is not None and writer.manager not in makers | CONTROLLERS
        )
        return next(editors, "")


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
    metadata: ReplicaSetMeta
    spec: ReplicaSetSpec = msgspec.field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = msgspec.field(default_factory=ReplicaSetStatus)


class ContainerWaiting(msgspec.Struct, rename="camel", omit_defaults=True):
    reason: str = ""
    message: str = ""


class ContainerRunning(msgspec.Struct, omit_defaults=True):
    """Only its presence counts."""


class ContainerTerminated(msgspec.Struct, rename="camel", omit_defaults=True):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    finished_at: str = ""


class ContainerState(msgspec.Struct, omit_defaults=True):
    waiting: ContainerWaiting | None = None
    running: ContainerRunning | None = None
    terminated: ContainerTerminated | None = None


class ContainerStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = msgspec.field(default_factory=ContainerState)
    last_state: ContainerState = msgspec.field(default_factory=ContainerState)


class PodStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    conditions: list[Condition] = []
    init_container_statuses: list[ContainerStatus] = []
    container_statuses: list[ContainerStatus] = []


class PodMeta(ObjectMeta, rename="camel", omit_defaults=True):
    finalizers: list[str] = msgspec.field(default_factory=list[str])


class Pod(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: PodMeta
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    def ready(self) -> bool:
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.status.conditions if c.type == kind), None)

    def unschedulable(self) -> bool:
        """Whether the scheduler found no node for it."""
        return any(c.type == "PodScheduled" and c.reason == "Unschedulable" for c in self.status.conditions)


class _Involved(msgspec.Struct, omit_defaults=True):
    uid: str = ""


class PodEvent(msgspec.Struct, rename="camel", omit_defaults=True):
    """A Warning about a pod, with the fields that explain why the pod does not start."""

    involved_object: _Involved = msgspec.field(default_factory=_Involved)
    reason: str = ""
    message: str = ""
    last_timestamp: str | None = None


class WorkloadSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: Json = {}


class Workload(msgspec.Struct, rename="camel", omit_defaults=True):
    """The target of a `workloadRef`: a Deployment, a ReplicaSet or a PodTemplate (with its template at the top)."""

    kind: str
    metadata: ObjectMeta
    spec: WorkloadSpec = msgspec.field(default_factory=WorkloadSpec)
    template: Json = {}
