"""The Rollout: spec and status of `argoproj.io/v1alpha1`.

Field order inside the canary steps is that of the reference's Go structs: the hash of the steps uses their JSON. None
marks an absent value only where the rules distinguish it from zero.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.meta import Condition, IntOrString, Json, LabelSelector, WrittenMeta


class PodMetadata(msgspec.Struct, omit_defaults=True):
    """Labels and annotations put on running pods by their role (`canaryMetadata`, `stableMetadata`, …)."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class WorkloadRef(msgspec.Struct, rename="camel", omit_defaults=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    scale_down: str = ""


class AntiAffinity(msgspec.Struct, rename="camel", omit_defaults=True):
    preferred_during_scheduling_ignored_during_execution: Json | None = None
    required_during_scheduling_ignored_during_execution: Json | None = None


class Pause(msgspec.Struct, omit_defaults=True):
    """`duration`: seconds, or a Go duration; None waits for a user."""

    duration: IntOrString | None = None


class SetCanaryScale(msgspec.Struct, rename="camel", omit_defaults=True):
    weight: int | None = None
    replicas: int | None = None
    match_traffic_weight: bool = False


class StringMatch(msgspec.Struct, omit_defaults=True):
    exact: str = ""
    regex: str = ""
    prefix: str = ""


class HeaderRoutingMatch(msgspec.Struct, rename="camel", omit_defaults=True):
    header_name: str = ""
    header_value: StringMatch | None = None


class SetHeaderRoute(msgspec.Struct, omit_defaults=True):
    name: str = ""
    match: list[HeaderRoutingMatch] = []


class RouteMatch(msgspec.Struct, omit_defaults=True):
    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: dict[str, StringMatch] = {}


class SetMirrorRoute(msgspec.Struct, omit_defaults=True):
    name: str = ""
    match: list[RouteMatch] = []
    percentage: int | None = None


class PluginStep(msgspec.Struct, omit_defaults=True):
    name: str = ""
    config: Json | None = None


class CanaryStep(msgspec.Struct, rename="camel", omit_defaults=True):
    set_weight: int | None = None
    pause: Pause | None = None
    experiment: Json | None = None
    analysis: Json | None = None
    set_canary_scale: SetCanaryScale | None = None
    set_header_route: SetHeaderRoute | None = None
    set_mirror_route: SetMirrorRoute | None = None
    plugin: PluginStep | None = None


class ManagedRoute(msgspec.Struct):
    name: str


class TrafficRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    """A router's part stays untyped: its file in `serinus/routing` decodes it."""

    istio: Json | None = None
    nginx: Json | None = None
    alb: Json | None = None
    smi: Json | None = None
    ambassador: Json | None = None
    app_mesh: Json | None = None
    traefik: Json | None = None
    apisix: Json | None = None
    plugins: dict[str, Any] = {}
    managed_routes: list[ManagedRoute] = []
    max_traffic_weight: int | None = None


class PingPong(msgspec.Struct, rename="camel", omit_defaults=True):
    ping_service: str = ""
    pong_service: str = ""


class ReplicaProgressThreshold(msgspec.Struct):
    """`type` is Percent or Pods."""

    type: str
    value: int


class CanaryStrategy(msgspec.Struct, rename="camel", omit_defaults=True):
    canary_service: str = ""
    stable_service: str = ""
    steps: list[CanaryStep] = []
    traffic_routing: TrafficRouting | None = None
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None
    analysis: Json | None = None
    anti_affinity: AntiAffinity | None = None
    canary_metadata: PodMetadata | None = None
    stable_metadata: PodMetadata | None = None
    scale_down_delay_seconds: int | None = None
    scale_down_delay_revision_limit: int | None = None
    abort_scale_down_delay_seconds: int | None = None
    dynamic_stable_scale: bool = False
    ping_pong: PingPong | None = None
    min_pods_per_replica_set: int | None = None
    replica_progress_threshold: ReplicaProgressThreshold | None = None


