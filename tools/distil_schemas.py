"""Distil the schemas of the built-in kinds that are served into one packaged file.

    python tools/distil_schemas.py

Reads the PyPI package `kubernetes-validate` (a development dependency: the OpenAPI definitions of Kubernetes as JSON
schemas) and writes `serinus/api/schema/schemas.json.gz`: the definitions that the served kinds and their subresources
reach, with descriptions and `x-kubernetes-*` facts. The output depends on the input only, so a second run changes nothing.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import kubernetes_validate

from serinus.api.resources import BUILT_IN, OLDER_VERSIONS

VERSION = "1.37.0"
TARGET = Path(__file__).parent.parent / "serinus" / "api" / "schema" / "schemas.json.gz"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
ALSO: tuple[str, ...] = (
    META + "DeleteOptions", META + "Status", META + "WatchEvent", META + "APIResourceList", META + "APIGroup",
    "io.k8s.api.policy.v1.Eviction", "io.k8s.api.core.v1.Binding",
    "io.k8s.api.autoscaling.v1.Scale", "io.k8s.api.authentication.v1.TokenRequest",
)  # fmt: skip

# Published by Kubernetes as `default`, but lost in the package: list keys and stored templates depend on them.
DEFAULTS = {
    ("io.k8s.api.core.v1.ContainerPort", "protocol"): "TCP",
    ("io.k8s.api.core.v1.ServicePort", "protocol"): "TCP",
    ("io.k8s.api.core.v1.FileKeySelector", "optional"): False,
    ("io.k8s.api.core.v1.GRPCAction", "service"): "",
}


def main(target: Path = TARGET) -> None:
    package = Path(kubernetes_validate.__file__).parent
    folder = package / "kubernetes-json-schema" / f"v{VERSION}-local"
    source = json.loads((folder / "_definitions.json").read_text())["$defs"]
    by_gvk = {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, schema in source.items()
        for gvk in schema.get("x-kubernetes-group-version-kind", [])
    }
    todo: list[str] = list(ALSO)
    for r in (*BUILT_IN, *OLDER_VERSIONS):
        todo += [by_gvk[(r.group, r.version, r.kind)], by_gvk[(r.group, r.version, r.kind + "List")]]
    kept: dict[str, Any] = {}
    while todo:
        name = todo.pop()
        if name not in kept:
            kept[name] = distilled(source[name], todo)
    for (name, field), value in DEFAULTS.items():
        kept[name]["properties"][field]["default"] = value
    text = json.dumps({"version": VERSION, "definitions": kept}, sort_keys=True, separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{target.name}: {len(kept)} definitions, {target.stat().st_size} bytes")


def distilled(schema: Any, reached: list[str]) -> Any:
    """One schema without the parts that OpenAPI lacks (null types, fixed kinds); adds the names that it refers to."""
    if isinstance(schema, list):
        return [distilled(item, reached) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: distilled(part, reached) for name, part in value.items()}
        elif key == "$ref":
            name = value.rsplit("/", 1)[1]
            reached.append(name)
            out[key] = f"#/definitions/{name}"
        elif key == "type" and isinstance(value, list):
            out[key] = next(t for t in value if t != "null")
        elif key != "enum":
            out[key] = distilled(value, reached) if key in ("items", "additionalProperties", "oneOf") else value
    return out


if __name__ == "__main__":
    main()
