"""Decodes bodies in Kubernetes' protobuf encoding to JSON values.

kubectl's typed commands (`create deployment`, `auth can-i`, `drain`, …) send only protobuf, and accept JSON responses.
So only decoding of built-in kinds is needed. `protobuf_fields.json` (made by tools/distil_protobuf.py) is the table of
their fields. Empty values that Go's JSON omits are omitted here too.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

Json = dict[str, Any]
Fields = dict[int, tuple[str, str, bool]]
"""Field number -> JSON name ("" where the message is inlined), type, whether an empty value is left out."""

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_PACKAGES = {
    "v1": "core",
    "apps/v1": "apps",
    "batch/v1": "batch",
    "discovery.k8s.io/v1": "discovery",
    "networking.k8s.io/v1": "networking",
    "coordination.k8s.io/v1": "coordination",
    "policy/v1": "policy",
    "autoscaling/v2": "autoscaling",
    "autoscaling/v1": "autoscaling1",
    "authorization.k8s.io/v1": "authorization",
    "authentication.k8s.io/v1": "authentication",
    "rbac.authorization.k8s.io/v1": "rbac",
    "scheduling.k8s.io/v1": "scheduling",
    "storage.k8s.io/v1": "storage",
    "node.k8s.io/v1": "node",
    "admissionregistration.k8s.io/v1": "admissionregistration",
}


class UnknownMessage(ValueError):
    """The encoding has no table for this kind; the client must send JSON."""


def decode(body: bytes) -> Json:
    """The object in `body`, with apiVersion and kind. Raises ValueError if the body is not in this encoding."""
    if not body.startswith(_MAGIC):
        raise ValueError("it does not start with the bytes k8s\\0")
    envelope = dict(_pairs(body[4:]))
    names = {number: bytes(text).decode() for number, text in _pairs(bytes(envelope.get(1, b"")))}
    version, kind = names.get(1, ""), names.get(2, "")
    message = "meta.DeleteOptions" if kind == "DeleteOptions" else f"{_PACKAGES.get(version, '')}.{kind}"
    if message not in _table():
        raise UnknownMessage(f"{kind} of {version}")
    return {"apiVersion": version, "kind": kind, **_message(message, bytes(envelope.get(2, b"")))}


@lru_cache(maxsize=1)
def _table() -> dict[str, Fields]:
    raw: dict[str, dict[str, list[Any]]] = json.loads(
        files("serinus.local.apiserver.requests").joinpath("protobuf_fields.json").read_text()
    )
    return {
        message: {int(n): (name, kind, bool(gone)) for n, (name, kind, gone) in rows.items()}
        for message, rows in raw.items()
    }


def _pairs(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value): a number for varints, bytes for all other types."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} is not used")
        if at + size > end:
            raise ValueError("it ends in the middle of a field")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _message(name: str, data: bytes) -> Json:
    fields = _table()[name]
    result: Json = {}
    for number, raw in _pairs(data):
        if number not in fields:
            continue
        key, kind, vanishes = fields[number]
        if kind.startswith("{}"):
            entry = dict(_pairs(_bytes(raw)))
            item = entry.get(2, 0 if kind == "{}i" else b"")
            result.setdefault(key, {})[_bytes(entry.get(1, b"")).decode()] = _value(kind[2:], item)
        elif kind == "[]i" and isinstance(raw, bytes):
            result.setdefault(key, []).extend(_packed(raw))
        elif kind.startswith("[]"):
            result.setdefault(key, []).append(_value(kind[2:], raw))
        else:
            value = _value(kind, raw)
            if not key:
                result.update(value)
            elif value is not None and (value or not vanishes):
                result[key] = value
    return result


def _packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield _signed(value)


def _bytes(raw: int | bytes) -> bytes:
    if isinstance(raw, int):
        raise ValueError("a number stands where text is expected")
    return raw


def _signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _value(kind: str, raw: int | bytes) -> Any:
    if kind in ("i", "b"):
        if not isinstance(raw, int):
            raise ValueError("text stands where a number is expected")
        return bool(raw) if kind == "b" else _signed(raw)
    data = _bytes(raw)
    decode = _DECODERS.get(kind)
    return _message(kind, data) if decode is None else decode(data)


def _quantity(data: bytes) -> str:
    return _bytes(dict(_pairs(data)).get(1, b"0")).decode() or "0"


def _int_or_string(data: bytes) -> int | str:
    parts = dict(_pairs(data))
    return _bytes(parts.get(3, b"")).decode() if parts.get(1) == 1 else _signed(int(parts.get(2, 0)))


def _duration(data: bytes) -> str:
    return f"{_signed(int(dict(_pairs(data)).get(1, 0))) / 1e9:g}s"


def _json(data: bytes) -> Any:
    return json.loads(_bytes(dict(_pairs(data)).get(1, b"")) or b"null")


def _time(data: bytes, *, micro: bool) -> str | None:
    """RFC 3339; None for no time, which is encoded as an empty message."""
    if not data:
        return None
    parts = dict(_pairs(data))
    seconds, nanos = _signed(int(parts.get(1, 0))), int(parts.get(2, 0))
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{seconds} seconds is no time") from None
    return when.strftime("%Y-%m-%dT%H:%M:%S") + (f".{nanos // 1000:06d}Z" if micro else "Z")


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "s": lambda data: data.decode(),
    "y": lambda data: base64.b64encode(data).decode(),
    "d": lambda data: struct.unpack("<d", data)[0] if len(data) == 8 else 0.0,
    "T": lambda data: _time(data, micro=False),
    "M": lambda data: _time(data, micro=True),
    "Q": _quantity,
    "I": _int_or_string,
    "D": _duration,
    "R": _json,
    "F": _json,
}
"""By the letter of the type in the table. All other types are names of messages."""
