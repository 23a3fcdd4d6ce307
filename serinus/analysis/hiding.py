"""Removes secrets from text for users: the messages, values and metadata of measurements. Pure.

A server may return a received secret in any form: percent-encoded, escaped as JSON, HTML or Python, or in base64 (Basic
authentication). So text is decoded layer by layer, each layer is searched, and matches are replaced in the original
text. Text is shortened afterwards, because the search would not find a secret that was cut in two.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from serinus.analysis.escapes import Layer, layers_of, without_breaks
from serinus.api.messages.cutting import shortened

STAND_IN = "*****"
"""Replaces a secret, as in Argo Rollouts."""

SHORT = 4
"""A secret with fewer characters often occurs by chance. Foreign text that contains one is replaced as a whole
(`Hidden.foreign`). The controller's own text is made without secrets and stays."""

ROW = 8
"""Consecutive characters of a secret that foreign text must not show: other programs cut and change quotes."""

_LONGEST_IN_ROWS = 4096

_WIDEST = 14
"""Most characters in text for one character of a secret: `%255Cu0061` has ten."""

_FURTHEST = 200_000
_BEYOND = 1_000

_OF_BASE64 = re.compile(r"[A-Za-z0-9+/=]*")
_URL_ALPHABET = str.maketrans("-_", "+/")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLUS = str.maketrans("+", " ")


@dataclass(frozen=True, slots=True)
class _Forms:
    """A secret after decoding: `plain` in lower case; `base64`: the common part of any base64 text that contains it."""

    plain: frozenset[str]
    base64: frozenset[str]
    short: bool
    longest: int


class Hidden:
    """Secrets that no text may show. More are added as they become known."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: dict[str, _Forms] = {}
        self._clean: set[str] = set()
        """Results of earlier searches. They are not searched again."""
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        for secret in secrets:
            if secret.strip() and secret not in self._forms:
                self._forms[secret] = _forms(secret)
                self._clean.clear()

    def text(self, text: str, longest: int) -> str:
        """The controller's own text without secrets, at most `longest` characters. Secrets below SHORT are ignored."""
        if not self._forms or text in self._clean:
            return shortened(text, longest)
        further = _WIDEST * max((forms.longest for forms in self._forms.values()), default=0)
        return self._shown(text, longest, min(_FURTHEST, further), _whole)

    def foreign(self, text: str, longest: int, *, short: bool = True) -> str:
        """The same for text of a server, a library or a plugin. It shows no part of a secret.

        `short`: text that contains a secret below SHORT is replaced as a whole.
        """
        if not self._forms or text in self._clean:
            return shortened(text, longest)
        forms = {form for forms in self._forms.values() if short and forms.short for form in forms.plain | forms.base64}
        if forms:
            for layer in layers_of(text[: longest + _BEYOND]):
                folded = _folded(layer.text)
                if any(form in layer.text or form in folded for form in forms):
                    return STAND_IN
        return self._shown(text, longest, _WIDEST * 4 * ROW, _in_part)

    def message(self, own: str, foreign: str, longest: int) -> str:
        """One message of the controller's own text and foreign text."""
        return self.text(own + (self.foreign(foreign, longest) if foreign else ""), longest)

    def _shown(self, text: str, longest: int, further: int, search: _Search) -> str:
        """`further`: characters beyond `longest` that may contain the end of a secret."""
        forms = [forms for forms in self._forms.values() if not forms.short]
        if not forms:
            return shortened(text, longest)
        window = text[: longest + further]
        spans = sorted(span for layer in layers_of(window) for span in _spans(layer, forms, search))
        parts: list[str] = []
        at = 0
        for start, end in spans:
            if start >= longest:
                break
            if start > at or not at:
                parts += [window[at:start], STAND_IN]
            at = max(at, end)
        parts.append(window[at:longest])
        shown = "".join(parts)
        shown = shortened(shown if len(text) <= longest else f"{shown}…", longest)
        self._clean.add(shown)
        return shown


_Search = Callable[[str, frozenset[str]], Iterator[tuple[int, int]]]


