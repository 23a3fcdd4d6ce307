"""Field sets in the format of managedFields (FieldsV1): `{"f:spec": {"f:replicas": {}}}`.

Keys: `f:<field>`, `k:<keys of a list item as JSON>`, `v:<item of a set as JSON>`. An empty object is an owned field.
The key `"."` among others means that the container itself is owned too. Source: KEP-555 and the description of
FieldsV1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from serinus.api.pods.defaults import copied
from serinus.local.schema.nodes import ANYTHING, LIST, SchemaNode

Json = dict[str, Any]
Fields = dict[str, Any]
OWNED = "."
_SERVERS = frozenset(
    f"f:{name}"
    for name in (
        "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    )
)  # fmt: skip


def is_fields(value: Any) -> bool:
    """Whether an external value is a field set: only maps of maps."""
    return isinstance(value, dict) and all(is_fields(below) for below in value.values())


def child(node: SchemaNode, name: str) -> SchemaNode:
    return node.fields.get(name) or node.values or ANYTHING


def granular(node: SchemaNode, value: Any) -> bool:
    """Whether the parts of this value have separate owners."""
    if isinstance(value, dict):
        return not node.atomic and node.shape != LIST
    return isinstance(value, list) and node.shape == LIST and node.list_type in ("map", "set")


def item_key(node: SchemaNode, item: Any) -> str | None:
    """The key of a list item; None if it lacks its keys."""
    if node.list_type == "set":
        return "v:" + json.dumps(item, separators=(",", ":"), ensure_ascii=False)
    if not isinstance(item, dict):
        return None
    keys: Json = {}
    for name in sorted(node.keys):
        value = item.get(name, child(node.items or ANYTHING, name).default)
        if value is not None:
            keys[name] = value
    return "k:" + json.dumps(keys, separators=(",", ":"), ensure_ascii=False) if keys else None


def parts(node: SchemaNode, value: Any) -> dict[str, tuple[SchemaNode, Any]]:
    """The owned parts of a granular value by key; the first one of equal items."""
    if isinstance(value, dict):
        return {f"f:{name}": (child(node, name), item) for name, item in value.items()}
    by_key: dict[str, tuple[SchemaNode, Any]] = {}
    for item in value:
        key = item_key(node, item)
        if key is not None:
            by_key.setdefault(key, (node.items or ANYTHING, item))
    return by_key


def repeated(node: SchemaNode, value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of list items that repeat the keys of an earlier item."""
    if not granular(node, value):
        return []
    paths: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for item in value if isinstance(value, list) else ():
        key = item_key(node, item)
        if key is not None and key in seen:
            paths.append((*path, key))
        seen.add(key or "")
    for key, (below, item) in parts(node, value).items():
        paths += repeated(below, item, (*path, key))
    return paths


def all_of(node: SchemaNode, value: Any, *, containers: bool) -> Fields:
    """All fields of a value. `containers`: maps and lists count as fields too, not only their content."""
    if not granular(node, value) or not value:
        return {}
    owned: Fields = {}
    for key, (below, item) in parts(node, value).items():
        fields = all_of(below, item, containers=containers)
        named = key[0] == "f" and key[2:] in node.fields
        if fields and (not named or (containers and not below.fields)):
            fields = {OWNED: {}, **fields}
        owned[key] = fields
    return owned


def union(a: Fields, b: Fields) -> Fields:
    if not a or not b:
        # One of them may own the field as a whole, the other its parts.
        return {OWNED: {}, **(a or b)} if (a or b) else {}
    out = dict(a)
    for key, below in b.items():
        out[key] = union(out[key], below) if key in out else below
    return out


def union_of(sets: Iterable[Fields]) -> Fields:
    """The union of many sets in one pass. Pairwise unions would copy earlier results at each step."""
    out: Fields = {}
    for first, fields in enumerate(sets):
        _gather(out, fields) if first else out.update(copied(fields))
    return out


def _gather(out: Fields, more: Fields) -> None:
    """Adds to `out` by the rules of `union`."""
    if not out or not more:
        if out or more:
            out.update({OWNED: {}, **copied(more)})
        return
    for key, below in more.items():
        if key in out:
            _gather(out[key], below)
        else:
            out[key] = copied(below)


def difference(a: Fields, b: Fields) -> Fields | None:
    """The fields in `a` but not in `b`; None if empty."""
    if not a:
        return None if not b or OWNED in b else {}
    if not b:
        rest = {k: v for k, v in a.items() if k != OWNED}
        return rest or None
    out: Fields = {}
    for key, below in a.items():
        if key == OWNED:
            if OWNED not in b:
                out[key] = below
        elif key in b:
            left = difference(below, b[key])
            if left is not None:
                out[key] = left
        else:
            out[key] = below
    return out or None


def own_fields(fields: Fields, *, has_status: bool, subresource: str) -> Fields:
    """The set without server-owned fields (type, identity, times, versions) and fields outside the subresource."""
    if has_status and subresource == "status":
        return {k: v for k, v in fields.items() if k == "f:status"}
    out = {
        k: v for k, v in fields.items() if k not in ("f:apiVersion", "f:kind") and not (has_status and k == "f:status")
    }
    if "f:metadata" in out:
        meta = {k: v for k, v in out.pop("f:metadata").items() if k not in _SERVERS}
        if meta.keys() - {OWNED}:
            out["f:metadata"] = meta
    return out


def words(path: tuple[str, ...]) -> str:
    """A readable path: `.spec.containers[name="web"].image`."""
    out = ""
    for key in path:
        kind, _, rest = key.partition(":")
        if kind == "f":
            out += f".{rest}"
        elif kind == "k":
            out += "[" + ",".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in json.loads(rest).items()) + "]"
        else:
            out += f"[={rest}]"
    return out
