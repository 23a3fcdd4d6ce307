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
    errors = [FieldError(f"spec.{field}", "FieldValueRequired") for field in ("group", "scope") if not spec.get(field)]
    errors += [
        FieldError(f"spec.names.{field}", "FieldValueRequired") for field in ("plural", "kind") if not names.get(field)
    ]
    if spec.get("scope") not in (None, "", "Cluster", "Namespaced"):
        errors.append(
            FieldError(
                "spec.scope", "FieldValueNotSupported", spec["scope"], 'supported values: "Cluster", "Namespaced"'
            )
        )
    if spec.get("group") in _SERVED:
        errors.append(
            FieldError(
                "spec.group",
                "FieldValueForbidden",
                spec["group"],
                "the API server serves this group itself: a definition over it would hide its objects",
            )
        )
    name, expected = (crd.get("metadata") or {}).get("name", ""), f"{names.get('plural', '')}.{spec.get('group', '')}"
    if not errors and name != expected:
        errors.append(
            FieldError(
                "metadata.name",
                "FieldValueInvalid",
                name,
                f'must be spec.names.plural+"."+spec.group (found {name!r}, write {expected!r})',
            )
        )
    versions: list[Json] = spec.get("versions") or []
    if sum(1 for v in versions if v.get("storage")) != 1:
        errors.append(
            FieldError(
                "spec.versions",
                "FieldValueInvalid",
                [v.get("name") for v in versions],
                "must have exactly one version marked as storage version",
            )
        )
    for i, version in enumerate(versions):
        errors += _version(f"spec.versions[{i}]", version)
    return errors


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
    nested: list[_Flaw] = []
    items, values = schema.get("items"), schema.get("additionalProperties")
    if schema.get("type") == "array" and not isinstance(items, dict):
        nested.append((".items", "FieldValueRequired", "must be specified"))
    for name, part in (schema.get("properties") or {}).items():
        if flaws := _structural(part):
            nested += [(f".properties[{name}]{below}", reason, text) for below, reason, text in flaws]
    for field, part in ((".items", items), (".additionalProperties", values)):
        if isinstance(part, dict) and (flaws := _structural(part)):
            nested += [(field + below, reason, text) for below, reason, text in flaws]
    return nested
