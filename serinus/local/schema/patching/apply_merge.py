"""Merges an applied object into a live one, and removes fields, by the schema's list and map types."""

from __future__ import annotations

from typing import Any

from serinus.api.pods.defaults import copied
from serinus.local.schema.nodes import ANYTHING, SchemaNode
from serinus.local.schema.patching.field_sets import OWNED, Fields, child, granular, item_key

Json = dict[str, Any]


def merge(node: SchemaNode, live: Any, applied: Any) -> Any:
    """The live value after the merge of the applied one."""
    if isinstance(applied, dict) and isinstance(live, dict) and granular(node, applied):
        out: Json = dict(live)
        for name, value in applied.items():
            out[name] = merge(child(node, name), live[name], value) if name in live else copied(value)
        return out
    if isinstance(applied, list) and isinstance(live, list) and granular(node, applied):
        return _merged_list(node, live, applied)
    return copied(applied)


def _merged_list(node: SchemaNode, live: list[Any], applied: list[Any]) -> list[Any]:
    """Applied items in their order. Each item that only the live list has stays behind its predecessor."""
    items = node.items or ANYTHING
    have = {item_key(node, item): item for item in reversed(live)}
    leading: list[Any] = []
    runs: dict[str | None, list[Any]] = {}
    """Each applied item and its followers, in applied order."""
    for item in applied:
        key = item_key(node, item)
        merged = merge(items, have[key], item) if key in have and node.list_type == "map" else copied(item)
        runs.setdefault(key, []).append(merged)
    run, seen = leading, set(runs)
    for item in live:
        key = item_key(node, item)
        if key not in seen:
            run.append(item)
            seen.add(key)
        elif key in runs:
            run = runs[key]
    return leading + [item for run in runs.values() for item in run]


def removed(node: SchemaNode, value: Any, fields: Fields) -> Any:
    """The value without these fields: the set's leaves, and containers that become empty."""
    if isinstance(value, dict):
        out: Json = {}
        for name, item in value.items():
            below = fields.get(f"f:{name}")
            left = item if below is None else _left(child(node, name), item, below)
            if left is not None or item is None:
                out[name] = left
        return out
    if isinstance(value, list):
        items: list[Any] = []
        for item in value:
            below = fields.get(item_key(node, item) or "")
            left = item if below is None else _left(node.items or ANYTHING, item, below, item=True)
            if left is not None:
                items.append(left)
        return items
    return value


def _left(node: SchemaNode, value: Any, fields: Fields, *, item: bool = False) -> Any:
    """The rest of a value; None if it is empty."""
    if not fields or not granular(node, value):
        return None
    if item and OWNED in fields:
        return None
    return removed(node, value, fields) or None
