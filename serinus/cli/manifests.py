"""Manifest files: YAML or JSON, strictly read, and checked against the fields that a kind has."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from serinus.cli.problems import Problem

Json = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """As Kubernetes reads YAML: a key twice is an error, and a time is text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int | float | bool) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            if isinstance(key, str | int | float | bool):
                seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(filename: str) -> list[Json]:
    """The objects of a file (`-`: standard input), empty documents left out. Problem if it holds anything else."""
    return objects_of(filename, text_of(filename))


def objects_of(filename: str, text: str) -> list[Json]:
    """The objects of a text that stands in this file."""
    try:
        found = list(yaml.load_all(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place = " ".join(str(error).split()) or "nested too deeply"
        raise Problem(f"{filename} cannot be read: {place}") from None
    objects = [found for found in found if found is not None]
    for place, obj in enumerate(objects, start=1):
        where = filename if len(objects) == 1 else f"{filename}, document {place}"
        if not isinstance(obj, dict):
            raise Problem(f"{where}: an object was expected, with apiVersion and kind; found {type(obj).__name__}")
        for key in ("apiVersion", "kind"):
            if not isinstance(obj.get(key), str):
                raise Problem(f"{where}: {key} must be text, found {obj.get(key)!r}")
        if not isinstance(obj.get("metadata", {}), dict):
            raise Problem(f"{where}: metadata must be an object, found {obj['metadata']!r}")
    return objects


def text_of(filename: str) -> str:
    """A file's text. Problem if it cannot be read."""
    try:
        data = sys.stdin.buffer.read() if filename == "-" else Path(filename).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Problem(f"{filename}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Problem(f"{filename} is no text in UTF-8: {error.reason} at byte {error.start}") from None


def complaints(obj: Json) -> list[str]:
    """What no object of this argoproj.io kind may hold: unknown fields and values of the wrong type."""
    from serinus.api.crds import crds

    for crd in crds():
        if crd["spec"]["names"]["kind"] == obj["kind"]:
            return list(_check(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], obj, ""))
    return []


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _check(schema: Json, value: Any, path: str) -> Iterator[str]:
    if value is None or (schema.get("x-kubernetes-preserve-unknown-fields") and "properties" not in schema):
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"{path}: a number or text was expected, found {value!r}"
        return
    expected = _TYPES.get(str(schema.get("type")))
    if expected and (not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected)):
        yield f"{path}: {schema['type']} was expected, found {value!r}"
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _check(schema.get("items") or {}, item, f"{path}[{place}]")
    elif isinstance(value, dict):
        yield from _fields(schema, value, path)


def _fields(schema: Json, value: Json, path: str) -> Iterator[str]:
    known: Json = schema.get("properties") or {}
    other = schema.get("additionalProperties")
    for key, item in value.items():
        below = f"{path}.{key}" if path else str(key)
        if key in known:
            if below != "metadata":
                yield from _check(known[key], item, below)
        elif isinstance(other, dict):
            yield from _check(other, item, below)
        elif known and not schema.get("x-kubernetes-preserve-unknown-fields"):
            near = difflib.get_close_matches(str(key), known, n=1)
            yield f'unknown field "{below}"' + (f" (did you mean {near[0]}?)" if near else "")
