"""The objects that these controllers read, reduced to the fields that they use."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.meta import Condition, Json, LabelSelector, ObjectMeta


class Meta(ObjectMeta, rename="camel", omit_defaults=True):
    finalizers: list[str] = []  # noqa: RUF012 - msgspec copies it


class PodSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    node_name: str = ""
    containers: list[Json] = []
    init_containers: list[Json] = []


class PodStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    phase: str = ""
    conditions: list[Condition] = []
    pod_ip: str = msgspec.field(default="", name="podIP")
    container_statuses: list[Json] = []
    init_container_statuses: list[Json] = []
    reason: str = ""


class Pod(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    @property
    def key(self) -> tuple[str, str]:
        return self.metadata.namespace, self.metadata.name

    @property
    def finished(self) -> bool:
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def leaving(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.status.conditions if c.type == kind), None)

    @property
    def ready(self) -> bool:
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"


class ReplicaSetSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: Json = {}


class ReplicaSetStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    terminating_replicas: int = 0
    observed_generation: int = 0
    conditions: list[Condition] = []


class ReplicaSet(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    spec: ReplicaSetSpec = msgspec.field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = msgspec.field(default_factory=ReplicaSetStatus)


class RollingUpdate(msgspec.Struct, rename="camel", omit_defaults=True):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class DeploymentStrategy(msgspec.Struct, rename="camel", omit_defaults=True):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    replicas: int = 1
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: Json = {}
    strategy: DeploymentStrategy = msgspec.field(default_factory=DeploymentStrategy)
    min_ready_seconds: int = 0
    revision_history_limit: int | None = 10
    paused: bool = False
    progress_deadline_seconds: int | None = 600


class DeploymentStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    collision_count: int | None = None
    conditions: list[Condition] = []


class Deployment(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    spec: DeploymentSpec = msgspec.field(default_factory=DeploymentSpec)
    status: DeploymentStatus = msgspec.field(default_factory=DeploymentStatus)


class JobSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    parallelism: int | None = 1
    completions: int | None = None
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool = False
    completion_mode: str = "NonIndexed"
    selector: LabelSelector | None = None
    template: Json = {}


class JobStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    start_time: str = ""
    completion_time: str = ""
    active: int = 0
    ready: int = 0
    terminating: int = 0
    succeeded: int = 0
    failed: int = 0
    completed_indexes: str = ""
    conditions: list[Condition] = []


class Job(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    spec: JobSpec = msgspec.field(default_factory=JobSpec)
    status: JobStatus = msgspec.field(default_factory=JobStatus)


class ServicePort(msgspec.Struct, rename="camel", omit_defaults=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None
    app_protocol: str | None = None


class ServiceSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    selector: dict[str, str] | None = None
    ports: list[ServicePort] = []
    type: str = "ClusterIP"
    publish_not_ready_addresses: bool = False
    cluster_ip: str = msgspec.field(default="", name="clusterIP")


class Service(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)


class EndpointSlice(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    address_type: str = "IPv4"
    endpoints: list[Json] | None = None
    """None: a real API server returns null for a slice without endpoints."""
    ports: list[Json] | None = None


class Endpoints(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    subsets: list[Json] = []


class Namespace(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: Meta
    spec: dict[str, Any] = {}
    status: dict[str, Any] = {}


class Head(msgspec.Struct, rename="camel", omit_defaults=True):
    """The metadata of any object."""

    metadata: Meta
