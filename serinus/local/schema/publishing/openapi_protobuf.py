"""The OpenAPI v2 document in protobuf: the only format in which kubectl reads `/openapi/v2`.

kubectl reads this document if the v3 documents have no schema for a kind, such as a missing custom kind. It also reads
it for `explain --output plaintext-openapiv2`. Only encoding is needed. Source of the field numbers: OpenAPIv2.proto of
github.com/google/gnostic-models. Values of any type (extensions, enums) are YAML text there; JSON is valid YAML.
"""

from __future__ import annotations

import json
import struct
from typing import Any

Json = dict[str, Any]
Fields = dict[str, tuple[int, str]]
"""JSON name -> field number, type; "x-" stands for all extensions.

Types: s(tring), b(ool), i(nt), d(ouble), any, or a message's name. `[]` before it: a list. `{n}`: a map with its
entries in field n of a separate message. `n>`: the only field, n, of a separate message.
"""

MEDIA = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
MEDIA_TYPES = (MEDIA, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""Media types of this format. Clients send the second; servers return the first, because `@` is not allowed there."""

_MESSAGES: dict[str, Fields] = {
    "Document": {"swagger": (1, "s"), "info": (2, "Info"), "paths": (8, "{2}PathItem"), "definitions": (9, "{1}Schema")},
    "Info": {"title": (1, "s"), "version": (2, "s"), "description": (3, "s")},
    "PathItem": {
        "get": (2, "Operation"), "put": (3, "Operation"), "post": (4, "Operation"), "delete": (5, "Operation"),
        "patch": (8, "Operation"), "parameters": (9, "[]Parameter"), "x-": (10, "any"),
    },
    "Operation": {
        "description": (3, "s"), "operationId": (5, "s"), "produces": (6, "[]s"), "consumes": (7, "[]s"),
        "parameters": (8, "[]Parameter"), "responses": (9, "{1}1>Response"), "x-": (13, "any"),
    },
    "Response": {"description": (1, "s"), "schema": (2, "1>Schema")},
    "Parameter body": {
        "description": (1, "s"), "name": (2, "s"), "in": (3, "s"), "required": (4, "b"), "schema": (5, "Schema"),
    },
    "Parameter query": {
        "required": (1, "b"), "in": (2, "s"), "description": (3, "s"), "name": (4, "s"), "type": (6, "s"), "uniqueItems": (20, "b"),
    },
    "Parameter path": {
        "required": (1, "b"), "in": (2, "s"), "description": (3, "s"), "name": (4, "s"), "type": (5, "s"), "uniqueItems": (19, "b"),
    },
    "Schema": {
        "$ref": (1, "s"), "format": (2, "s"), "title": (3, "s"), "description": (4, "s"), "default": (5, "any"),
        "multipleOf": (6, "d"), "maximum": (7, "d"), "exclusiveMaximum": (8, "b"), "minimum": (9, "d"), "exclusiveMinimum": (10, "b"),
        "maxLength": (11, "i"), "minLength": (12, "i"), "pattern": (13, "s"), "maxItems": (14, "i"), "minItems": (15, "i"),
        "uniqueItems": (16, "b"), "maxProperties": (17, "i"), "minProperties": (18, "i"), "required": (19, "[]s"), "enum": (20, "[]any"),
        "additionalProperties": (21, "1>Schema"), "type": (22, "1>s"), "items": (23, "1>Schema"), "properties": (25, "{1}Schema"),
        "x-": (31, "any"),
    },
}  # fmt: skip
_PARAMETER = {"body": "1>1>Parameter body", "query": "1>2>3>Parameter query", "path": "1>2>4>Parameter path"}
"""Location of a parameter -> the choices that lead to its message."""


def encode(document: Json) -> bytes:
    """The v2 document as one `openapi.v2.Document`. Keywords that OpenAPI v2 lacks are omitted."""
    return _message("Document", document)


def asked_for(accept: str) -> bool:
    """Whether the first supported type of an Accept header is this one."""
    offers = (offer.partition(";")[0].strip().lower() for offer in accept.split(","))
    known = (*MEDIA_TYPES, "application/json", "application/yaml", "application/*", "*/*")
    return next((offer for offer in offers if offer in known), "") in MEDIA_TYPES


def _message(name: str, value: Json) -> bytes:
    fields = _MESSAGES[name]
    out: list[bytes] = []
    for key, item in value.items():
        if key in fields:
            out.append(_field(*fields[key], item))
        elif key.startswith("x-") and "x-" in fields:
            out.append(_field(fields["x-"][0], "", _entry(key, "any", item)))
    return b"".join(out)


def _field(number: int, type_: str, value: Any) -> bytes:
    if type_.startswith("[]"):
        return b"".join(_field(number, type_[2:], item) for item in value)
    if type_ in ("b", "i"):
        return _varint(number << 3) + _varint(int(value))
    if type_ == "d":
        return _varint(number << 3 | 1) + struct.pack("<d", value)
    data = _body(type_, value)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _body(type_: str, value: Any) -> bytes:
    if not type_:
        return value
    if type_ == "s":
        return str(value).encode()
    if type_ == "any":
        return _field(2, "s", json.dumps(value))
    if type_[0] == "{":
        return b"".join(_field(int(type_[1]), "", _entry(name, type_[3:], item)) for name, item in value.items())
    if type_ == "Parameter":
        return _body(_PARAMETER[value["in"]], value)
    if type_[1] == ">":
        if isinstance(value, bool):
            return _field(2, "b", value)  # additionalProperties: true
        return _field(int(type_[0]), type_[2:], value)
    return _message(type_, value)


def _entry(name: str, type_: str, value: Any) -> bytes:
    return _field(1, "s", name) + _field(2, type_, value)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
