"""Which objects a Rollout names: their changes wake it, and they are in its snapshot."""

from __future__ import annotations

from collections.abc import Iterable

from serinus.api.experiment import Experiment
from serinus.api.meta import Json
from serinus.api.rollout import Rollout
from serinus.engine.core.service_release import named_services
from serinus.routing import registry
from serinus.routing.router import ANY

Reference = tuple[str, str]
"""(kind, name): in the Rollout's namespace, or `NAMESPACE/NAME` (see `api/served_kind.py`). ANY stands for every name:
templates lead to others, which are not known before they are read; routers select some by their labels."""

TEMPLATES: set[Reference] = {("AnalysisTemplate", ANY), ("ClusterAnalysisTemplate", ANY)}

WORKLOADS = frozenset({"Deployment", "ReplicaSet", "PodTemplate"})
"""Kinds that a workloadRef may name."""


def services(rollout: Rollout) -> frozenset[str]:
    """Names of the Services that the strategy names."""
    return frozenset(named_services(rollout))


def router_objects(rollout: Rollout) -> frozenset[Reference]:
    """What the routers of the Rollout read or write."""
    return frozenset((ref.kind, ref.name) for ref in registry.references(rollout))


def analyses(rollout: Rollout) -> list[Json]:
    """All analyses that the Rollout asks for, as they stand in its spec; those of its experiments too."""
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    found: list[Json | None] = []
    if blue_green:
        found += [blue_green.pre_promotion_analysis, blue_green.post_promotion_analysis]
    if canary:
        found.append(canary.analysis)
        for step in canary.steps:
            found.append(step.analysis)
            found += [{"templates": [part]} for part in (step.experiment or {}).get("analyses") or []]
    return [analysis for analysis in found if analysis]


def templates(references: Iterable[Json]) -> list[Reference]:
    """What references to templates name (`templateName`, `clusterScope`)."""
    kinds = ("AnalysisTemplate", "ClusterAnalysisTemplate")
    return [(kinds[bool(r.get("clusterScope"))], str(r.get("templateName") or "")) for r in references]


def workload(rollout: Rollout) -> Reference | None:
    """The workload whose template the Rollout takes."""
    ref = rollout.spec.workload_ref
    return (ref.kind, ref.name) if ref and ref.kind in WORKLOADS else None


def of_experiment(experiment: Experiment) -> frozenset[Reference]:
    """What an Experiment names: its Services, and templates of analyses."""
    name, spec = experiment.metadata.name, experiment.spec
    found = {("Service", t.service.name or f"{name}-{t.name}") for t in spec.templates if t.service is not None}
    return frozenset(found | (TEMPLATES if spec.analyses else set()))


def references(about: Rollout | Experiment) -> frozenset[Reference]:
    """All of these together. A workload's kind is prefixed: a ReplicaSet may be a workload and a child."""
    return of_experiment(about) if isinstance(about, Experiment) else of_rollout(about)


def of_rollout(rollout: Rollout) -> frozenset[Reference]:
    named = workload(rollout)
    found = {("Service", name) for name in services(rollout)} | router_objects(rollout)
    if analyses(rollout):
        found |= TEMPLATES
    return frozenset(found | ({(f"workload {named[0]}", named[1])} if named else set()))
