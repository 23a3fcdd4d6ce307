"""The bytes of a pod template from Go's encoding/json, the input of pod template hashes.

`pod_template_order.json` (made by tools/pod_template_order) lists the fields of the structs in core/v1's
PodTemplateSpec. It contains their order, and which of them are omitted when empty. This module turns the table into one
writer for each type, so that writing visits only existing fields. Rules beside the order:

- unknown fields are dropped, as they have no place in the Go struct; null counts as absent;
- a struct that is no pointer is always written (`"metadata":{}`), a pointer that is set is kept even if it holds zero;
- `<`, `>`, `&`, U+2028 and U+2029 are written as escapes; the keys of maps are sorted;
- quantities are written canonically (`serinus.api.values.quantity`).

The second mode, `meaning`, writes quantities as exact amounts and an empty list like an absent one. Equal bytes then
mean semantic equality in Kubernetes' sense.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any

from serinus.api.schema.step_schema import order
from serinus.api.values import quantity

Writer = Callable[[Any], str]
Table = dict[str, list[tuple[str, str, int]]]

# When a field vanishes: never; when it is absent (pointers); when it is absent or empty.
_NEVER, _ABSENT, _EMPTY = 0, 1, 2
_quoted = json.encoder.encode_basestring
UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def written(template: dict[str, Any]) -> bytes:
    """The JSON that Go writes for this PodTemplateSpec. ValueError for an invalid quantity or number."""
    return _writers(meaning=False)["PodTemplateSpec"](template).encode()


def meaning(template: dict[str, Any]) -> bytes:
    """Bytes that are equal exactly if two templates are semantically equal. Defaults are not applied."""
    return _writers(meaning=True)["PodTemplateSpec"](template).encode()


def written_steps(steps: Sequence[dict[str, Any]]) -> bytes:
    """The JSON that Go writes for these canary steps: `null` without steps."""
    writer = _step_writer()
    return b"[" + ",".join(map(writer, steps)).encode() + b"]" if steps else b"null"


@lru_cache(maxsize=1)
def structs() -> dict[str, dict[str, str]]:
    """The structs below core/v1's PodTemplateSpec: JSON name of a field -> type. Go drops other fields."""
    return {name: {field: kind for field, kind, _ in fields} for name, fields in _order().items()}


def text(value: str) -> str:
    """A JSON string as Go writes it."""
    return _quoted(value).translate(UNSAFE)


@lru_cache(maxsize=1)
def _order() -> Table:
    return json.loads(Path(__file__).with_name("pod_template_order.json").read_text())


@lru_cache(maxsize=2)
def _writers(*, meaning: bool) -> dict[str, Writer]:
    return _Compiler(_order(), meaning).structs


@lru_cache(maxsize=1)
def _step_writer() -> Writer:
    return _Compiler(order(), meaning=False).structs["CanaryStep"]


class _Compiler:
    """Makes one writer per struct of a table."""

    def __init__(self, table: Table, meaning: bool) -> None:
        self.meaning = meaning
        self.scalars: dict[str, Writer] = {
            "string": _string,
            "int": _int,
            "bool": _bool,
            "quantity": _amount if meaning else _quantity,
            "intstr": _int_or_string,
            "time": _string,
            "raw": _raw,
        }
        self.structs: dict[str, Writer] = {}
        self.made: dict[str, Writer] = {}
        """Of lists, maps and pointers: one writer for each type, however many fields have it."""
        # Types refer to each other, also in cycles: create all writers first, then fill them.
        boxes: dict[str, list[tuple[str, str, Writer, int]]] = {name: [] for name in table}
        for name in table:
            self.structs[name] = _struct(boxes[name])
        for name, fields in table.items():
            boxes[name].extend(
                (field, intern(text(field) + ":"), self.of(kind), self.vanishes(kind, omitted))
                for field, kind, omitted in fields
            )

    def of(self, kind: str) -> Writer:
        if kind not in self.made:
            self.made[kind] = self._make(kind)
        return self.made[kind]

    def _make(self, kind: str) -> Writer:
        if kind.startswith("*"):
            return _pointer(self.of(kind[1:]))
        if kind.startswith("[]"):
            return _list(self.of(kind[2:]), "[]" if self.meaning else "null")
        if kind.startswith("{}"):
            return _map(self.of(kind[2:]), "{}" if self.meaning else "null")
        return self.scalars.get(kind) or self.structs[kind]

    def vanishes(self, kind: str, omitted: int) -> int:
        """`omitempty` (1) does nothing for Go structs, `omitzero` (2) does."""
        is_struct = kind in self.structs or kind in ("quantity", "intstr", "time")
        if not omitted or (omitted == 1 and is_struct):
            return _NEVER
        return _ABSENT if kind.startswith("*") else _EMPTY


def _struct(fields: list[tuple[str, str, Writer, int]]) -> Writer:
    """`fields` is filled later: (name, the name as written, writer, when it vanishes)."""

    def write(value: Any) -> str:
        given = value or {}
        parts: list[str] = []
        for name, key, writer, vanishes in fields:
            item = given.get(name)
            if item or not vanishes or (vanishes == _ABSENT and item is not None):
                parts.append(key + writer(item))
        return "{" + ",".join(parts) + "}"

    return write


def _pointer(target: Writer) -> Writer:
    return lambda value: "null" if value is None else target(value)


def _list(item: Writer, absent: str) -> Writer:
    return lambda value: absent if value is None else "[" + ",".join(map(item, value)) + "]"


def _map(item: Writer, absent: str) -> Writer:
    def write(value: Any) -> str:
        if value is None:
            return absent
        return "{" + ",".join(f"{text(key)}:{item(value[key])}" for key in sorted(value)) + "}"

    return write


def _string(value: Any) -> str:
    return '""' if value is None else text(str(value))


def _raw(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True).translate(UNSAFE)


def _int(value: Any) -> str:
    return str(int(value or 0))


def _bool(value: Any) -> str:
    return "true" if value else "false"


def _quantity(value: Any) -> str:
    return '"0"' if value is None else text(quantity.canonical(value))


def _amount(value: Any) -> str:
    return "0" if value is None else str(quantity.parse(value))


def _int_or_string(value: Any) -> str:
    return text(value) if isinstance(value, str) else _int(value)