def _spans(layer: Layer, forms: Iterable[_Forms], search: _Search) -> Iterator[tuple[int, int]]:
    """The positions of secrets in the original text."""
    folded, joined = _folded(layer.text), without_breaks(layer)
    same = joined.text.translate(_URL_ALPHABET)
    lower = same.lower()
    for start, end in search(folded, frozenset[str]().union(*(one.plain for one in forms))):
        yield layer.starts[start], layer.ends[end - 1]
    coded = frozenset[str]().union(*(one.base64 for one in forms))
    exact = frozenset(form for form in coded if len(form) < ROW)
    for text, cores in ((same, exact), (lower, frozenset(map(str.lower, coded - exact)))):
        for start, end in search(text, cores):
            first, last = _whole_run(same, start, end)
            yield joined.starts[first], joined.ends[last - 1]


def _whole(text: str, forms: frozenset[str]) -> Iterator[tuple[int, int]]:
    """The positions of the forms in the text."""
    for form in forms:
        start = text.find(form)
        while start >= 0:
            yield start, start + len(form)
            start = text.find(form, start + len(form))


def _in_part(text: str, forms: frozenset[str]) -> Iterator[tuple[int, int]]:
    """The positions of the forms in the text, or of consecutive characters of them."""
    yield from _whole(text, frozenset(form for form in forms if len(form) < ROW))
    rows = _rows(forms)
    if not rows:
        return
    begun: int | None = None
    for start in range(len(text) - ROW + 1):
        if text[start : start + ROW] in rows:
            begun = start if begun is None else begun
        elif begun is not None:
            yield begun, start - 1 + ROW
            begun = None
    if begun is not None:
        yield begun, len(text)


@lru_cache(maxsize=512)
def _rows(forms: frozenset[str]) -> frozenset[str]:
    long_forms = (form[:_LONGEST_IN_ROWS] for form in forms if len(form) >= ROW)
    return frozenset(form[at : at + ROW] for form in long_forms for at in range(len(form) - ROW + 1))


def _whole_run(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole base64 text around a position: the characters next to a secret hold bits of it."""
    while start > 0 and _OF_BASE64.fullmatch(text[start - 1]):
        start -= 1
    match = _OF_BASE64.match(text, end)
    return start, match.end() if match else end


def _folded(text: str) -> str:
    """The text in lower case, character by character, with blanks for plus signs, as in the query of a URL."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lower.translate(_PLUS)


@lru_cache(maxsize=512)
def _forms(secret: str) -> _Forms:
    bare = secret.strip()
    short = len(bare) < SHORT
    plain = {secret, bare, *(layer.text for layer in layers_of(bare))}
    if not bare.isascii():
        plain |= {form.encode("utf-8", "surrogatepass").decode("latin-1") for form in tuple(plain)}
    percent = _percent(bare)
    encoded = {percent, percent.replace("%20", "+"), bare}
    data = [form.encode("utf-8", "surrogatepass") for form in encoded]
    if short:
        whole = [base64.b64encode(one + end).decode() for one in data for end in (b"", b"\n")]
        in_base64 = {form for text in whole for form in (text, text.rstrip("="))}
    else:
        twice = base64.b64encode(bare.encode("utf-8", "surrogatepass"))
        in_base64 = {core for one in (*data, twice) for core in _cores(one)}
        plain |= {one.hex() for one in data}
    folded = frozenset(_folded(form) for form in plain if len(form) >= (1 if short else SHORT))
    return _Forms(folded, frozenset(in_base64), short, max(len(secret), 2 * SHORT))


def _percent(text: str) -> str:
    """The text as in a URL (RFC 3986, section 2.3 lists the characters that are not escaped)."""
    data = text.encode("utf-8", "surrogatepass")
    return "".join(chr(b) if chr(b) in _UNRESERVED else f"%{b:02X}" for b in data)


def _cores(data: bytes) -> Iterator[str]:
    """The base64 of any text that contains `data` includes one of these: one for each offset within three bytes."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        core = text[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]
        if len(core) >= SHORT:
            yield core
