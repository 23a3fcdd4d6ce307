"""Whether the fields of a pod template have the types that core/v1 has.

The definitions of Rollouts leave volumes and amounts open, and the API server stores any value there. A value that
core/v1 cannot read would make every ReplicaSet of the template fail, so validation finds it first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from serinus.api.meta import Json
from serinus.api.pods import go_json
from serinus.api.validation.findings import Finding, invalid

_SCALARS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "intstr": ((int, str), "a whole number or text"),
}


def type_findings(path: str, template: Json) -> Iterator[Finding]:
    """The fields of a PodTemplateSpec with a value of a wrong type; null is valid. Other checks cover quantities."""
    return _typed(path, "PodTemplateSpec", template)


def _typed(path: str, kind: str, value: Any) -> Iterator[Finding]:
    kind = kind.removeprefix("*")
    if value is None:
        return
    struct = go_json.structs().get(kind)
    if kind in _SCALARS:
        types, words = _SCALARS[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "bool"):
            yield invalid(path, value, f"must be {words}")
    elif kind.startswith("[]"):
        yield from _items(path, kind[2:], value)
    elif not isinstance(value, dict):
        if kind.startswith("{}") or struct is not None:
            yield invalid(path, value, "must be a map")
    elif kind.startswith("{}"):
        for name, item in cast("Json", value).items():
            yield from _typed(f"{path}.{name}", kind[2:], item)
    elif struct is not None:
        yield from _fields(path, struct, cast("Json", value))


def _items(path: str, kind: str, value: Any) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield invalid(path, value, "must be a list")
        return
    for i, item in enumerate(cast("list[Any]", value)):
        yield from _typed(f"{path}[{i}]", kind, item)


def _fields(path: str, struct: Mapping[str, str], value: Json) -> Iterator[Finding]:
    for name, item in value.items():
        if name in struct:
            yield from _typed(f"{path}.{name}", struct[name], item)
