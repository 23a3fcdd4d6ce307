"""Functions for all Ingress routers: the named Ingresses, the Services of their rules, and their patches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serinus.api.network import Ingress
from serinus.api.validation.findings import Finding, internal
from serinus.routing.router import Write

Json = dict[str, Any]


def either(path: str, names: str, one: str, several: Sequence[str]) -> Iterator[Finding]:
    """Finds an error unless exactly one of the two fields is set: one object, or several."""
    if bool(one) == bool(several):
        problem = "Both are configured." if one else "Neither are configured."
        yield internal(path, f"Either {names} must be configured. {problem}")


def paths_of(rule: Json) -> list[Json]:
    """The paths of one rule; empty for a rule without `http`."""
    return (rule.get("http") or {}).get("paths") or []


def service_of(path: Json) -> str | None:
    """The Service that a path leads to; None for a resource backend."""
    return ((path.get("backend") or {}).get("service") or {}).get("name")


def leads_to(ingress: Ingress, service: str) -> bool:
    """Whether a rule of the Ingress leads to the Service."""
    return any(service_of(path) == service for rule in ingress.spec.rules for path in paths_of(rule))


def patched(
    ingress: Ingress,
    annotations: Mapping[str, str | None],
    rules: list[Json],
    reason: str,
    because: str,
    message: str,
) -> list[Write]:
    """The merge patch of only these annotations (None: absent) and rules; empty if the Ingress has them."""
    meta, patch = ingress.metadata, Json()
    changed = {key: value for key, value in annotations.items() if meta.annotations.get(key) != value}
    if changed:
        patch["metadata"] = {"annotations": changed}
    if rules != ingress.spec.rules:
        patch["spec"] = {"rules": rules}
    if not patch:
        return []
    return [Write("patch", "Ingress", meta.name, patch, because, reason, message, meta.uid, meta.resource_version)]
