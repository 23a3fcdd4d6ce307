"""AnalysisTemplate, ClusterAnalysisTemplate and AnalysisRun, and how a Rollout or an Experiment refers to them.

`provider` stays untyped: the provider's own file defines its content.
"""

from __future__ import annotations

import msgspec

from serinus.api.meta import IntOrString, Json, ObjectMeta
from serinus.api.rollout import PodMetadata


class FieldRef(msgspec.Struct, rename="camel", omit_defaults=True):
    field_path: str = ""


class SecretKeyRef(msgspec.Struct, omit_defaults=True):
    name: str = ""
    key: str = ""


class ValueFrom(msgspec.Struct, rename="camel", omit_defaults=True):
    """`secretKeyRef` and `fieldRef` for templates and runs; `fieldRef` and `podTemplateHashValue` for Rollouts."""

    secret_key_ref: SecretKeyRef | None = None
    field_ref: FieldRef | None = None
    pod_template_hash_value: str | None = None


class Argument(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    value: str | None = None
    value_from: ValueFrom | None = None


class Metric(msgspec.Struct, rename="camel", omit_defaults=True):
    """Numbers may be text, as they may hold `{{args.x}}`."""

    name: str = ""
    provider: Json = {}
    interval: str = ""
    initial_delay: str = ""
    count: IntOrString | None = None
    success_condition: str = ""
    failure_condition: str = ""
    failure_limit: IntOrString | None = None
    inconclusive_limit: IntOrString | None = None
    consecutive_error_limit: IntOrString | None = None
    consecutive_success_limit: IntOrString | None = None


class DryRun(msgspec.Struct, rename="camel", omit_defaults=True):
    metric_name: str = ""


class MeasurementRetention(msgspec.Struct, rename="camel", omit_defaults=True):
    metric_name: str = ""
    limit: int = 0


class TemplateRef(msgspec.Struct, rename="camel", omit_defaults=True):
    template_name: str = ""
    cluster_scope: bool = False


class AnalysisTemplateSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    metrics: list[Metric] = []
    args: list[Argument] = []
    dry_run: list[DryRun] = []
    measurement_retention: list[MeasurementRetention] = []
    templates: list[TemplateRef] = []


class AnalysisTemplate(msgspec.Struct, omit_defaults=True):
    """A template of a namespace or of the cluster. It has no `kind`: the cache separates the two."""

    metadata: ObjectMeta
    spec: AnalysisTemplateSpec = msgspec.field(default_factory=AnalysisTemplateSpec)


class TtlStrategy(msgspec.Struct, rename="camel", omit_defaults=True):
    seconds_after_completion: int | None = None
    seconds_after_success: int | None = None
    seconds_after_failure: int | None = None


class AnalysisRunSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    metrics: list[Metric] = []
    args: list[Argument] = []
    dry_run: list[DryRun] = []
    measurement_retention: list[MeasurementRetention] = []
    terminate: bool = False
    ttl_strategy: TtlStrategy | None = None


class Measurement(msgspec.Struct, rename="camel", omit_defaults=True):
    """One query of a provider. Times are RFC 3339; `resumeAt`: when an unfinished measurement is checked again."""

    phase: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    value: str = ""
    metadata: dict[str, str] = {}
    resume_at: str | None = None


class MetricResult(msgspec.Struct, rename="camel", omit_defaults=True):
    """Counters include measurements that are no longer kept."""

    name: str = ""
    phase: str = ""
    measurements: list[Measurement] = []
    message: str = ""
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0
    dry_run: bool = False
    metadata: dict[str, str] = {}


class RunSummary(msgspec.Struct, omit_defaults=True):
    """Numbers of metrics by result; `count` is the total."""

    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0


class AnalysisRunStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    phase: str = ""
    message: str = ""
    metric_results: list[MetricResult] = []
    started_at: str | None = None
    completed_at: str | None = None
    run_summary: RunSummary | None = None
    dry_run_summary: RunSummary | None = None


class AnalysisRun(msgspec.Struct, omit_defaults=True):
    metadata: ObjectMeta
    spec: AnalysisRunSpec = msgspec.field(default_factory=AnalysisRunSpec)
    status: AnalysisRunStatus = msgspec.field(default_factory=AnalysisRunStatus)


class RolloutAnalysis(msgspec.Struct, rename="camel", omit_defaults=True):
    """An analysis in a Rollout's spec. `startingStep`: only for the background analysis of a canary."""

    templates: list[TemplateRef] = []
    args: list[Argument] = []
    dry_run: list[DryRun] = []
    measurement_retention: list[MeasurementRetention] = []
    analysis_run_metadata: PodMetadata | None = None
    starting_step: int | None = None


class ExperimentAnalysis(msgspec.Struct, rename="camel", omit_defaults=True):
    """An analysis in an Experiment's spec."""

    name: str = ""
    template_name: str = ""
    cluster_scope: bool = False
    args: list[Argument] = []
    required_for_completion: bool = False
