"""Checks of the objects that a Rollout names: Services, Ingresses, templates of analyses, router objects, its workload.

All objects are looked up before any is checked, so a missing object is reported before an invalid one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serinus.api.derived import once
from serinus.api.meta import Json
from serinus.api.names import HASH, MANAGED_BY
from serinus.api.network import Service
from serinus.api.resources import DEPLOYMENTS, POD_TEMPLATES, REPLICA_SETS
from serinus.api.rollout import PodMetadata, Rollout, WorkloadRef
from serinus.api.validation.findings import Finding, invalid, of_update
from serinus.api.validation.routing_rules import Lookup, RoutingRules
from serinus.api.workloads import Workload

_CANARY = "spec.strategy.canary"
_BLUE_GREEN = "spec.strategy.blueGreen"
_WORKLOADS = {
    ("apps", "Deployment"): DEPLOYMENTS,
    ("apps", "ReplicaSet"): REPLICA_SETS,
    ("", "PodTemplate"): POD_TEMPLATES,
}


def workload_finding(rollout: Rollout, reference: WorkloadRef, workload: Workload | None) -> Finding | None:
    """Why the template of a workloadRef cannot be used; the texts have no path."""
    if not _empty(rollout.spec.template):
        return Finding("", "template must be empty for workload reference rollout")
    group = reference.api_version.rpartition("/")[0]
    resource = _WORKLOADS.get((group, reference.kind))
    if resource is None:
        return Finding("", f"workload of type {group}/{reference.kind} is not supported")
    if workload is None:
        name = f"{rollout.metadata.namespace}/{reference.name}"
        return Finding("", f'{resource.group_resource} "{name}" not found', (reference.kind, reference.name))
    return None


def _empty(template: Json) -> bool:
    """Only labels and annotations count, as in Argo Rollouts."""
    metadata = template.get("metadata") or {}
    return not metadata.get("labels") and not metadata.get("annotations")


def read_objects(
    rollout: Rollout, services: Mapping[str, Service] | None, lookup: Lookup, rules: RoutingRules | None
) -> list[object]:
    """All that `absent` and `unfit` depend on, beside the spec, the name and the template: objects, None for missing."""
    named = _services(rollout)
    read: list[object] = [services is None, lookup.ingresses is None, lookup.others is None, *lookup.served.values()]
    read += lookup.unreadable.values()
    if services:
        read += [services.get(name) for _, name, _ in named]
    if rules is not None:
        read += rules.read(rollout, lookup)
    if lookup.others and _templates(rollout):
        read += lookup.others.values()  # templates name further ones
    return read


def absent(
    rollout: Rollout,
    services: Mapping[str, Service] | None,
    lookup: Lookup,
    rules: RoutingRules | None,
) -> Iterator[Finding]:
    """Referenced objects that do not exist. A mapping that is None is not checked."""
    for path, name, _ in _services(rollout):
        if services is not None and name not in services:
            yield invalid(path, name, f'service "{name}" not found', missing=("Service", name))
    if lookup.others is not None:
        yield from of_update(_absent_templates(rollout, lookup.others))
    if rules is not None:
        yield from rules.absent(rollout, lookup)


def unfit(
    rollout: Rollout,
    template: Json,
    services: Mapping[str, Service] | None,
    lookup: Lookup,
    rules: RoutingRules | None,
) -> Iterator[Finding]:
    """Referenced objects that exist but do not fit this Rollout."""
    given = (template.get("metadata") or {}).get("labels") or {}
    for path, name, role in _services(rollout):
        service = services.get(name) if services is not None else None
        if service is not None:
            yield from _service(path, service, rollout, given, role)
    if rules is not None:
        yield from rules.unfit(rollout, lookup)


def _service(
    path: str, service: Service, rollout: Rollout, given: Mapping[str, str], role: PodMetadata | None
) -> Iterator[Finding]:
    name = service.metadata.name
    injected = role.labels if role else {}
    for key, value in service.spec.selector.items():
        if key != HASH and given.get(key) != value and injected.get(key) != value:
            yield invalid(path, name, f'Service "{name}" has unmatch label "{key}" in rollout')
    manager = service.metadata.annotations.get(MANAGED_BY)
    if manager is not None and manager != rollout.metadata.name:
        yield invalid(
            path, name, f'Service "{name}" is managed by another Rollout: {manager} (annotation {MANAGED_BY})'
        )


def _services(rollout: Rollout) -> tuple[tuple[str, str, PodMetadata | None], ...]:
    """(path, name, metadata that pods of this Service's role get), in the order in which they are looked up."""
    return once(rollout.spec, "named services", lambda: tuple(_named_services(rollout)))


def _named_services(rollout: Rollout) -> Iterator[tuple[str, str, PodMetadata | None]]:
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    named: list[tuple[str, str, PodMetadata | None]] = []
    if blue_green is not None:
        named = [
            (f"{_BLUE_GREEN}.activeService", blue_green.active_service, blue_green.active_metadata),
            (f"{_BLUE_GREEN}.previewService", blue_green.preview_service, blue_green.preview_metadata),
        ]
    elif canary is not None:
        named = [
            (f"{_CANARY}.stableService", canary.stable_service, canary.stable_metadata),
            (f"{_CANARY}.canaryService", canary.canary_service, canary.canary_metadata),
        ]
        if canary.ping_pong is not None:
            named += [
                (f"{_CANARY}.pingPong.pingService", canary.ping_pong.ping_service, None),
                (f"{_CANARY}.pingPong.pongService", canary.ping_pong.pong_service, None),
            ]
    return (row for row in named if row[1])


def _absent_templates(rollout: Rollout, objects: Mapping[str, Json]) -> Iterator[Finding]:
    for path, references in _templates(rollout):
        yield from _template_refs(path, references, objects, set())


def _templates(rollout: Rollout) -> tuple[tuple[str, list[Json]], ...]:
    """(path, references) of each analysis."""
    return once(rollout.spec, "named templates", lambda: tuple(_named_templates(rollout)))


def _named_templates(rollout: Rollout) -> Iterator[tuple[str, list[Json]]]:
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    analyses: list[tuple[str, Json | None]] = []
    if blue_green is not None:
        analyses += [
            (f"{_BLUE_GREEN}.prePromotionAnalysis", blue_green.pre_promotion_analysis),
            (f"{_BLUE_GREEN}.postPromotionAnalysis", blue_green.post_promotion_analysis),
        ]
    elif canary is not None:
        analyses += [(f"{_CANARY}.steps[{i}].analysis", step.analysis) for i, step in enumerate(canary.steps)]
        analyses.append((f"{_CANARY}.analysis", canary.analysis))
    for path, analysis in analyses:
        if references := (analysis or {}).get("templates"):
            yield f"{path}.templates", references


def _template_refs(path: str, references: list[Json], objects: Mapping[str, Json], seen: set[str]) -> Iterator[Finding]:
    for reference in references:
        kind = "ClusterAnalysisTemplate" if reference.get("clusterScope") else "AnalysisTemplate"
        name = reference.get("templateName") or ""
        key = f"{kind}/{name}"
        if key in seen:
            continue
        seen.add(key)
        if key not in objects:
            yield invalid(path, name, f"{kind} '{name}' not found", missing=(kind, name))
            continue
        nested = (objects[key].get("spec") or {}).get("templates") or []
        yield from _template_refs("spec.templates", nested, objects, seen)
