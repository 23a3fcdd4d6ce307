"""The schemas of the built-in kinds, as Kubernetes publishes them (OpenAPI, including `x-kubernetes-*`).

Read once, at first use, from `schemas.json.gz`, which `tools/distil_schemas.py` makes. Callers share the objects
and must not change them.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

Json = dict[str, Any]
PREFIX = "#/definitions/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


@lru_cache(maxsize=1)
def definitions() -> dict[str, Json]:
    """Name → schema; `$ref`s look like `#/definitions/io.k8s.api.core.v1.PodSpec`."""
    packed = files("serinus.api.schema").joinpath("schemas.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed))["definitions"]


@lru_cache(maxsize=1)
def _by_kind() -> dict[tuple[str, str, str], str]:
    names: dict[tuple[str, str, str], str] = {}
    for name, schema in definitions().items():
        for gvk in schema.get("x-kubernetes-group-version-kind", []):
            names.setdefault((gvk["group"], gvk["version"], gvk["kind"]), name)
    return names


def definition_name(group: str, version: str, kind: str) -> str | None:
    """The name of a kind's definition, None if it has none."""
    return _by_kind().get((group, version, kind))


def resolved(schema: Json) -> Json:
    """The target of a schema's reference; the schema itself if it is no reference."""
    while "$ref" in schema:
        schema = definitions()[schema["$ref"].removeprefix(PREFIX)]
    return schema
