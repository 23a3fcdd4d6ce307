"""The OpenAPI documents of the served kinds: v3, one for each group version, and v2, one for all.

Source: Kubernetes docs, "The Kubernetes API: OpenAPI". The schemas are the published ones or those of the definitions.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.api.resources import Resource
from serinus.api.schema import schemas as published
from serinus.local.schema.publishing.openapi_paths import paths_of

if TYPE_CHECKING:
    from serinus.local.schema.kinds import Kind, Schemas

Json = dict[str, Any]
_V3, _V2 = "#/components/schemas/", "#/definitions/"
_ONLY_V3 = ("nullable", "default", "oneOf", "anyOf", "allOf", "not")
_TYPE_FIELDS = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object.",
    "kind": "Kind is a string value representing the REST resource this object represents.",
}


def index(schemas: Schemas) -> Json:
    """The list of v3 documents. A URL changes with its document's content, so clients may cache it forever."""
    paths: Json = {}
    for group_version in dict.fromkeys(_group_version(r) for r in schemas.resources()):
        digest = hashlib.sha256(msgspec.json.encode(schemas.openapi_v3(group_version))).hexdigest().upper()
        paths[group_version] = {"serverRelativeURL": f"/openapi/v3/{group_version}?hash={digest}"}
    return {"paths": paths}


def document(schemas: Schemas, group_version: str) -> Json:
    """The v3 document of one group version (`api/v1`, `apis/apps/v1`)."""
    kinds = _kinds(schemas, group_version)
    return {"openapi": "3.0.0", "info": _info()} | _parts(kinds, _V3)


def document_v2(schemas: Schemas) -> Json:
    return {"swagger": "2.0", "info": _info()} | _parts(_kinds(schemas, None), _V2)


def _parts(kinds: list[Kind], prefix: str) -> Json:
    schemas: Json = {}
    paths: Json = {}
    for kind in kinds:
        name = definition_name(kind)
        reached = _custom(kind, name, schemas, prefix) if kind.custom else [name]
        for extra in ("DeleteOptions", "Status"):
            reached.append(published.META + extra)
        if not kind.custom and name + "List" in published.definitions():
            reached.append(name + "List")
        if kind.scale:
            reached.append("io.k8s.api.autoscaling.v1.Scale")
        _reach(reached, schemas, prefix)
        paths |= paths_of(kind.resource, {"$ref": prefix + name}, custom=kind.custom, v2=prefix == _V2)
    return (
        {"paths": paths, "components": {"schemas": schemas}}
        if prefix == _V3
        else {"paths": paths, "definitions": schemas}
    )


def definition_name(kind: Kind) -> str:
    """`io.k8s.api.core.v1.Pod`, `io.argoproj.v1alpha1.Rollout`."""
    r = kind.resource
    if not kind.custom:
        return published.definition_name(r.group, r.version, r.kind) or ""
    return ".".join([*reversed(r.group.split(".")), r.version, r.kind])


def _reach(todo: list[str], schemas: Json, prefix: str) -> None:
    """Adds the named definitions and all that they reference."""
    while todo:
        name = todo.pop()
        if name not in schemas:
            schemas[name] = _written(published.definitions()[name], prefix, todo)


def _written(schema: Json, prefix: str, reached: list[str]) -> Json:
    """A schema in the dialect of `prefix`'s document."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(published.PREFIX)
        reached.append(name)
        reference = {"$ref": prefix + name}
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        if prefix == _V2 or not rest:
            return reference | rest
        return {"allOf": [reference], **rest}
    if schema.get("oneOf"):
        return _either(schema, v3=prefix == _V3)
    out: Json = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: _written(part, prefix, reached) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = _written(value, prefix, reached)
        elif prefix == _V3 or key not in _ONLY_V3:
            out[key] = value
    return out


def _either(schema: Json, *, v3: bool) -> Json:
    """IntOrString and Quantity, the two published types with alternatives."""
    whole = any(part.get("type") == "integer" for part in schema["oneOf"])
    if v3:
        return {"oneOf": schema["oneOf"]} | ({"format": "int-or-string"} if whole else {})
    return {"type": "string"} | ({"format": "int-or-string"} if whole else {})


def _custom(kind: Kind, name: str, schemas: Json, prefix: str) -> list[str]:
    """Adds a custom kind and its list, with the published definitions that they need."""
    r = kind.resource
    reached: list[str] = []
    schema = _written(kind.schema, prefix, reached)
    properties: Json = dict(schema.get("properties", {}))
    for field, text in _TYPE_FIELDS.items():
        properties[field] = {"type": "string", "description": text}
    properties["metadata"] = _written(
        {"$ref": published.PREFIX + published.META + "ObjectMeta", "description": "Standard object's metadata."},
        prefix,
        reached,
    )
    schemas[name] = {
        "type": "object",
        **schema,
        "properties": properties,
        "x-kubernetes-group-version-kind": [_gvk(r, r.kind)],
    }
    items: Json = {"type": "array", "items": {"$ref": prefix + name}}
    listed = {**{k: v for k, v in properties.items() if k in _TYPE_FIELDS}, "items": items}
    listed["metadata"] = _written({"$ref": published.PREFIX + published.META + "ListMeta"}, prefix, reached)
    schemas[name + "List"] = {
        "type": "object", "description": f"{r.kind}List is a list of {r.kind}", "required": ["items"], "properties": listed,
        "x-kubernetes-group-version-kind": [_gvk(r, f"{r.kind}List")],
    }  # fmt: skip
    return reached


def _gvk(resource: Resource, kind: str) -> Json:
    return {"group": resource.group, "version": resource.version, "kind": kind}


def _kinds(schemas: Schemas, group_version: str | None) -> list[Kind]:
    chosen = [r for r in schemas.resources() if group_version is None or _group_version(r) == group_version]
    return [kind for r in chosen if (kind := schemas.kind(r.group, r.version, r.plural))]


def _group_version(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _info() -> Json:
    return {"title": "Kubernetes", "version": "v1.37.0"}
