"""Writes serinus/api/schemas/builtin.json.gz: the schemas of the built-in kinds that Serinus reads or serves.

Source: the OpenAPI definitions of Kubernetes (Apache-2.0) as the PyPI package `kubernetes-validate` carries them. Kept are
types, formats, required fields, list and map types, merge keys and the first sentence of each description; what the
kinds of `serinus.api.resources.BUILT_IN` do not reach is left out. The same input makes the same bytes.

    python tools/distil_schemas.py            writes the file
    python tools/distil_schemas.py --check    exits 1 when the committed file is not what it would write
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

from serinus.api.resources import BUILT_IN

VERSION = "v1.37.0"
TARGET = Path(__file__).parent.parent / "serinus" / "api" / "schemas" / "builtin.json.gz"
ALSO = (("autoscaling", "v1", "Scale"), ("policy", "v1", "Eviction"), ("authentication.k8s.io", "v1", "TokenRequest"))
ALSO_NAMED = ("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.Status")
KEPT = (
    "additionalProperties", "format", "items", "properties", "required", "type", "x-kubernetes-group-version-kind",
    "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
)  # fmt: skip
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
JSON_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
LONGEST_SENTENCE = 240

Json = dict[str, Any]


def source() -> Json | None:
    """The definitions in the installed package; None where it is not installed."""
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "kubernetes-json-schema" / f"{VERSION}-local"
    return json.loads((folder / "_definitions.json").read_text())["$defs"]


def distil(definitions: Json) -> bytes:
    """The bytes of the packaged file."""
    roots = {name for name, d in definitions.items() if _is_root(d)} | set(ALSO_NAMED)
    kept: Json = {}
    todo = sorted(roots)
    while todo:
        name = todo.pop()
        if name in kept:
            continue
        kept[name] = _reduce(definitions[name], name)
        todo += _references(kept[name])
    text = json.dumps({"version": VERSION, "definitions": kept}, sort_keys=True, separators=(",", ":"))
    return gzip.compress(text.encode(), mtime=0)


def _is_root(definition: Json) -> bool:
    wanted = {(r.group, r.version, r.kind) for r in BUILT_IN} | set(ALSO)
    kinds = definition.get("x-kubernetes-group-version-kind", [])
    return len(kinds) == 1 and (kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]) in wanted


def _reduce(schema: Json, name: str = "") -> Json:
    if name == INT_OR_STRING:
        return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
    if name == QUANTITY:
        return {"oneOf": [{"type": "string"}, {"type": "number"}]}
    if name == f"{JSON_SCHEMA}OrArray" or name == f"{JSON_SCHEMA}OrBool" or name == f"{JSON_SCHEMA}OrStringArray":
        return {"x-kubernetes-preserve-unknown-fields": True}
    out: Json = {}
    sentence = _first_sentence(schema.get("description", ""))
    if sentence:
        out["description"] = sentence
    if "$ref" in schema:
        out["$ref"] = "#/components/schemas/" + schema["$ref"].rpartition("/")[2]
    for key in KEPT:
        if key in schema:
            out[key] = schema[key]
    if isinstance(out.get("type"), list):
        out["type"] = next(t for t in out["type"] if t != "null")
    if len(out.get("x-kubernetes-group-version-kind", [])) > 1:
        del out["x-kubernetes-group-version-kind"]
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _reduce(out[key])
    if "properties" in out:
        out["properties"] = {field: _reduce(value) for field, value in out["properties"].items()}
    return out


def _first_sentence(text: str) -> str:
    """`Text.` of `Text. More text`; abbreviations such as e.g. end no sentence."""
    text = " ".join(text.split("\n\n")[0].split())
    end = re.search(r"(?<!e\.g)(?<!i\.e)(?<!etc)\.(?=\s+[A-Z`*\"'])", text)
    sentence = text[: end.end()] if end else text
    return sentence if len(sentence) <= LONGEST_SENTENCE else sentence[: LONGEST_SENTENCE - 1].rsplit(" ", 1)[0] + "…"


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for part in schema for name in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for part in schema.values() for name in _references(part)]


def main() -> int:
    definitions = source()
    if definitions is None:
        print("kubernetes-validate is not installed: run make setup, which installs what development needs", file=sys.stderr)
        return 2
    made = distil(definitions)
    if "--check" in sys.argv:
        same = TARGET.exists() and gzip.decompress(TARGET.read_bytes()) == gzip.decompress(made)
        print("up to date" if same else f"{TARGET.name} is out of date: run python tools/distil_schemas.py")
        return 0 if same else 1
    TARGET.write_bytes(made)
    print(f"{TARGET}: {len(made)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
