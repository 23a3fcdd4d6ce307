"""The lines of `serinus/api/schema/argoproj.fields.txt` for metric providers, from the providers' configurations.

`tools/write_install.py` writes them. The type annotation is the type of a field. `REQUIRED` and `one_of` add rules to
the schema of the CRDs. Decoding does not use them, because Argo Rollouts' providers do their own checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from serinus.analysis.providers.registry import providers

PATH = "spec.metrics[].provider"


def field_lines() -> list[str]:
    """A line for each field of each provider under `provider`, in the order of the file."""
    lines: list[str] = []
    for key, provider in providers().items():
        if "/" not in key:
            own = (
                [f"{PATH}.{key}: {provider.fields}"]
                if provider.fields
                else list(_lines(f"{PATH}.{key}", provider.config))
            )
            lines += own
    return sorted(lines, key=lambda line: line.partition(":")[0])


def _lines(path: str, kind: Any) -> Iterator[str]:
    yield from _field(path, inspect.type_info(kind), required=False)


def _field(path: str, info: inspect.Type, *, required: bool) -> Iterator[str]:
    info, extra = _plain(info)
    suffix = " (required)" if required or extra.get("required") else ""
    name, below = _type(info)
    enum = f" enum={extra['enum']}" if "enum" in extra else ""
    yield f"{path}: {name}{enum}{suffix}"
    if name == "array" and below is not None:
        yield from _field(f"{path}[]", below, required=False)
    elif isinstance(below, inspect.StructType):
        for field in below.fields:
            yield from _field(f"{path}.{field.encode_name}", field.type, required=field.required)


def _plain(info: inspect.Type) -> tuple[inspect.Type, dict[str, Any]]:
    """The type without `| None`, and its annotations."""
    extra: dict[str, Any] = {}
    while True:
        if isinstance(info, inspect.Metadata):
            extra |= info.extra or {}
            info = info.type
        elif isinstance(info, inspect.UnionType) and any(isinstance(one, inspect.NoneType) for one in info.types):
            others = tuple(one for one in info.types if not isinstance(one, inspect.NoneType))
            info = others[0] if len(others) == 1 else inspect.UnionType(others)
        else:
            return info, extra


def _type(info: inspect.Type) -> tuple[str, inspect.Type | None]:
    """The type's word in the file, and the type whose lines follow."""
    match info:
        case inspect.StructType():
            return "object", info
        case inspect.ListType(item_type=item):
            plain, _ = _plain(item)
            return ("array", plain) if isinstance(plain, inspect.StructType) else (f"array of {_type(plain)[0]}", None)
        case inspect.DictType(value_type=inspect.StrType()):
            return "object map of string", None
        case inspect.DictType():
            return "object", None
        case inspect.StrType():
            return "string", None
        case inspect.IntType():
            return "integer int64", None
        case inspect.FloatType():
            return "number", None
        case inspect.BoolType():
            return "boolean", None
        case inspect.UnionType():
            return "int|string", None
        case _:
            raise TypeError(f"argoproj.fields.txt has no word for {info}")
