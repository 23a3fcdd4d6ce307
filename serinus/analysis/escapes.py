"""Decodes escaped text in layers: percent, JSON, Python and HTML. Each character has its original position. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

LAYERS = 4
"""The number of decoding passes: a URL in JSON in an HTML page needs three."""

_ESCAPE = re.compile(
    r"(?P<percent>(?:%[0-9a-fA-F]{2})+)|(?P<hex>(?:\\x[0-9a-fA-F]{2})+)|(?P<unicode>(?:\\u[0-9a-fA-F]{4})+)"
    r"|(?P<wide>\\U[0-9a-fA-F]{8})|(?P<short>\\[^xuU])|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,6});)"
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_BREAKS = re.compile(r"(?:\r?\n)[ \t]*")


@dataclass(frozen=True, slots=True)
class Layer:
    """Decoded text. Character `i` comes from `starts[i]` to `ends[i]` of the original text."""

    text: str
    starts: list[int]
    ends: list[int]


def layers_of(text: str) -> Iterator[Layer]:
    """The text, and the text decoded once, twice, …"""
    layer = Layer(text, list(range(len(text))), list(range(1, len(text) + 1)))
    yield layer
    for _ in range(LAYERS):
        if not _ESCAPE.search(layer.text):
            return
        layer = _decoded(layer)
        yield layer


def _decoded(layer: Layer) -> Layer:
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for match in _ESCAPE.finditer(layer.text):
        first, last = match.span()
        parts.append(layer.text[at:first])
        starts += layer.starts[at:first]
        ends += layer.ends[at:first]
        at = last
        for text, start, end in _meanings(match):
            parts.append(text)
            starts += [layer.starts[start]] * len(text)
            ends += [layer.ends[end - 1]] * len(text)
    parts.append(layer.text[at:])
    starts += layer.starts[at:]
    ends += layer.ends[at:]
    return Layer("".join(parts), starts, ends)


def _meanings(match: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """(text, start and end of its escape) of each character that an escape, or a sequence of them, encodes."""
    kind, start, written = match.lastgroup, match.start(), match[0]
    if kind in ("percent", "hex"):
        width = 3 if kind == "percent" else 4
        data = bytes(int(written[i + width - 2 : i + width], 16) for i in range(0, len(written), width))
        try:
            text, sizes = data.decode(), None
        except UnicodeDecodeError:
            text, sizes = data.decode("latin-1"), 1
        for character in text:
            end = start + width * (sizes or len(character.encode()))
            yield character, start, end
            start = end
    elif kind == "unicode":
        units = [int(written[i + 2 : i + 6], 16) for i in range(0, len(written), 6)]
        text = b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "surrogatepass")
        for character in text:
            end = start + (12 if ord(character) > 0xFFFF else 6)
            yield character, start, end
            start = end
    elif kind == "wide":
        code = int(written[2:], 16)
        yield (chr(code) if code <= 0x10FFFF else written), start, match.end()
    elif kind == "short":
        yield _CONTROLS.get(written[1], written[1]), start, match.end()
    else:
        yield html.unescape(written), start, match.end()


def without_breaks(layer: Layer) -> Layer:
    """The layer without line breaks: base64 is often written in lines."""
    breaks = [match.span() for match in _BREAKS.finditer(layer.text)]
    if not breaks:
        return layer
    runs = [
        (end, start) for (_, end), (start, _) in zip([(0, 0), *breaks], [*breaks, (len(layer.text), 0)], strict=True)
    ]
    return Layer(
        "".join(layer.text[a:b] for a, b in runs),
        [at for a, b in runs for at in layer.starts[a:b]],
        [at for a, b in runs for at in layer.ends[a:b]],
    )
