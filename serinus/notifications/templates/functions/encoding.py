"""sprig's functions of JSON, base64, checksums, regular expressions, paths and versions."""

from __future__ import annotations

import base64
import binascii
import hashlib
import posixpath
import re
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.values import from_raw, json_text, raw
from serinus.api.decoding.nesting import too_deep
from serinus.api.values.patterns import compiled
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Call, Table, fits, sized
from serinus.notifications.templates.versions import Version

ENCODINGS = Table()


def _encodable(value: Any) -> Any:
    """Bytes and versions as in Go's JSON."""
    if isinstance(value, Version):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict) and any(isinstance(item, bytes | Version) for item in value.values()):
        return {key: _encodable(item) for key, item in value.items()}
    return value


def _json(run: Call, value: Any, indent: str | None) -> str:
    try:
        return sized(json_text(_encodable(value), run.work, indent), run)
    except ConditionError as error:
        raise TemplateError(str(error)) from None


@ENCODINGS.add("toJson mustToJson", "a")
def _to_json(run: Call, value: Any) -> str:
    return _json(run, value, None)


@ENCODINGS.add("toPrettyJson mustToPrettyJson", "a")
def _to_pretty_json(run: Call, value: Any) -> str:
    return _json(run, value, "  ")


_ESCAPE = re.compile(r"\\(?:u003c|u003e|u0026|.)")
_ESCAPED = {"\\u003c": "<", "\\u003e": ">", "\\u0026": "&"}


@ENCODINGS.add("toRawJson mustToRawJson", "a")
def _to_raw_json(run: Call, value: Any) -> str:
    return _ESCAPE.sub(lambda m: _ESCAPED.get(m.group(), m.group()), _json(run, value, None))


def _decoded(text: str) -> Any:
    fits(len(text))
    if too_deep(text.encode("utf-8", "replace")):
        raise ValueError("it nests too deeply")
    return msgspec.json.decode(text)


@ENCODINGS.add("fromJson", "s")
def _from_json(run: Call, text: str) -> Any:
    try:
        return _decoded(text)
    except (ValueError, msgspec.DecodeError):
        return None


@ENCODINGS.add("mustFromJson", "s")
def _must_from_json(run: Call, text: str) -> Any:
    try:
        return _decoded(text)
    except (ValueError, msgspec.DecodeError) as error:
        raise TemplateError(f"fromJson: {error}") from None


def _coder(name: str, encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]) -> None:
    @ENCODINGS.add(f"{name}enc", "s")
    def _(run: Call, text: str) -> str:
        return sized(encode(raw(text)).decode(), run)

    @ENCODINGS.add(f"{name}dec", "s")
    def __(run: Call, text: str) -> str:
        try:
            return sized(from_raw(decode(raw(text.replace("\n", "").replace("\r", "")))), run)
        except (binascii.Error, ValueError):
            return f"illegal {name.replace('b', 'base')} data at input byte 0"


_coder("b64", base64.b64encode, lambda data: base64.b64decode(data, validate=True))
_coder("b32", base64.b32encode, base64.b32decode)

_SUMS: dict[str, Callable[[bytes], str]] = {
    "sha1sum": lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    "sha256sum": lambda data: hashlib.sha256(data).hexdigest(),
    "sha512sum": lambda data: hashlib.sha512(data).hexdigest(),
    "adler32sum": lambda data: str(zlib.adler32(data)),
}


def _sum(name: str) -> None:
    work = _SUMS[name]

    @ENCODINGS.add(name, "s")
    def _(run: Call, text: str) -> str:
        run.work.spend_text(len(text))
        return work(raw(text))


for _name in _SUMS:
    _sum(_name)


@ENCODINGS.add("uuidv4")
def _uuidv4(_run: Call) -> str:
    return str(uuid.uuid4())


@ENCODINGS.add("fail", "s")
def _fail(_run: Call, message: str) -> str:
    raise TemplateError(message)


# regular expressions: RE2, as in Go


def _pattern(pattern: str) -> Any:
    try:
        return compiled(pattern)
    except ValueError as error:
        raise TemplateError(f"error parsing regexp: {error}") from None


