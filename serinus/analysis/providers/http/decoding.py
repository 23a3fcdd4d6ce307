"""JSON and XML of responses, within limits that keep each step short.

The decoder holds the GIL until it is done, and the garbage collector visits all new values. So the limit is the number
of values, not of bytes. On one core 150,000 values of the worst shape take 25 ms, and 1 MB of text takes 1 ms.
"""

from __future__ import annotations

import gc
from typing import Any
from xml.etree import ElementTree

import msgspec

from serinus.analysis.providers.errors import ProviderError
from serinus.api.decoding.nesting import TOO_DEEP, nests_too_deep, too_deep

MOST_VALUES = 150_000
"""Most values of a response, counted by brackets and commas. 10,000 series with ten labels each have 140,000."""

PIECE = 32 * 1024
"""Bytes of one piece, if a response is read in pieces."""

BROKEN = "Could not parse JSON body: "


class NotJson(ValueError):
    """The text is no JSON."""


def json_of(body: bytes) -> Any:
    """The decoded text. NotJson; ProviderError for too many values, or too many levels."""
    if len(body) <= PIECE:
        if too_deep(body):
            raise ProviderError(BROKEN + TOO_DEEP)
        return _decoded(body)
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MOST_VALUES:
        raise ProviderError(f"the answer has more than {MOST_VALUES} values: ask for less")
    collects = gc.isenabled()
    gc.disable()  # otherwise the collector runs after each 700 values, which takes five times as long
    try:
        value = _decoded(body)
    except RecursionError:
        raise ProviderError(BROKEN + TOO_DEEP) from None
    finally:
        if collects:
            gc.enable()
    if nests_too_deep(value):
        raise ProviderError(BROKEN + TOO_DEEP)
    return value


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(str(error)) from error


def xml_of(body: bytes) -> ElementTree.Element:
    """The decoded text. ElementTree.ParseError; ProviderError for too many elements, or definitions of entities.

    Entities may expand to long texts, and to other entities.
    """
    if b"<!DOCTYPE" in body[:PIECE] or b"<!ENTITY" in body:
        raise ProviderError("the answer cannot be read: it defines entities of XML")
    if body.count(b"<") > MOST_VALUES:
        raise ProviderError(f"the answer has more than {MOST_VALUES // 2} elements: ask for less")
    parser = ElementTree.XMLParser()
    for at in range(0, len(body), PIECE):
        parser.feed(body[at : at + PIECE])
    return parser.close()
