"""The CustomResourceDefinitions of the five argoproj.io kinds.

Every field is a line of `argoproj.fields.txt`: path, type, `(required)`, `enum=`; `argoproj.words.txt` describes some
of them. Pod templates, jobs and selectors are expanded from the published core schemas. Objects without listed fields
belong to plugins and keep all fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from serinus.api.schema import schemas, step_schema

Json = dict[str, Any]
VERSION = "v1alpha1"
GROUP = "argoproj.io"

_HEADER = re.compile(
    r"## (?P<kind>\w+)  plural=(?P<plural>\w+) shortNames=(?P<short>[\w,]*) scope=(?P<scope>\w+) subresources=(?P<sub>.*)"
)
_COLUMN = re.compile(r"column (?P<name>[^:]+): (?P<path>\S+) \((?P<type>\w+)\)")
_FIELD = re.compile(r"(?P<path>[^:]++): (?P<type>.+)")
_PAIR = re.compile(r"'(\w+)': '([^']*)'")
_LIKE_ANALYSIS_TEMPLATES = ("ClusterAnalysisTemplate", "AnalysisRun")
"""Their specs have the fields of an AnalysisTemplate's."""
_EMPTY_ON_PURPOSE = "requiredDuringSchedulingIgnoredDuringExecution"
_CORE = "io.k8s.api.core.v1."
_IMMUTABLE = {"Rollout": ("spec.selector",)}
"""Immutable fields: another selector would orphan the ReplicaSets of the old one."""
UNCHANGED = "self == oldSelf"
"""The rule of `x-kubernetes-validations` for immutable fields."""


def crds() -> list[Json]:
    """New objects of kind CustomResourceDefinition, ready to be created."""
    return msgspec.json.decode(_encoded())


@lru_cache(1)
def _encoded() -> bytes:
    """Decoding them takes a tenth of the time of building them."""
    text = files("serinus.api.schema").joinpath("argoproj.fields.txt").read_text(encoding="utf-8")
    return msgspec.json.encode([_definition(section) for section in _sections(text)])


def _sections(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            if lines:
                yield lines
            lines = [line]
        elif line and lines:
            lines.append(line)
    if lines:
        yield lines


def _definition(lines: list[str]) -> Json:
    head = _HEADER.fullmatch(lines[0].rstrip())
    if head is None:
        raise ValueError(f"argoproj.fields.txt: cannot read {lines[0]!r}")
    columns = [m for line in lines[1:] if (m := _COLUMN.match(line))]
    fields = [m for line in lines[1:] if not line.startswith("column ") and (m := _FIELD.fullmatch(line))]
    kind, plural = head["kind"], head["plural"]
    rows = [(m["path"], m["type"]) for m in fields] + (step_schema.fields() if kind == "Rollout" else [])
    version: Json = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [{"name": m["name"], "jsonPath": m["path"], "type": m["type"]} for m in columns],
        "schema": {"openAPIV3Schema": _schema(kind, rows)},
        "subresources": _subresources(head["sub"]),
    }
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": head["short"].split(","),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": head["scope"], "versions": [version]},
    }


def _subresources(text: str) -> Json:
    subresources: Json = {}
    if "'scale'" in text:
        subresources["scale"] = dict(_PAIR.findall(text))
    if "'status'" in text:
        subresources["status"] = {}
    return subresources


def _schema(kind: str, fields: list[tuple[str, str]]) -> Json:
    root: Json = {
        "type": "object",
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}},
        "required": ["metadata"],
    }
    for path, kind_of in fields:
        _put(root, _parts(path), kind_of)
    _keep_unlisted(root)
    shared = [(p, w) for p, w in _words()["AnalysisTemplate"] if p] if kind in _LIKE_ANALYSIS_TEMPLATES else []
    for path, words in [*shared, *_words().get(kind, ())]:
        _at(root, path)["description"] = words
    for path in _IMMUTABLE.get(kind, ()):
        _at(root, path)["x-kubernetes-validations"] = [{"rule": UNCHANGED, "message": f".{path} is immutable"}]
    return root


