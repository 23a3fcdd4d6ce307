"""Discovery of groups, versions and resources: per-group documents and aggregated ones (`apidiscovery.k8s.io/v2`)."""

from __future__ import annotations

from typing import Any

from serinus.api.resources import Resource
from serinus.local.apiserver.registry import REVIEWS, Registry

Json = dict[str, Any]

VERSION: Json = {
    "major": "1", "minor": "37", "emulationMajor": "1", "emulationMinor": "37", "minCompatibilityMajor": "1", "minCompatibilityMinor": "36",
    "gitVersion": "v1.37.0+serinus", "gitCommit": "", "gitTreeState": "clean", "buildDate": "2025-08-27T10:00:00Z", "goVersion": "none",
    "compiler": "serinus", "platform": "linux/amd64",
}  # fmt: skip

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCES: dict[str, tuple[str, str, str, list[str]]] = {
    "status": ("", "", "", ["get", "patch", "update"]),
    "finalize": ("", "", "", ["update"]),
    "scale": ("autoscaling", "v1", "Scale", ["get", "patch", "update"]),
    "eviction": ("policy", "v1", "Eviction", ["create"]),
    "binding": ("", "v1", "Binding", ["create"]),
    "log": ("", "", "", ["get"]),
}
"""Served subresources: group, version and kind of their bodies ("" for those of the resource), verbs."""


def api_versions(address: str) -> Json:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(registry: Registry) -> Json:
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(g, list(v)) for g, v in registry.groups().items() if g],
    }


def group(registry: Registry, name: str) -> Json | None:
    versions = registry.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, list(versions))} if versions and name else None


def _group(name: str, versions: list[str]) -> Json:
    rows = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": rows, "preferredVersion": rows[0]}


def resource_list(registry: Registry, name: str, version: str) -> Json | None:
    resources = registry.groups().get(name, {}).get(version)
    if resources is None:
        return None
    rows: list[Json] = []
    for resource in resources:
        row: Json = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": _verbs(resource),
        }
        if resource.short_names:
            row["shortNames"] = list(resource.short_names)
        if resource.categories:
            row["categories"] = list(resource.categories)
        rows.append(row)
        for sub in resource.subresources:
            if sub in _SUBRESOURCES:
                g, v, kind, verbs = _SUBRESOURCES[sub]
                row = {
                    "name": f"{resource.plural}/{sub}",
                    "singularName": "",
                    "namespaced": resource.namespaced,
                    "kind": kind or resource.kind,
                    "verbs": verbs,
                }
                rows.append(row | ({"group": g, "version": v} if g else {}))
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows}


def _verbs(resource: Resource) -> list[str]:
    return ["create"] if resource in REVIEWS else _VERBS


def aggregated(registry: Registry, core: bool, version: str) -> Json:
    """The APIGroupDiscoveryList of /api (`core`) or /apis."""
    items: list[Json] = []
    for name, versions in registry.groups().items():
        if (name == "") is core:
            rows = [
                {"version": v, "resources": [_aggregated(r) for r in resources], "freshness": "Current"}
                for v, resources in versions.items()
            ]
            meta: Json = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
            items.append({"metadata": meta, "versions": rows})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregated(resource: Resource) -> Json:
    own = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    row: Json = {
        "resource": resource.plural,
        "responseKind": own,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    subs: list[Json] = []
    for sub in resource.subresources:
        if sub in _SUBRESOURCES:
            g, v, kind, verbs = _SUBRESOURCES[sub]
            subs.append(
                {
                    "subresource": sub,
                    "responseKind": {"group": g, "version": v, "kind": kind} if kind else own,
                    "verbs": verbs,
                }
            )
    if subs:
        row["subresources"] = subs
    return row
