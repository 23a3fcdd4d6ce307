"""The `paths` of OpenAPI documents: each resource's operations and their query parameters.

kubectl reads them to find the kind of a path (`explain`), and to check support for `dryRun`, `fieldValidation` and
strategic merge patches.
"""

from __future__ import annotations

from typing import Any

from serinus.api.resources import Resource
from serinus.kube.transport import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

Json = dict[str, Any]

_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch",
    "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_TYPES = {
    "limit": "integer", "timeoutSeconds": "integer", "gracePeriodSeconds": "integer", "watch": "boolean", "allowWatchBookmarks": "boolean",
    "sendInitialEvents": "boolean", "orphanDependents": "boolean", "force": "boolean",
}  # fmt: skip
_TEXTS = {
    "dryRun": "When present, indicates that modifications should not be persisted. Valid values: All.",
    "fieldManager": "The name of the writer, to whom the changed fields belong.",
    "fieldValidation": "What to do about unknown or duplicate fields: Ignore, Warn or Strict.",
    "force": "Take over fields that another manager owns. Only for apply patches.",
}
_EDIT = (("get", "get", ()), ("put", "put", _WRITE), ("patch", "patch", (*_WRITE, "force")))
_SUBS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "status": _EDIT,
    "scale": _EDIT,
    "log": (
        (
            "get",
            "connect",
            ("container", "follow", "limitBytes", "previous", "sinceSeconds", "sinceTime", "tailLines", "timestamps"),
        ),
    ),
    "eviction": (("post", "post", _WRITE),),
    "binding": (("post", "post", _WRITE),),
    "token": (("post", "post", _WRITE),),
    "finalize": (("put", "put", _WRITE),),
}
_SUB_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "binding": ("", "v1", "Binding"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}


def paths_of(resource: Resource, reference: Json, *, custom: bool, v2: bool) -> Json:
    """Path -> operations of one resource. `reference`: the `$ref` of its schema."""
    space = "{namespace}" if resource.namespaced else ""
    gvk = (resource.group, resource.version, resource.kind)
    collection, item = resource.path(space), resource.path(space, "{name}")

    def operations(
        path: str, rows: tuple[tuple[str, str, tuple[str, ...]], ...], kind: tuple[str, str, str], schema: Json | None
    ) -> Json:
        methods = {
            m: _operation(resource, path, m, a, names, kind, schema, custom=custom, v2=v2) for m, a, names in rows
        }
        shared = [_in_path(name, v2=v2) for name in ("name", "namespace") if f"{{{name}}}" in path]
        return methods | ({"parameters": shared} if shared else {})

    rows = (("get", "list", _LIST), ("post", "post", _WRITE), ("delete", "deletecollection", (*_LIST, *_DELETE)))
    out = {collection: operations(collection, rows, gvk, reference)}
    out[item] = operations(item, (*_EDIT, ("delete", "delete", _DELETE)), gvk, reference)
    if resource.namespaced:
        out[resource.path()] = operations(resource.path(), (("get", "list", _LIST),), gvk, reference)
    for sub in resource.subresources:
        if sub in _SUBS:
            path = f"{item}/{sub}"
            out[path] = operations(path, _SUBS[sub], _SUB_KINDS.get(sub, gvk), reference if sub == "status" else None)
    return out


def _operation(
    resource: Resource,
    path: str,
    method: str,
    action: str,
    names: tuple[str, ...],
    gvk: tuple[str, str, str],
    schema: Json | None,
    *,
    custom: bool,
    v2: bool,
) -> Json:
    shape = schema or {"type": "object"}
    media = (
        [JSON_PATCH, MERGE_PATCH, *([] if custom else [STRATEGIC_PATCH]), APPLY_PATCH] if method == "patch" else [JSON]
    )
    out: Json = {
        "operationId": action + "".join(part.strip("{}").capitalize() for part in path.replace(".", "/").split("/")),
        "parameters": [_in_query(name, v2=v2) for name in (*names, "pretty")],
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": gvk[0], "version": gvk[1], "kind": gvk[2]},
    }
    # A list returns another kind than the path's own.
    answer = {"type": "object"} if action in ("list", "deletecollection", "delete") else shape
    sent = {"type": "object"} if method == "patch" else shape
    if v2:
        out |= {"consumes": media, "produces": [JSON], "responses": {"200": {"description": "OK", "schema": answer}}}
        if method in ("post", "put", "patch"):
            out["parameters"].append({"name": "body", "in": "body", "required": True, "schema": sent})
    else:
        out["responses"] = {"200": {"description": "OK", "content": {JSON: {"schema": answer}}}}
        if method in ("post", "put", "patch"):
            out["requestBody"] = {"content": {m: {"schema": sent} for m in media}, "required": True}
    return out


def _in_query(name: str, *, v2: bool) -> Json:
    out: Json = {"name": name, "in": "query", "description": _TEXTS.get(name, "")}
    kind: Json = {"type": _TYPES.get(name, "string"), "uniqueItems": True}
    return out | (kind if v2 else {"schema": kind})


def _in_path(name: str, *, v2: bool) -> Json:
    out: Json = {"name": name, "in": "path", "required": True, "description": f"{name} of the object"}
    kind: Json = {"type": "string", "uniqueItems": True}
    return out | (kind if v2 else {"schema": kind})
