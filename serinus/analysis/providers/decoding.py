"""JSON and XML of answers, within bounds that keep any single step short.

The decoder holds the interpreter until it is done, and the collector of garbage goes through all that was made: what counts is
the number of values, not of bytes. Measured on one core: 150,000 values of the worst shape take 25 ms, 1 MB of text takes 1 ms.
"""

from __future__ import annotations

import gc
from typing import Any
from xml.etree import ElementTree

import msgspec

from serinus.analysis.providers.trouble import ProviderError
from serinus.api.nesting import TOO_DEEP, nests_too_deep, too_deep

MOST_VALUES = 150_000
"""Values of an answer, counted by its brackets and commas. 10,000 series with ten labels each have 140,000."""

PIECE = 32 * 1024
"""Bytes that are read at once, where an answer is read in pieces."""

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
    gc.disable()  # else each 700 values are gone through again and again, which takes five times as long
    try:
        found = _decoded(body)
    except RecursionError:
        raise ProviderError(BROKEN + TOO_DEEP) from None
    finally:
        if collects:
            gc.enable()
    if nests_too_deep(found):
        raise ProviderError(BROKEN + TOO_DEEP)
    return found


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(str(error)) from error


def xml_of(body: bytes) -> ElementTree.Element:
    """The decoded text. ElementTree.ParseError; ProviderError for too many elements, or definitions of entities.

    Entities may stand for much text, and for entities again.
    """
    if b"<!DOCTYPE" in body[:PIECE] or b"<!ENTITY" in body:
        raise ProviderError("the answer cannot be read: it defines entities of XML")
    if body.count(b"<") > MOST_VALUES:
        raise ProviderError(f"the answer has more than {MOST_VALUES // 2} elements: ask for less")
    parser = ElementTree.XMLParser()
    for at in range(0, len(body), PIECE):
        parser.feed(body[at : at + PIECE])
    return parser.close()
