"""Schema and field order of canary steps that Argo Rollouts lacks, derived from their types in `CanaryStep`.

`argoproj.fields.txt` and `step_order.py` list the fields of Argo Rollouts' kinds, as its definitions and its Go structs
have them. A further kind is one more field of `CanaryStep`; the CustomResourceDefinition and the hash of the steps then
contain it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from serinus.api.rollout import CanaryStep
from serinus.api.schema.step_order import CANARY_STEP, EMPTY

STEPS = "spec.strategy.canary.steps[]"
_SCALARS: tuple[tuple[type, str, str], ...] = (
    (inspect.BoolType, "bool", "boolean"),
    (inspect.IntType, "int", "integer"),
    (inspect.StrType, "string", "string"),
)
"""Type of msgspec, type in the order table, type in the schema."""


def order(steps: type[msgspec.Struct] = CanaryStep) -> dict[str, list[tuple[str, str, int]]]:
    """`CANARY_STEP`, and the fields that it does not list after those that it lists."""
    table = dict(CANARY_STEP)
    listed = table["CanaryStep"]
    table["CanaryStep"] = listed + [
        (field.encode_name, _go_type(field.type, table), EMPTY) for field in _further(steps)
    ]
    return table


def fields(steps: type[msgspec.Struct] = CanaryStep) -> list[tuple[str, str]]:
    """(path, type) of each field below the steps that `argoproj.fields.txt` does not list, as that file writes them."""
    return [line for field in _further(steps) for line in _lines(f"{STEPS}.{field.encode_name}", field.type)]


def _further(steps: type[msgspec.Struct]) -> list[inspect.Field]:
    known = {name for name, _, _ in CANARY_STEP["CanaryStep"]}
    return [field for field in _fields(inspect.type_info(steps)) if field.encode_name not in known]


def _fields(kind: inspect.Type) -> tuple[inspect.Field, ...]:
    return kind.fields if isinstance(kind, inspect.StructType) else ()


def _set(kind: inspect.Type) -> tuple[list[inspect.Type], bool]:
    """The types of a value that is set, and whether it may be None."""
    every = list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]
    given = [one for one in every if not isinstance(one, inspect.NoneType)]
    return given, len(given) < len(every)


def _go_type(kind: inspect.Type, table: dict[str, list[tuple[str, str, int]]]) -> str:
    given, optional = _set(kind)
    pointer = "*" if optional else ""
    if len(given) > 1:
        return f"{pointer}intstr"
    one = given[0]
    for of, name, _ in _SCALARS:
        if isinstance(one, of):
            return pointer + name
    if isinstance(one, inspect.ListType):
        return "[]" + _go_type(one.item_type, table)
    if isinstance(one, inspect.DictType) and not isinstance(one.value_type, inspect.AnyType):
        return "{}" + _go_type(one.value_type, table)
    if not isinstance(one, inspect.StructType):
        return "raw"
    name = one.cls.__name__
    if name not in table:
        table[name] = []
        table[name] += [(field.encode_name, _go_type(field.type, table), EMPTY) for field in one.fields]
    return pointer + name


def _lines(path: str, kind: inspect.Type, required: str = "") -> Iterator[tuple[str, str]]:
    given, _ = _set(kind)
    one: Any = given[0]
    if len(given) > 1:
        yield path, f"int|string{required}"
    elif scalar := next((name for of, _, name in _SCALARS if isinstance(one, of)), ""):
        yield path, scalar + required
    elif isinstance(one, inspect.ListType):
        yield path, f"array{required}"
        yield from _lines(f"{path}[]", one.item_type)
    elif isinstance(one, inspect.DictType) and not isinstance(one.value_type, inspect.AnyType):
        yield path, f"object map of {next(_lines(path, one.value_type))[1]}{required}"
    else:
        yield path, f"object{required}"
        for field in _fields(one):
            yield from _lines(f"{path}.{field.encode_name}", field.type, " (required)" if field.required else "")
