"""The scale subresource: one small object that an autoscaler, or `kubectl scale`, reads and writes.

Source: Kubernetes documentation, CustomResourceDefinitions, "Scale subresource"; autoscaling/v1 Scale.
"""

from __future__ import annotations

from typing import Any

from serinus.api.selectors import Selector
from serinus.local.apiserver.failure import invalid
from serinus.local.schema.kinds import Kind

Json = dict[str, Any]


def _paths(kind: Kind) -> tuple[str, str, str]:
    scale = kind.scale or {}
    return scale.get("specReplicasPath", ".spec.replicas"), scale.get("statusReplicasPath", ".status.replicas"), scale.get("labelSelectorPath", "")


def _at(obj: Json, path: str) -> Any:
    value: Any = obj
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def scale_of(kind: Kind, obj: Json) -> Json:
    """The autoscaling/v1 Scale of an object."""
    spec, status, selector = _paths(kind)
    meta: Json = {k: obj["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if k in obj["metadata"]}
    text = _at(obj, selector) if selector else Selector.of(obj.get("spec", {}).get("selector")).text()
    seen: Json = {"replicas": _at(obj, status) or 0}
    if text:
        seen["selector"] = text
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": {"replicas": _at(obj, spec) or 0}, "status": seen}


def scaled(kind: Kind, obj: Json, scale: Json) -> Json:
    """A copy of the object with the replicas of this Scale, made from the version that it names. Raises Failure 422."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise invalid(kind.resource, obj["metadata"]["name"], [("FieldValueInvalid", "spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")])
    parts = _paths(kind)[0].strip(".").split(".")
    out: Json = {**obj, "metadata": dict(obj["metadata"])}
    at = out
    for part in parts[:-1]:
        at[part] = dict(at.get(part) or {})
        at = at[part]
    at[parts[-1]] = replicas
    if version := (scale.get("metadata") or {}).get("resourceVersion"):
        out["metadata"]["resourceVersion"] = version
    return out
