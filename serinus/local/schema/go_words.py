"""What a server written in Go says of a body that it cannot decode: the words that users of Kubernetes know, and search for.

    json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32

The struct is the one that has the field; the path names every field from the root, but no index and no key of a map.
Types that Go names beyond what is published (`v1.RestartPolicy` for a text) are told as what they are made of.
"""

from __future__ import annotations

import re
from typing import Any

from serinus.api import schemas

Json = dict[str, Any]
_PART = re.compile(r"\[\d+\]|[^.\[\]]+")
_GIVEN = {"integer": "number", "boolean": "bool"}
_TYPES = {"string": "string", "boolean": "bool", "number": "float64"}


def cannot_unmarshal(definition: str, path: str, given: str) -> str:
    """`definition`: name of the published definition of the object. `given`: JSON type found, as schemas call it."""
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
