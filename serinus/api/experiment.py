"""Experiment: versions side by side for a while, each with a ReplicaSet of its own, and analyses that compare them."""

from __future__ import annotations

import msgspec

from serinus.api.analysis import DryRun, ExperimentAnalysis, MeasurementRetention
from serinus.api.meta import Condition, Json, LabelSelector, WrittenMeta
from serinus.api.rollout import PodMetadata


class TemplateService(msgspec.Struct, omit_defaults=True):
    """If present, even empty, the template gets a Service. `name`: "" for the ReplicaSet's."""

    name: str = ""


class ExperimentTemplate(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: Json = {}
    min_ready_seconds: int = 0
    service: TemplateService | None = None


class ExperimentSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    """`duration`: Go's; "" for no end. Defaults: 600 s progress deadline, 30 s scale-down delay."""

    templates: list[ExperimentTemplate] = []
    analyses: list[ExperimentAnalysis] = []
    duration: str = ""
    progress_deadline_seconds: int | None = None
    scale_down_delay_seconds: int | None = None
    terminate: bool = False
    dry_run: list[DryRun] = []
    measurement_retention: list[MeasurementRetention] = []
    analysis_run_metadata: PodMetadata | None = None


class TemplateStatus(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """`status`: Progressing, Running, Successful, Failed or Error. The numbers are always written."""

    name: str
    replicas: int
    updated_replicas: int
    ready_replicas: int
    available_replicas: int
    status: str = ""
    message: str = ""
    last_transition_time: str | None = None
    service_name: str = ""
    pod_template_hash: str = ""
    collision_count: int | None = None


class RunStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    """One analysis. `name`: from the spec; `analysis_run`: name of the object, "" before its creation."""

    name: str
    analysis_run: str
    phase: str
    message: str = ""


class ExperimentStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    phase: str = ""
    message: str = ""
    available_at: str | None = None
    template_statuses: list[TemplateStatus] = []
    conditions: list[Condition] = []
    analysis_runs: list[RunStatus] = []


class Experiment(msgspec.Struct, omit_defaults=True):
    metadata: WrittenMeta
    spec: ExperimentSpec = msgspec.field(default_factory=ExperimentSpec)
    status: ExperimentStatus = msgspec.field(default_factory=ExperimentStatus)


def service_ports(template: ExperimentTemplate) -> list[Json]:
    """All ports of the template's containers, in the form of its Service."""
    ports: list[Json] = []
    for container in (template.template.get("spec") or {}).get("containers") or []:
        for port in container.get("ports") or []:
            number, protocol = port["containerPort"], port.get("protocol", "TCP")
            name = f"{protocol.lower()}-{number}"
            ports.append({"name": name, "port": number, "targetPort": number, "protocol": protocol})
    return ports
