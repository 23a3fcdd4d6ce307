"""Manifest files: YAML or JSON as kubectl reads it, with the API server's checks of each object."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from serinus.api.resources import ARGOPROJ
from serinus.api.validation.findings import Finding, invalid, not_supported
from serinus.api.yaml.reader import Chunk, YamlError
from serinus.api.yaml.reader import documents as yaml_documents
from serinus.cli.framework.errors import Problem

if TYPE_CHECKING:
    from serinus.local.schema.field_errors import FieldError
    from serinus.local.schema.kinds import Kind, Schemas

Json = dict[str, Any]
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Manifest(NamedTuple):
    """An object of a file. `within`: its path in the document, such as `items[0]` in a List; "" for the document."""

    obj: Json
    chunk: Chunk
    within: str = ""


def documents(filename: str) -> list[Json]:
    """The objects of a file (`-`: standard input), without empty documents. Problem for any other content."""
    return [manifest.obj for manifest in read(filename, text_of(filename))]


def manifests(filename: str) -> list[Manifest]:
    """The same with each List replaced by its items, as kubectl sends them."""
    result: list[Manifest] = []
    for manifest in read(filename, text_of(filename)):
        items = manifest.obj.get("items")
        if manifest.obj["kind"].endswith("List") and "items" in manifest.obj:
            for i, item in enumerate(items if isinstance(items, list) else []):
                _check_object(f"{filename}, items[{i}]", item)
                result.append(Manifest(item, manifest.chunk, f"items[{i}]"))
        else:
            result.append(manifest)
    return result


def read(filename: str, text: str) -> list[Manifest]:
    """The objects of the text of this file."""
    try:
        documents = [Manifest(document.value, document.chunk) for document in yaml_documents(text, strict=True)]
    except YamlError as error:
        document = f"document {error.document}, " if error.document > 1 else ""
        raise Problem(f"{filename} cannot be read: {document}{error}") from None
    for place, manifest in enumerate(documents, start=1):
        _check_object(filename if len(documents) == 1 else f"{filename}, document {place}", manifest.obj)
    return documents


def _check_object(where: str, obj: Any) -> None:
    if not isinstance(obj, dict):
        raise Problem(f"{where}: an object was expected, with apiVersion and kind; found {type(obj).__name__}")
    for key in ("apiVersion", "kind"):
        if not isinstance(obj.get(key), str):
            raise Problem(f"{where}: {key} must be text, found {obj.get(key)!r}")
    if not isinstance(obj.get("metadata") or {}, dict):
        raise Problem(f"{where}: metadata must be an object, found {obj['metadata']!r}")


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
    """Why the API server refuses this object. Empty for kinds that it does not serve."""
    return [finding.message for finding in admitted(obj)[1]]


def admitted(obj: Json) -> tuple[Json, list[Finding]]:
    """(the object without nulls that mean "absent", as the API server admits it; why the API server refuses it).

    Unknown fields are errors: kubectl requests that the API server refuse them.
    """
    kind = _kind(obj["apiVersion"], obj["kind"])
    if kind is None:
        versions = [
            r.api_version for r in ARGOPROJ if r.kind == obj["kind"] and r.group == obj["apiVersion"].split("/")[0]
        ]
        return obj, [not_supported("apiVersion", obj["apiVersion"], *versions)] if versions else []
    taken = kind.without_nulls(obj) if kind.custom else _without_nulls(obj)
    taken["metadata"] = taken.get("metadata") or {}
    unknown = [Finding(path, text) for path, text in kind.unknown_with_nearest(taken)]
    wrong = kind.validate(kind.default(taken))
    return taken, [*unknown, *(_finding(taken, error) for error in wrong)]


def _finding(obj: Json, error: FieldError) -> Finding:
    """A finding with the value. The API server's error has only its type."""
    if error.type != "FieldValueTypeInvalid":
        return Finding(error.path, error.message())
    value: Any = obj
    try:
        for name, number in _PART.findall(error.path):
            value = value[name] if name else value[int(number)]
    except (KeyError, IndexError, TypeError):
        return Finding(error.path, error.message())  # a key with a dot in it
    expected = error.detail.rpartition(" must be of type ")[2].partition(":")[0]
    return invalid(error.path, value, f"must be of type {expected}")


def _without_nulls(value: Any) -> Any:
    """The object without nulls: built-in kinds read null as absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@lru_cache(maxsize=1)
def _schemas() -> Schemas:
    from serinus.api.schema.crds import crds
    from serinus.local.schema.kinds import Schemas

    schemas = Schemas()
    for crd in crds():
        schemas.add_crd(crd)
    return schemas


def _kind(api_version: str, kind: str) -> Kind | None:
    for resource in _schemas().resources():
        if (resource.api_version, resource.kind) == (api_version, kind):
            return _schemas().kind(resource.group, resource.version, resource.plural)
    return None
