"""Schema validation of an object: types, required fields, enums, bounds, unique keys.

Custom resources get the messages of structural schema validation ("... in body must be of type ..."). In a real server,
Go's decoder rejects malformed built-in kinds; here they get the same error as any other field.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from serinus.api.values import patterns, quantity
from serinus.local.schema.field_errors import FieldError
from serinus.local.schema.nodes import (
    ANY,
    BOOLEAN,
    INT_OR_STRING,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    QUANTITY,
    STRING,
    SchemaNode,
)

Json = dict[str, Any]
_NAMES = {
    OBJECT: "object",
    LIST: "array",
    STRING: "string",
    INTEGER: "integer",
    NUMBER: "number",
    BOOLEAN: "boolean",
    INT_OR_STRING: "integer,string",
    QUANTITY: "string",
}
_PYTHON: dict[int, frozenset[type]] = {
    OBJECT: frozenset({dict}),
    LIST: frozenset({list}),
    STRING: frozenset({str}),
    INTEGER: frozenset({int}),
    NUMBER: frozenset({int, float}),
    BOOLEAN: frozenset({bool}),
    INT_OR_STRING: frozenset({int, str}),
    QUANTITY: frozenset({int, float, str}),
}
_FOUND = {
    dict: "object",
    list: "array",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def check(node: SchemaNode, value: Any, path: str, errors: list[FieldError]) -> None:
    """Adds the errors of the value and its descendants."""
    shape = node.shape
    if shape == ANY:
        return
    if type(value) not in _PYTHON[shape]:
        if value is not None or not node.nullable:
            errors.append(_wrong_type(node, value, path))
    elif shape == OBJECT:
        _object(node, value, path, errors)
    elif shape == LIST:
        _list(node, value, path, errors)
    elif shape == QUANTITY:
        _quantity(value, path, errors)
    elif node.rules:
        _scalar(node, value, path, errors)


def check_unchanged(node: SchemaNode, value: Json, old: Json, path: str, errors: list[FieldError]) -> None:
    """Adds an error for each immutable field that differs from the old object."""
    for name, child in node.fields.items():
        if not child.fixes or name not in value or name not in old:
            continue
        at = f"{path}.{name}" if path else name
        now, was = value[name], old[name]
        if child.fixed and now != was:
            errors.append(FieldError(at, "FieldValueInvalid", now, child.fixed))
        elif isinstance(now, dict) and isinstance(was, dict):
            check_unchanged(child, now, was, at, errors)


def _object(node: SchemaNode, value: Json, path: str, errors: list[FieldError]) -> None:
    fields, values = node.fields, node.values
    for name in node.required:
        if name not in value:
            errors.append(FieldError(f"{path}.{name}" if path else name, "FieldValueRequired"))
    for name, item in value.items():
        child = fields.get(name) or values
        if child is None:
            continue
        shape = child.shape
        # Most fields have a plain scalar of the right type: those need no call.
        if shape > LIST and not child.rules and shape not in (ANY, QUANTITY) and type(item) in _PYTHON[shape]:
            continue
        check(child, item, f"{path}.{name}" if path else name, errors)


def _list(node: SchemaNode, value: list[Any], path: str, errors: list[FieldError]) -> None:
    if node.longest is not None and len(value) > node.longest:
        errors.append(
            FieldError(
                path, "FieldValueInvalid", len(value), f"{path} in body should have at most {node.longest} items"
            )
        )
    if node.shortest is not None and len(value) < node.shortest:
        errors.append(
            FieldError(
                path, "FieldValueInvalid", len(value), f"{path} in body should have at least {node.shortest} items"
            )
        )
    if node.items is not None:
        for i, item in enumerate(value):
            if item is None and node.items.shape != ANY and not (node.items.nullable and not node.lenient):
                # Go would decode it to an empty item, which no kind allows.
                errors.append(_wrong_type(node.items, item, f"{path}[{i}]"))
            else:
                check(node.items, item, f"{path}[{i}]", errors)
    # Built-in kinds define duplicates themselves (a Service may repeat a port with another protocol).
    if not node.lenient and node.list_type in ("map", "set") and len(value) > 1:
        _duplicates(node, value, path, errors)


def _duplicates(node: SchemaNode, value: list[Any], path: str, errors: list[FieldError]) -> None:
    seen: set[str] = set()
    for i, item in enumerate(value):
        shown: Any = {k: item[k] for k in node.keys if k in item} if node.keys and isinstance(item, dict) else item
        key = json.dumps(shown, sort_keys=True)
        if key in seen:
            errors.append(FieldError(f"{path}[{i}]", "FieldValueDuplicate", shown))
        seen.add(key)


def _quantity(value: Any, path: str, errors: list[FieldError]) -> None:
    try:
        quantity.parse(value)
    except ValueError:
        errors.append(
            FieldError(
                path,
                "FieldValueInvalid",
                value,
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            )
        )


def _scalar(node: SchemaNode, value: Any, path: str, errors: list[FieldError]) -> None:
    if node.enum and value not in node.enum:
        errors.append(
            FieldError(
                path,
                "FieldValueNotSupported",
                value,
                "supported values: " + ", ".join(json.dumps(v) for v in node.enum),
            )
        )
    if isinstance(value, str):
        if node.longest is not None and len(value) > node.longest:
            errors.append(
                FieldError(
                    path, "FieldValueInvalid", value, f"{path} in body should be at most {node.longest} chars long"
                )
            )
        if node.shortest is not None and len(value) < node.shortest:
            errors.append(
                FieldError(
                    path, "FieldValueInvalid", value, f"{path} in body should be at least {node.shortest} chars long"
                )
            )
        if node.pattern and not _fits(node.pattern, value):
            errors.append(FieldError(path, "FieldValueInvalid", value, f"{path} in body should match '{node.pattern}'"))
        if node.format == "date-time" and not _is_time(value):
            errors.append(
                FieldError(
                    path, "FieldValueInvalid", value, f"{path} in body must be of type date-time: {json.dumps(value)}"
                )
            )
        return
    if node.format == "int32" and not -(2**31) <= value < 2**31:
        errors.append(FieldError(path, "FieldValueInvalid", value, f"{path} in body must be of type int32: {value}"))
    if node.minimum is not None and value < node.minimum:
        errors.append(
            FieldError(
                path, "FieldValueInvalid", value, f"{path} in body should be greater than or equal to {node.minimum}"
            )
        )
    if node.maximum is not None and value > node.maximum:
        errors.append(
            FieldError(
                path, "FieldValueInvalid", value, f"{path} in body should be less than or equal to {node.maximum}"
            )
        )


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return True


def _wrong_type(node: SchemaNode, value: Any, path: str) -> FieldError:
    given = _FOUND.get(type(value), "unknown")
    return FieldError(
        path, "FieldValueTypeInvalid", given, f'{path} in body must be of type {_NAMES[node.shape]}: "{given}"'
    )


def _fits(pattern: str, value: str) -> bool:
    """Whether the text contains the pattern. True if RE2 cannot parse the pattern."""
    try:
        return patterns.matches(pattern, value)
    except ValueError:
        return True
