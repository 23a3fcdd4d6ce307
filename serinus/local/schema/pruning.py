"""Traversals of an object by its schema: unknown fields, pruning, schema defaults. They return new objects."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from serinus.api.pods.defaults import copied
from serinus.local.schema.nodes import LIST, OBJECT, SchemaNode

Json = dict[str, Any]


def unknown(node: SchemaNode, value: Any, path: str, unknown_fields: list[tuple[str, Collection[str]]]) -> None:
    """Adds (path, the valid names there) of each field that is not in the schema."""
    if node.shape == OBJECT and type(value) is dict:
        fields, values = node.fields, node.values
        for name, item in value.items():
            child = fields.get(name) or values
            if child is not None:
                if child.shape <= LIST:
                    unknown(child, item, f"{path}.{name}" if path else name, unknown_fields)
            elif not node.preserve:
                unknown_fields.append((f"{path}.{name}" if path else name, fields))
    elif node.shape == LIST and type(value) is list and node.items is not None and node.items.shape <= LIST:
        for i, item in enumerate(value):
            unknown(node.items, item, f"{path}[{i}]", unknown_fields)


def prune(node: SchemaNode, value: Any) -> Any:
    """The value without unknown fields, and without nulls where they mean absent."""
    if node.shape == OBJECT and type(value) is dict:
        fields, values, preserve, lenient = node.fields, node.values, node.preserve, node.lenient
        out: Json = {}
        for name, item in value.items():
            child = fields.get(name) or values
            if child is None:
                if preserve:
                    out[name] = copied(item)
            elif item is None:
                if not lenient and child.nullable:
                    out[name] = None
            elif child.shape <= LIST:
                out[name] = prune(child, item)
            else:
                out[name] = copied(item) if child.preserve else item
        return out
    if node.shape == LIST and type(value) is list and node.items is not None:
        items = node.items
        return [prune(items, item) for item in value]
    return copied(value)


def without_nulls(node: SchemaNode, value: Any) -> Any:
    """The value without nulls where its schema forbids them: they count as absent, so that a default can apply.

    Source: Kubernetes docs, "Defaulting and Nullable" of custom resources. List items stay, and validation refuses
    them.
    """
    if node.shape == OBJECT and type(value) is dict:
        out: Json = {}
        for name, item in value.items():
            child = node.fields.get(name) or node.values
            if child is None:
                out[name] = item
            elif item is not None:
                out[name] = without_nulls(child, item) if child.shape <= LIST else item
            elif child.nullable and not node.lenient:
                out[name] = None
        return out
    if node.shape == LIST and type(value) is list and node.items is not None and node.items.shape <= LIST:
        items = node.items
        return [without_nulls(items, item) for item in value]
    return value


def default(node: SchemaNode, value: Any) -> Any:
    """The value with the schema's defaults; parts without defaults are shared."""
    if not node.defaults:
        return value
    if node.shape == OBJECT and type(value) is dict:
        out: Json = dict(value)
        for name, child in node.fields.items():
            if name in out:
                if child.defaults:
                    out[name] = default(child, out[name])
            elif child.default is not None:
                out[name] = default(child, copied(child.default))
        if node.values is not None and node.values.defaults:
            for name in out.keys() - node.fields.keys():
                out[name] = default(node.values, out[name])
        return out
    if node.shape == LIST and type(value) is list and node.items is not None:
        items = node.items
        return [default(items, item) for item in value]
    return value
