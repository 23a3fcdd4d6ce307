"""Validation of a CustomResourceDefinition before its kinds are served."""

from __future__ import annotations

from typing import Any

from serinus.api.resources import BUILT_IN
from serinus.local.schema.field_errors import FieldError

Json = dict[str, Any]
_SERVED = frozenset(resource.group for resource in BUILT_IN)


def crd_errors(crd: Json) -> list[FieldError]:
    """The definition's errors; empty if it can be served."""
    spec: Json = crd.get("spec") or {}
    names: Json = spec.get("names") or {}
    found = [FieldError(f"spec.{field}", "FieldValueRequired") for field in ("group", "scope") if not spec.get(field)]
    found += [
        FieldError(f"spec.names.{field}", "FieldValueRequired") for field in ("plural", "kind") if not names.get(field)
    ]
    if spec.get("scope") not in (None, "", "Cluster", "Namespaced"):
        found.append(
            FieldError(
                "spec.scope", "FieldValueNotSupported", spec["scope"], 'supported values: "Cluster", "Namespaced"'
            )
        )
    if spec.get("group") in _SERVED:
        found.append(
            FieldError(
                "spec.group",
                "FieldValueForbidden",
                spec["group"],
                "the API server serves this group itself: a definition over it would hide its objects",
            )
        )
    name, wanted = (crd.get("metadata") or {}).get("name", ""), f"{names.get('plural', '')}.{spec.get('group', '')}"
    if not found and name != wanted:
        found.append(
            FieldError(
                "metadata.name",
                "FieldValueInvalid",
                name,
                f'must be spec.names.plural+"."+spec.group (found {name!r}, write {wanted!r})',
            )
        )
    versions: list[Json] = spec.get("versions") or []
    if sum(1 for v in versions if v.get("storage")) != 1:
        found.append(
            FieldError(
                "spec.versions",
                "FieldValueInvalid",
                [v.get("name") for v in versions],
                "must have exactly one version marked as storage version",
            )
        )
    for i, version in enumerate(versions):
        found += _version(f"spec.versions[{i}]", version)
    return found


def _version(path: str, version: Json) -> list[FieldError]:
    if not version.get("name"):
        return [FieldError(f"{path}.name", "FieldValueRequired")]
    schema: Any = (version.get("schema") or {}).get("openAPIV3Schema")
    at = f"{path}.schema.openAPIV3Schema"
    if not isinstance(schema, dict):
        return [FieldError(at, "FieldValueRequired", None, "schemas are required")]
    if schema.get("type", "object") != "object":
        return [FieldError(f"{at}.type", "FieldValueInvalid", schema["type"], "must be object at the root")]
    return [FieldError(at + below, reason, None, text) for below, reason, text in _structural(schema)]


_Flaw = tuple[str, str, str]
"""(path below the schema, reason, text)."""


def _structural(schema: Json) -> list[_Flaw]:
    # Paths are made for flaws alone: a definition has thousands of fields, and `serinus up` checks five at each start.
    if "$ref" in schema:
        return [(".$ref", "FieldValueForbidden", "$ref is not supported")]
    found: list[_Flaw] = []
    items, values = schema.get("items"), schema.get("additionalProperties")
    if schema.get("type") == "array" and not isinstance(items, dict):
        found.append((".items", "FieldValueRequired", "must be specified"))
    for name, part in (schema.get("properties") or {}).items():
        if flaws := _structural(part):
            found += [(f".properties[{name}]{below}", reason, text) for below, reason, text in flaws]
    for field, part in ((".items", items), (".additionalProperties", values)):
        if isinstance(part, dict) and (flaws := _structural(part)):
            found += [(field + below, reason, text) for below, reason, text in flaws]
    return found
