"""Tables: the output of `kubectl get` for each kind.

A column is (name, type, priority); only `-o wide` shows priority 1. Kinds without own columns show name and age; custom
resources show their definition's additionalPrinterColumns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from serinus.local.apiserver.printing import stored_printers as stored_cells
from serinus.local.apiserver.printing.printers import ROWS, Row, age, custom_cells
from serinus.local.apiserver.requests.parameters import one_of

if TYPE_CHECKING:
    from serinus.local.schema.kinds import Kind

Json = dict[str, Any]

_ROWS = ROWS | stored_cells.ROWS
_NAME: Json = {
    "name": "Name", "type": "string", "format": "name", "priority": 0,
    "description": "Name must be unique within a namespace. It is what commands name the object by.",
}  # fmt: skip
_AGE: Json = {
    "name": "Age",
    "type": "string",
    "format": "",
    "priority": 0,
    "description": "Time since the object was created.",
}


class _Meta(msgspec.Struct):
    metadata: msgspec.Raw


_meta_decoder = msgspec.json.Decoder(_Meta)


def partial(body: bytes) -> bytes:
    """The PartialObjectMetadata of an encoded object."""
    return (
        b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'
        + bytes(_meta_decoder.decode(body).metadata)
        + b"}"
    )


def table(
    kind: Kind, objects: list[Json], version: str, now: float, query: Mapping[str, str], *, columns: bool = True, meta: Json | None = None
) -> bytes:  # fmt: skip
    """The Table of these objects. `now` (epoch seconds): for ages. `columns`: False for later events of a watch."""
    row = _ROWS.get(kind.resource.group_resource)
    include = included(query)
    value: Json = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta or {"resourceVersion": version},
        "columnDefinitions": _definitions(kind, row) if columns else None,
        "rows": [_row(kind, row, obj, now, include) for obj in objects],
    }
    return msgspec.json.encode(value)


def included(query: Mapping[str, str]) -> str:
    """The part of each object that a row contains. Raises 400 for an unsupported value."""
    return one_of(query, "includeObject", ("Metadata", "None", "Object")) or "Metadata"


def _definitions(kind: Kind, row: Row | None) -> list[Json]:
    if row is not None:
        return [
            _NAME if name == "Name" else _AGE if name == "Age" else _column(name, type_, wide)
            for name, type_, wide in row.columns
        ]
    if kind.columns:
        return [
            _NAME,
            *(
                {"format": "", "priority": 0, "description": "", **{k: v for k, v in c.items() if k != "jsonPath"}}
                for c in kind.columns
            ),
        ]
    return [_NAME, _AGE]


def _column(name: str, type_: str, wide: int) -> Json:
    return {"name": name, "type": type_, "format": "", "description": f"{name} of the object.", "priority": wide}


def _row(kind: Kind, row: Row | None, obj: Json, now: float, include: str) -> Json:
    meta: Json = obj["metadata"]
    if row is not None:
        cells = row.cells(obj, now)
    elif kind.columns:
        cells = [meta["name"], *custom_cells(kind.columns, obj, now)]
    else:
        cells = [meta["name"], age(meta.get("creationTimestamp"), now)]
    result: Json = {"cells": cells}
    if include == "Object":
        result["object"] = obj
    elif include != "None":
        result["object"] = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    return result
