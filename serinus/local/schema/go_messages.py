"""Go's decoder errors for an invalid body. Kubernetes users recognize these messages and search for them.

    json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32

The struct is the one that contains the field. The path has every field from the root, but no list index and no map key.
Types that Go names but the schemas do not (`v1.RestartPolicy` for a string) appear as their base type.
"""

from __future__ import annotations

import re
from typing import Any

from serinus.api.schema import schemas

Json = dict[str, Any]
_PART = re.compile(r"\[\d+\]|[^.\[\]]+")
_GIVEN = {"integer": "number", "boolean": "bool"}
_TYPES = {"string": "string", "boolean": "bool", "number": "float64"}


def cannot_unmarshal(definition: str, path: str, given: str) -> str:
    """The error text. `definition`: name of the published definition. `given`: JSON type found, in schema terms."""
    schema: Json = {"$ref": schemas.PREFIX + definition}
    owner, fields = _struct(schema), list[str]()
    for part in _PART.findall(path):
        inside = schemas.resolved(schema)
        if part[0] == "[":
            below = inside.get("items")
        elif part in inside.get("properties", {}):
            owner = _struct(schema)
            fields.append(part)
            below = inside["properties"][part]
        else:
            below = inside.get("additionalProperties")
        if not isinstance(below, dict):
            break
        schema = below
    return (
        f"json: cannot unmarshal {_GIVEN.get(given, given)} into Go struct field "
        f"{'.'.join([owner, *fields])} of type {_type(schema)}"
    )


def _struct(schema: Json) -> str:
    return schema.get("$ref", "").rpartition(".")[2]


def _type(schema: Json) -> str:
    if "$ref" in schema:
        return ".".join(schema["$ref"].rsplit(".", 2)[1:])
    match schema.get("type"):
        case "integer":
            return schema.get("format") or "int64"
        case "array":
            return f"[]{_type(schema.get('items', {}))}"
        case "object":
            values = schema.get("additionalProperties")
            return f"map[string]{_type(values) if isinstance(values, dict) else 'interface {}'}"
        case kind:
            return _TYPES.get(kind or "", "interface {}")
