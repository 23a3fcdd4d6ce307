"""What the server offers: versions, groups, resources, and their schemas.

Source: Kubernetes API concepts, "API discovery" (aggregated and unaggregated); KEP-3352.
"""

from __future__ import annotations

from typing import Any

from serinus import __version__
from serinus.api.resources import Resource
from serinus.local.schema.kinds import Schemas

Json = dict[str, Any]
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
AGGREGATED = "apidiscovery.k8s.io"
_SUB_VERBS = {"status": ["get", "patch", "update"], "scale": ["get", "patch", "update"], "log": ["get"], "eviction": ["create"], "binding": ["create"], "finalize": ["update"]}
_SUB_KINDS = {"scale": ("autoscaling", "v1", "Scale"), "eviction": ("policy", "v1", "Eviction"), "binding": ("", "v1", "Binding")}
REVIEWS: tuple[tuple[str, str, str, str], ...] = (
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview"),
    ("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview"),
    ("authentication.k8s.io", "v1", "tokenreviews", "TokenReview"),
)


def version() -> Json:
    return {
        "major": "1", "minor": "34", "gitVersion": f"v1.34.4+serinus-{__version__}", "gitCommit": "", "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "none", "compiler": "none", "platform": "linux/amd64", "emulationMajor": "1", "emulationMinor": "34", "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
    }  # fmt: skip


def _groups(schemas: Schemas) -> dict[str, dict[str, list[Resource]]]:
    """group → version → resources, core apart."""
    found: dict[str, dict[str, list[Resource]]] = {}
    for r in schemas.resources():
        found.setdefault(r.group, {}).setdefault(r.version, []).append(r)
    return found


def api_versions(address: str) -> Json:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]}


def api_groups(schemas: Schemas) -> Json:
    groups = {g: list(v) for g, v in _groups(schemas).items() if g}
    for group, review_version, *_ in REVIEWS:
        groups.setdefault(group, [review_version])
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_of(g, v) for g, v in groups.items()]}


def group_of(group: str, versions: list[str]) -> Json:
    listed = [{"groupVersion": f"{group}/{v}", "version": v} for v in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": listed, "preferredVersion": listed[0]}


def one_group(schemas: Schemas, group: str) -> Json | None:
    return next((g for g in api_groups(schemas)["groups"] if g["name"] == group), None)


def resource_list(schemas: Schemas, group: str, api_version: str) -> Json | None:
    """The unaggregated list of one group version; None when it is not served."""
    found = _groups(schemas).get(group, {}).get(api_version, [])
    rows = [row for r in found for row in _rows(r)]
    rows += [{"name": p, "singularName": "", "namespaced": False, "kind": k, "verbs": ["create"]} for g, v, p, k in REVIEWS if (g, v) == (group, api_version)]
    if not rows:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{api_version}" if group else api_version, "resources": rows}


def _rows(r: Resource) -> list[Json]:
    main: Json = {"name": r.plural, "singularName": r.singular or r.kind.lower(), "namespaced": r.namespaced, "kind": r.kind, "verbs": VERBS}
    if r.short_names:
        main["shortNames"] = list(r.short_names)
    if r.categories:
        main["categories"] = list(r.categories)
    out = [main]
    for sub in r.subresources:
        if sub in _SUB_VERBS:
            group, api_version, kind = _SUB_KINDS.get(sub, ("", "", r.kind))
            row: Json = {"name": f"{r.plural}/{sub}", "singularName": "", "namespaced": r.namespaced, "kind": kind, "verbs": _SUB_VERBS[sub]}
            if sub in _SUB_KINDS:
                row |= {"group": group, "version": api_version}
            out.append(row)
    return out


def aggregated(schemas: Schemas, *, core: bool, form: str = "v2") -> Json:
    """APIGroupDiscoveryList of the core group, or of all others."""
    groups = {g: v for g, v in _groups(schemas).items() if (g == "") is core}
    items = [_discovered(g, {v: [_aggregated_row(r) for r in rs] for v, rs in versions.items()}) for g, versions in groups.items()]
    if not core:
        for group in dict.fromkeys(g for g, *_ in REVIEWS):
            rows = [_review_row(v, p, k, g) for g, v, p, k in REVIEWS if g == group]
            items.append(_discovered(group, {"v1": rows}))
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"{AGGREGATED}/{form}", "metadata": {}, "items": items}


def _discovered(group: str, versions: dict[str, list[Json]]) -> Json:
    listed = [{"version": v, "resources": rows, "freshness": "Current"} for v, rows in versions.items()]
    return {"metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None}, "versions": listed}


def _aggregated_row(r: Resource) -> Json:
    row: Json = {
        "resource": r.plural, "responseKind": {"group": r.group, "version": r.version, "kind": r.kind}, "scope": "Namespaced" if r.namespaced else "Cluster",
        "singularResource": r.singular or r.kind.lower(), "verbs": VERBS,
    }  # fmt: skip
    if r.short_names:
        row["shortNames"] = list(r.short_names)
    if r.categories:
        row["categories"] = list(r.categories)
    subs: list[Json] = []
    for sub in r.subresources:
        if sub in _SUB_VERBS:
            group, api_version, kind = _SUB_KINDS.get(sub, (r.group, r.version, r.kind))
            subs.append({"subresource": sub, "responseKind": {"group": group, "version": api_version, "kind": kind}, "verbs": _SUB_VERBS[sub]})
    return row | ({"subresources": subs} if subs else {})


def _review_row(api_version: str, plural: str, kind: str, group: str) -> Json:
    return {"resource": plural, "responseKind": {"group": group, "version": api_version, "kind": kind}, "scope": "Cluster", "singularResource": kind.lower(), "verbs": ["create"]}