@lru_cache(maxsize=1)
def _words() -> dict[str, list[tuple[str, str]]]:
    """Kind → (path, description)."""
    descriptions: dict[str, list[tuple[str, str]]] = {}
    for line in files("serinus.api.schema").joinpath("argoproj.words.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            place, _, words = line.partition(": ")
            kind, _, path = place.partition(" ")
            descriptions.setdefault(kind, []).append((path, words))
    return descriptions


def _at(root: Json, path: str) -> Json:
    """The schema at a path; KeyError if there is none."""
    at = root
    for part in _parts(path):
        at = at["items"] if part == "[]" else at["properties"][part]
    return at


def _parts(path: str) -> list[str]:
    return path.replace("[]", ".[]").split(".") if path else []


def _put(root: Json, path: list[str], text: str) -> None:
    required = "(required)" in text
    schema = _typed(text.replace("(required)", "").replace("  ", " ").strip())
    *above, name = path
    at = root
    for part in above:
        at = at["items"] if part == "[]" else at["properties"][part]
    if name == "[]":
        at["items"] = schema
        return
    at.setdefault("properties", {})[name] = schema
    if required:
        at.setdefault("required", []).append(name)


def _typed(text: str) -> Json:
    base, _, enum = text.partition(" enum=")
    match base.split(" "):
        case ["int|string"]:
            return int_or_string()
        case ["object", "map", "of", item]:
            return {"type": "object", "additionalProperties": _typed(item)}
        case ["array", "of", item]:
            return {"type": "array", "items": _typed(item)}
        case ["LabelSelector"]:
            return expanded(schemas.definitions()[schemas.META + "LabelSelector"])
        case ["PodTemplateSpec"]:
            return {
                "type": "object",
                "properties": {"metadata": preserved_metadata(), "spec": pod_spec()},
            }
        case ["JobTemplate", *_]:
            spec = expanded(schemas.definitions()["io.k8s.api.batch.v1.JobSpec"])
            spec["properties"]["template"]["properties"]["spec"] = pod_spec()
            return {
                "type": "object",
                "properties": {"metadata": preserved_metadata(), "spec": spec},
                "required": ["spec"],
            }
        case [kind]:
            return {"type": kind, "enum": enum.split("|")} if enum else {"type": kind}
        case [kind, form]:
            return {"type": kind, "format": form}
        case _:
            raise ValueError(f"argoproj.fields.txt: cannot read the type {text!r}")


def int_or_string() -> Json:
    return {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


def pod_spec() -> Json:
    """The spec of a pod, with the same open parts as in Argo Rollouts' definitions.

    These are volumes and the amounts of containers: a structural schema cannot express "number or text", and manifests
    have both (`cpu: 0.5`). Validation finds invalid values and names the field.
    """
    spec = expanded(schemas.definitions()[_CORE + "PodSpec"])
    spec["properties"]["volumes"] = preserved()
    for containers in ("containers", "initContainers", "ephemeralContainers"):
        resources = spec["properties"][containers]["items"]["properties"]["resources"]
        resources["properties"] |= {"limits": preserved(), "requests": preserved()}
    return spec


def preserved() -> Json:
    """Any value, stored as it is."""
    return {"x-kubernetes-preserve-unknown-fields": True}


def preserved_metadata() -> Json:
    """Labels and annotations of a template. Other fields are kept."""
    texts: Json = {"type": "object", "additionalProperties": {"type": "string"}, "nullable": True}
    return {
        "type": "object",
        "properties": {"labels": texts, "annotations": texts},
        "x-kubernetes-preserve-unknown-fields": True,
    }


def expanded(schema: Json) -> Json:
    """A core schema without references and descriptions, as a structural schema."""
    reference = schema.get("$ref", "").rpartition(".")[2]
    if reference == "IntOrString":
        return int_or_string()
    if reference == "Quantity":
        return int_or_string() | {
            "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
        }
    if reference == "ObjectMeta":
        return preserved_metadata()
    out: Json = {}
    for key, value in schemas.resolved(schema).items():
        if key == "properties":
            out[key] = {name: expanded(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = expanded(value)
        elif key in ("type", "format", "required", "default") or (
            key.startswith("x-kubernetes-list-") or key == "x-kubernetes-map-type"
        ):
            out[key] = value
    if schema.get("x-kubernetes-map-type"):
        out["x-kubernetes-map-type"] = schema["x-kubernetes-map-type"]
    if "default" in schema:
        out["default"] = schema["default"]
    _can_be_keys(out)
    return out


def _can_be_keys(schema: Json) -> None:
    """An API server accepts a list map only if each item has its keys, set or by default. Core types omit some."""
    items: Json = schema.get("items", {})
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        part: Json = items["properties"][key]
        if key not in items.get("required", ()) and "default" not in part:
            part["default"] = ""


def _keep_unlisted(schema: Json, name: str = "") -> None:
    """Plugins' objects have no listed fields: they keep all fields."""
    listed = schema.get("type") != "object" or schema.keys() & {"properties", "additionalProperties"}
    if not listed and name not in (_EMPTY_ON_PURPOSE, "metadata"):
        schema["x-kubernetes-preserve-unknown-fields"] = True
    for below, part in schema.get("properties", {}).items():
        _keep_unlisted(part, below)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _keep_unlisted(schema[key])