class BlueGreenStrategy(msgspec.Struct, rename="camel", omit_defaults=True):
    active_service: str = ""
    preview_service: str = ""
    preview_replica_count: int | None = None
    auto_promotion_enabled: bool | None = None
    auto_promotion_seconds: int = 0
    max_unavailable: IntOrString | None = None
    scale_down_delay_seconds: int | None = None
    scale_down_delay_revision_limit: int | None = None
    abort_scale_down_delay_seconds: int | None = None
    pre_promotion_analysis: Json | None = None
    post_promotion_analysis: Json | None = None
    anti_affinity: AntiAffinity | None = None
    preview_metadata: PodMetadata | None = None
    active_metadata: PodMetadata | None = None


class Strategy(msgspec.Struct, rename="camel", omit_defaults=True):
    blue_green: BlueGreenStrategy | None = None
    canary: CanaryStrategy | None = None


class RollbackWindow(msgspec.Struct, omit_defaults=True):
    revisions: int = 0


class AnalysisHistory(msgspec.Struct, rename="camel", omit_defaults=True):
    successful_run_history_limit: int | None = None
    unsuccessful_run_history_limit: int | None = None


class RolloutSpec(msgspec.Struct, rename="camel", omit_defaults=True, dict=True):
    """`dict`: room for memoized values (`serinus/api/derived.py`)."""

    replicas: int | None = None
    selector: LabelSelector | None = None
    template: Json = {}
    workload_ref: WorkloadRef | None = None
    min_ready_seconds: int = 0
    strategy: Strategy = msgspec.field(default_factory=Strategy)
    revision_history_limit: int | None = None
    paused: bool = False
    progress_deadline_seconds: int | None = None
    progress_deadline_abort: bool = False
    restart_at: str | None = None
    analysis: AnalysisHistory | None = None
    rollback_window: RollbackWindow | None = None


class PauseCondition(msgspec.Struct, rename="camel"):
    reason: str
    start_time: str


class WeightDestination(msgspec.Struct, rename="camel", omit_defaults=False):
    weight: int
    service_name: str = ""
    pod_template_hash: str = ""


class TrafficWeights(msgspec.Struct, omit_defaults=True):
    canary: WeightDestination
    stable: WeightDestination
    additional: list[WeightDestination] = []
    verified: bool | None = None


class CanaryStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    current_step_analysis_run_status: Json | None = None
    current_background_analysis_run_status: Json | None = None
    current_experiment: str = ""
    weights: TrafficWeights | None = None
    stable_ping_pong: str = ""
    step_plugin_statuses: list[Json] = []


class BlueGreenStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    preview_selector: str = ""
    active_selector: str = ""
    scale_up_preview_check_point: bool = False
    pre_promotion_analysis_run_status: Json | None = None
    post_promotion_analysis_run_status: Json | None = None


class RolloutStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    abort: bool = False
    aborted_at: str | None = None
    pause_conditions: list[PauseCondition] = []
    controller_pause: bool = False
    current_pod_hash: str = ""
    current_step_hash: str = ""
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    hpa_replicas: int = msgspec.field(default=0, name="HPAReplicas")
    current_step_index: int | None = None
    collision_count: int | None = None
    observed_generation: str = ""
    conditions: list[Condition] = []
    canary: CanaryStatus = msgspec.field(default_factory=CanaryStatus)
    blue_green: BlueGreenStatus = msgspec.field(default_factory=BlueGreenStatus)
    selector: str = ""
    stable_rs: str = msgspec.field(default="", name="stableRS")
    restarted_at: str | None = None
    promote_full: bool = False
    phase: str = ""
    message: str = ""
    workload_observed_generation: str = ""
    duration: Json | None = None

    def __post_init__(self) -> None:
        """Any client with access to the status can write any number. A negative index becomes 0."""
        if self.current_step_index is not None and self.current_step_index < 0:
            self.current_step_index = 0


class Rollout(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: WrittenMeta
    spec: RolloutSpec = msgspec.field(default_factory=RolloutSpec)
    status: RolloutStatus = msgspec.field(default_factory=RolloutStatus)