def _matches(run: Call, pattern: str, text: str, most: int = -1) -> Iterator[Any]:
    """At most that many matches. As in Go, an empty match directly after another does not count."""
    count, end = 0, -1
    run.work.spend_text(len(text))
    for match in _pattern(pattern).finditer(raw(text)):
        if count == most:
            return
        if match.start() == match.end() == end:
            continue
        run.work.spend(1)
        count, end = count + 1, match.end()
        yield match


@ENCODINGS.add("regexMatch mustRegexMatch", "ss")
def _regex_match(run: Call, pattern: str, text: str) -> bool:
    run.work.spend_text(len(text))
    return _pattern(pattern).search(raw(text)) is not None


@ENCODINGS.add("regexFind mustRegexFind", "ss")
def _regex_find(run: Call, pattern: str, text: str) -> str:
    return next((from_raw(match.group()) for match in _matches(run, pattern, text, 1)), "")


@ENCODINGS.add("regexFindAll mustRegexFindAll", "ssi")
def _regex_find_all(run: Call, pattern: str, text: str, most: int) -> list[str]:
    return [from_raw(match.group()) for match in _matches(run, pattern, text, most)]


_REFERENCE = re.compile(rb"\$(?:\$|(\w+)|\{(\w+)\})")


def _replaced(run: Call, pattern: str, text: str, make: Callable[[Any], bytes]) -> str:
    data, parts, end, size = raw(text), list[bytes](), 0, len(text)
    for match in _matches(run, pattern, text):
        parts += [data[end : match.start()], make(match)]
        size += len(parts[-1])
        fits(size)
        end = match.end()
    return sized(from_raw(b"".join([*parts, data[end:]])), run)


@ENCODINGS.add("regexReplaceAll mustRegexReplaceAll", "sss")
def _regex_replace_all(run: Call, pattern: str, text: str, template: str) -> str:
    names = {name if isinstance(name, str) else name.decode(): at for name, at in _pattern(pattern).groupindex.items()}

    def replacement(match: Any) -> bytes:
        def one(reference: re.Match[bytes]) -> bytes:
            if reference.group() == b"$$":
                return b"$"
            name = (reference.group(1) or reference.group(2)).decode()
            at = int(name) if name.isdecimal() else names.get(name, -1)
            return (match.group(at) or b"") if 0 <= at <= match.re.groups else b""

        return _REFERENCE.sub(one, raw(template))

    return _replaced(run, pattern, text, replacement)


@ENCODINGS.add("regexReplaceAllLiteral mustRegexReplaceAllLiteral", "sss")
def _regex_replace_all_literal(run: Call, pattern: str, text: str, new: str) -> str:
    return _replaced(run, pattern, text, lambda _: raw(new))


@ENCODINGS.add("regexSplit mustRegexSplit", "ssi")
def _regex_split(run: Call, pattern: str, text: str, most: int) -> list[str]:
    if most == 0:
        return []
    data, parts, begin, end = raw(text), list[bytes](), 0, 0
    if pattern and not data:
        return [""]
    for match in _matches(run, pattern, text, most):
        if most > 0 and len(parts) == most - 1:
            break
        end = match.start()
        if match.end() != 0:
            parts.append(data[begin:end])
        begin = match.end()
    if end != len(data):
        parts.append(data[begin:])
    return [from_raw(part) for part in parts]


@ENCODINGS.add("regexQuoteMeta", "s")
def _regex_quote_meta(run: Call, text: str) -> str:
    return sized(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text), run)


# paths


def _paths(name: str, work: Callable[[str], Any]) -> None:
    @ENCODINGS.add(name, "s")
    def _(run: Call, text: str) -> Any:
        run.work.spend_text(len(text))
        return work(text)


def _clean(path: str) -> str:
    text = posixpath.normpath(path) if path else "."
    return text[1:] if text.startswith("//") else text


def _ext(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rindex(".") :] if "." in name else ""


def _base(path: str) -> str:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


for _name, _work in {
    "base": _base,
    "dir": lambda path: _clean(path.rpartition("/")[0] or ("/" if path.startswith("/") else "")),
    "ext": _ext,
    "clean": _clean,
    "isAbs": lambda path: path.startswith("/"),
}.items():
    _paths(_name, _work)
