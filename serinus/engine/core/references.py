"""The objects that a Rollout or an Experiment names, and how long to wait for a missing one.

A change of a named object starts a pass, and the snapshot contains it. `kubectl apply -f .` writes one object after
another, often a Rollout before the Services and templates that it names. So a missing object is an error only after a
few seconds. An earlier error would make `kubectl argo rollouts status` exit with 1 for a briefly Degraded Rollout, and
an Experiment would end in Error.
"""

from __future__ import annotations

from collections.abc import Iterable

from serinus.api.experiment import Experiment
from serinus.api.meta import Json, WrittenMeta
from serinus.api.rollout import Rollout
from serinus.api.validation.findings import Finding
from serinus.api.values.times import parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.plan import Wait
from serinus.engine.core.service_release import named_services
from serinus.routing import registry
from serinus.routing.router import ANY

Reference = tuple[str, str]
"""(kind, name): in the Rollout's namespace, or `NAMESPACE/NAME` (see `api/served_kind.py`). ANY stands for every name:
templates name further templates, which are unknown until they are read; routers select some by their labels."""

TEMPLATES: set[Reference] = {("AnalysisTemplate", ANY), ("ClusterAnalysisTemplate", ANY)}

WORKLOADS = frozenset({"Deployment", "ReplicaSet", "PodTemplate"})
"""Kinds that a workloadRef may name."""

GRACE = 3.0
"""Seconds to wait for a missing object. The API server writes whole seconds, so at least two."""


def services(rollout: Rollout) -> frozenset[str]:
    """Names of the Services that the strategy names."""
    return frozenset(named_services(rollout))


def router_objects(rollout: Rollout) -> frozenset[Reference]:
    """Objects that the routers of the Rollout read or write."""
    return frozenset((ref.kind, ref.name) for ref in registry.references(rollout))


def analyses(rollout: Rollout) -> list[Json]:
    """All analyses in the Rollout's spec, including those of its experiments."""
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    named: list[Json | None] = []
    if blue_green:
        named += [blue_green.pre_promotion_analysis, blue_green.post_promotion_analysis]
    if canary:
        named.append(canary.analysis)
        for step in canary.steps:
            named.append(step.analysis)
            named += [{"templates": [part]} for part in (step.experiment or {}).get("analyses") or []]
    return [analysis for analysis in named if analysis]


def templates(references: Iterable[Json]) -> list[Reference]:
    """The templates that these references name (`templateName`, `clusterScope`)."""
    kinds = ("AnalysisTemplate", "ClusterAnalysisTemplate")
    return [(kinds[bool(r.get("clusterScope"))], str(r.get("templateName") or "")) for r in references]


def workload(rollout: Rollout) -> Reference | None:
    """The workload whose template the Rollout takes."""
    ref = rollout.spec.workload_ref
    return (ref.kind, ref.name) if ref and ref.kind in WORKLOADS else None


def of_experiment(experiment: Experiment) -> frozenset[Reference]:
    """The objects that an Experiment names: its Services, and templates of analyses."""
    name, spec = experiment.metadata.name, experiment.spec
    services = {("Service", t.service.name or f"{name}-{t.name}") for t in spec.templates if t.service is not None}
    return frozenset(services | (TEMPLATES if spec.analyses else set()))


def references(about: Rollout | Experiment) -> frozenset[Reference]:
    """All of these together. A workload's kind is prefixed: a ReplicaSet may be a workload and a child."""
    return of_experiment(about) if isinstance(about, Experiment) else of_rollout(about)


def of_rollout(rollout: Rollout) -> frozenset[Reference]:
    named = workload(rollout)
    objects = {("Service", name) for name in services(rollout)} | router_objects(rollout)
    if analyses(rollout):
        objects |= TEMPLATES
    return frozenset(objects | ({(f"workload {named[0]}", named[1])} if named else set()))


def expected_until(meta: WrittenMeta, now: float) -> float | None:
    """When the wait for a missing object ends, in seconds since the epoch; None if that time has passed.

    The object with `meta` names it. If the clock of the API server is wrong, nothing waits longer than GRACE.
    """
    last = parse_time(meta.last_written())
    return last + GRACE if last is not None and abs(now - last) < GRACE else None


def missing_reference(rollout: Rollout, finding: Finding, now: float) -> Wait | None:
    """The wait for the missing object of `finding`; None without one, after its time, or if the status reports it."""
    reported = rollout.status.observed_generation == str(rollout.metadata.generation)
    until = None if reported or finding.missing is None else expected_until(rollout.metadata, now)
    if until is None:
        return None
    return Wait(
        wait_reasons.WAITING_FOR_REFERENCE.code, f"{finding.message}; it may be about to be created", until=until
    )
