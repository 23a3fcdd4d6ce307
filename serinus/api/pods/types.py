"""Whether the fields of a pod template have the types that core/v1 has.

The definitions of Rollouts leave volumes and amounts open, and the API server stores any value there. A value that
core/v1 cannot read would make every ReplicaSet of the template fail, so validation finds it first.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    if kind in _SCALARS:
        types, words = _SCALARS[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "bool"):
            yield invalid(path, value, f"must be {words}")
    elif kind.startswith("[]"):
        if not isinstance(value, list):
            yield invalid(path, value, "must be a list")
            return
        for i, item in enumerate(cast("list[Any]", value)):
            yield from _typed(f"{path}[{i}]", kind[2:], item)
    elif kind.startswith("{}") or kind in go_json.structs():
        if not isinstance(value, dict):
            yield invalid(path, value, "must be a map")
            return
        fields = None if kind.startswith("{}") else go_json.structs()[kind]
        for name, item in cast("Json", value).items():
            part = kind[2:] if fields is None else fields.get(name)
            if part is not None:
                yield from _typed(f"{path}.{name}", part, item)
