"""The form in which a client wants its answer: the object, a Table, or its metadata alone.

Source: Kubernetes API concepts, "Alternate representations of resources".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from serinus.local.apiserver.read import Page
from serinus.local.apiserver.tables import columns_of, table, table_bytes
from serinus.local.apiserver.watch import Render
from serinus.local.schema.kinds import Kind

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """`include`: how much of each object a Table carries."""

    table: bool = False
    partial: bool = False
    include: str = "Metadata"

    @classmethod
    def of(cls, accept: str, query: Mapping[str, str]) -> Look:
        """The first form in the Accept header that this server has."""
        for wanted in accept.split(","):
            media = wanted.strip()
            if not media.startswith("application/json"):
                continue
            if "as=Table" in media:
                return cls(table=True, include=query.get("includeObject") or "Metadata")
            if "as=PartialObjectMetadata" in media:
                return cls(partial=True)
            return cls()
        return cls()


def _partial(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def one(kind: Kind, body: bytes, look: Look, now: float) -> bytes:
    if not look.table and not look.partial:
        return body
    obj = msgspec.json.decode(body)
    if look.partial:
        return msgspec.json.encode(_partial(obj))
    meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
    return table_bytes(table(columns_of(kind.resource, kind.columns), [obj], now, metadata=meta, include=look.include))


def rows(kind: Kind, page: Page, look: Look, now: float) -> bytes:
    objects: list[Json] = [msgspec.json.decode(e.body) for e in page.entries]
    meta: Json = {"resourceVersion": str(page.version)}
    if page.continue_token:
        meta |= {"continue": page.continue_token, "remainingItemCount": page.remaining}
    if look.partial:
        items = [_partial(o) for o in objects]
        return msgspec.json.encode({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items})
    return table_bytes(table(columns_of(kind.resource, kind.columns), objects, now, metadata=meta, include=look.include))


def render_line(kind: Kind, look: Look, now: Callable[[], float]) -> Render:
    """For watches: column definitions come with the first line only."""
    columns, first = columns_of(kind.resource, kind.columns), [True]

    def render(body: bytes) -> bytes:
        obj = msgspec.json.decode(body)
        if look.partial:
            return msgspec.json.encode(_partial(obj))
        headers, first[0] = first[0], False
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return table_bytes(table(columns, [obj], now(), metadata=meta, include=look.include, headers=headers))

    return render
