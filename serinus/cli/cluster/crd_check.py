"""Check that the CustomResourceDefinitions of a cluster have at least the fields of this version's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.schema.crds import VERSION, crds

Json = dict[str, Any]
KEEPS = "x-kubernetes-preserve-unknown-fields"


def lacking(there: list[Json]) -> dict[str, list[str]]:
    """Name of each definition that lacks fields -> their paths, or ["*"] for a definition that does not exist."""
    known = {crd["metadata"]["name"]: crd for crd in there}
    missing_fields: dict[str, list[str]] = {}
    for ours in crds():
        name = str(ours["metadata"]["name"])
        missing = list(_of(known[name], ours)) if name in known else ["*"]
        if missing:
            missing_fields[name] = missing
    return missing_fields


def _of(theirs: Json, ours: Json) -> Iterator[str]:
    required = _version(ours)
    served = _version(theirs)
    if served is None or required is None or not served.get("served"):
        yield VERSION
        return
    if theirs["spec"].get("scope") != ours["spec"].get("scope"):
        yield f"scope {ours['spec'].get('scope')}"
    for name in required.get("subresources") or {}:
        if name not in (served.get("subresources") or {}):
            yield f"/{name}"
    yield from _fields(_schema(served), _schema(required), "")


def _version(crd: Json) -> Json | None:
    return next((v for v in crd["spec"].get("versions") or [] if v["name"] == VERSION), None)


def _schema(version: Json) -> Json:
    return (version.get("schema") or {}).get("openAPIV3Schema") or {}


def _fields(theirs: Json, ours: Json, path: str) -> Iterator[str]:
    """Paths that the API server would prune. Fields below a pruned path are not listed."""
    if theirs.get(KEEPS):
        return
    known: Json = theirs.get("properties") or {}
    for name, required in (ours.get("properties") or {}).items():
        below = f"{path}.{name}" if path else name
        if name in known:
            yield from _fields(known[name], required, below)
        elif "additionalProperties" not in theirs and below not in ("apiVersion", "kind", "metadata"):
            yield below
    for key, sign in (("items", "[]"), ("additionalProperties", "{}")):
        required, known_part = ours.get(key), theirs.get(key)
        if isinstance(required, dict) and isinstance(known_part, dict):
            yield from _fields(known_part, required, path + sign)
