"""Converts an object to another version of its kind.

Stored objects keep the version of their last write. Versions differ only in apiVersion, except for
HorizontalPodAutoscalers: autoscaling/v1 has one metric, CPU utilization. Conversion drops fields that a version lacks.
A cluster keeps such fields in annotations; Serinus has no controller for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.api.resources import HPAS, HPAS_V1, Resource

Json = dict[str, Any]


def converted(obj: Json, resource: Resource) -> Json:
    """The object in the version of `resource`: unchanged if the version is the same, else `obj` is modified."""
    if obj.get("apiVersion") != resource.api_version:
        rule = _RULES.get((resource.group_resource, resource.version))
        if rule is not None:
            rule(obj)
        obj["apiVersion"] = resource.api_version
    return obj


def _to_v1(obj: Json) -> None:
    spec, status = obj.setdefault("spec", {}), obj.get("status") or {}
    for metric in spec.pop("metrics", None) or []:
        percent = _cpu(metric, "target")
        if percent is not None:
            spec["targetCPUUtilizationPercentage"] = percent
    spec.pop("behavior", None)
    for metric in status.pop("currentMetrics", None) or []:
        percent = _cpu(metric, "current")
        if percent is not None:
            status["currentCPUUtilizationPercentage"] = percent
    status.pop("conditions", None)


def _cpu(metric: Json, part: str) -> int | None:
    resource: Json = metric.get("resource") or {}
    return (resource.get(part) or {}).get("averageUtilization") if resource.get("name") == "cpu" else None


def _to_v2(obj: Json) -> None:
    spec, status = obj.setdefault("spec", {}), obj.get("status") or {}
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        goal = {"type": "Utilization", "averageUtilization": target}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": goal}}]
    current = status.pop("currentCPUUtilizationPercentage", None)
    if current is not None:
        status["currentMetrics"] = [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": current}}}
        ]


_RULES: dict[tuple[str, str], Callable[[Json], None]] = {
    (HPAS.group_resource, HPAS.version): _to_v2,
    (HPAS_V1.group_resource, HPAS_V1.version): _to_v1,
}
