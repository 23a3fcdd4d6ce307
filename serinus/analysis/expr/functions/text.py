"""Text: upper, lower, trim, split, replace, join, indexOf …; JSON and base64; string, len, type."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import TEXT, WHOLE, Run, Table, items, text, whole
from serinus.analysis.expr.functions.time_values import Duration, Named, Time
from serinus.analysis.expr.values import from_raw, go_text, go_type, json_text, raw
from serinus.api.decoding.nesting import TOO_DEEP, too_deep

TEXTS = Table()
_STRINGS = t.list_of(t.STRING)
_BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def _charged(value: str, run: Run) -> str:
    run.budget.spend_text(len(value))
    return value


def _simple(name: str, work: Callable[[str], str]) -> None:
    @TEXTS.add(name, t.STRING, TEXT)
    def _(args: Sequence[Any], run: Run) -> str:
        run.budget.spend_text(len(text(args[0])))
        return work(args[0])


_simple("upper", str.upper)
_simple("lower", str.lower)


def _trimming(name: str, plain: Callable[[str, str], str], without: str) -> None:
    @TEXTS.add(name, t.STRING, TEXT, TEXT, least=1)
    def _(args: Sequence[Any], run: Run) -> str:
        return _charged(plain(text(args[0]), text(args[1]) if len(args) > 1 else without), run)


_trimming("trim", str.strip, _BLANKS)
_trimming("trimPrefix", str.removeprefix, " ")
_trimming("trimSuffix", str.removesuffix, " ")


def _splitting(name: str, keep: bool) -> None:
    @TEXTS.add(name, _STRINGS, TEXT, TEXT, WHOLE, least=2)
    def _(args: Sequence[Any], run: Run) -> list[str]:
        value, by = text(args[0]), text(args[1])
        limit = whole(args[2], name) if len(args) > 2 else -1
        run.budget.spend(len(value) + 1)
        if limit == 0:
            return []
        if not by:
            return list(value) if limit < 0 or limit > len(value) else [*value[: limit - 1], value[limit - 1 :]]
        pieces = value.split(by, limit - 1 if limit > 0 else -1)
        return [piece + by for piece in pieces[:-1]] + pieces[-1:] if keep else pieces


_splitting("split", keep=False)
_splitting("splitAfter", keep=True)


@TEXTS.add("replace", t.STRING, TEXT, TEXT, TEXT, WHOLE, least=3)
def _replace(args: Sequence[Any], run: Run) -> str:
    value, old, new = (text(arg) for arg in args[:3])
    limit = whole(args[3], "replace") if len(args) > 3 else -1
    count = min(value.count(old), limit if limit >= 0 else len(value) + 1)
    run.budget.spend_text(len(value) + count * len(new))
    return value.replace(old, new, max(-1, limit))


@TEXTS.add("repeat", t.STRING, TEXT, WHOLE)
def _repeat(args: Sequence[Any], run: Run) -> str:
    value, times = text(args[0]), whole(args[1], "repeat")
    if times < 0:
        raise ConditionError(f"invalid argument for repeat (expected positive integer, got {times})")
    run.budget.spend_text(len(value) * times)
    return value * times


@TEXTS.add("join", t.STRING, (t.ANYTHING,), TEXT, least=1)
def _join(args: Sequence[Any], run: Run) -> str:
    between = text(args[1]) if len(args) > 1 else ""
    pieces = [text(item) for item in items(args[0], "join")]
    run.budget.spend_text(sum(map(len, pieces)) + len(between) * len(pieces))
    run.budget.spend(len(pieces))
    return between.join(pieces)


def _finding(name: str, work: Callable[[bytes, bytes], int]) -> None:
    @TEXTS.add(name, t.INT, TEXT, TEXT)
    def _(args: Sequence[Any], run: Run) -> int:
        run.budget.spend_text(len(text(args[0])))
        return work(raw(args[0]), raw(text(args[1])))


_finding("indexOf", bytes.find)
_finding("lastIndexOf", bytes.rfind)


def _testing(name: str, work: Callable[[bytes, bytes], bool]) -> None:
    @TEXTS.add(name, t.BOOL, TEXT, TEXT)
    def _(args: Sequence[Any], run: Run) -> bool:
        run.budget.spend_text(len(text(args[0])))
        return work(raw(args[0]), raw(text(args[1])))


_testing("hasPrefix", lambda value, part: value.startswith(part))
_testing("hasSuffix", lambda value, part: value.endswith(part))


@TEXTS.add("string", t.STRING, None)
def _string(args: Sequence[Any], run: Run) -> str:
    return go_text(args[0], run.budget)


@TEXTS.add("toJSON", t.STRING, None)
def _to_json(args: Sequence[Any], run: Run) -> str:
    return json_text(args[0], run.budget)


@TEXTS.add("fromJSON", t.UNKNOWN, TEXT)
def _from_json(args: Sequence[Any], run: Run) -> Any:
    value = text(args[0])
    run.budget.spend(len(value))
    if too_deep(value):
        raise ConditionError(f"fromJSON: {TOO_DEEP}")
    try:
        return floats(msgspec.json.decode(raw(value)))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConditionError(f"fromJSON: {error}") from None


def floats(value: Any) -> Any:
    """Decoded JSON as Go decodes it: every number is a float."""
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise ConditionError("a number in the JSON is too large") from None
    if isinstance(value, list):
        return [floats(item) for item in value]
    if isinstance(value, dict):
        return {key: floats(item) for key, item in value.items()}
    return value


@TEXTS.add("toBase64", t.STRING, TEXT)
def _to_base64(args: Sequence[Any], run: Run) -> str:
    return _charged(base64.b64encode(raw(text(args[0]))).decode(), run)


@TEXTS.add("fromBase64", t.STRING, TEXT)
def _from_base64(args: Sequence[Any], run: Run) -> str:
    run.budget.spend_text(len(text(args[0])))
    try:
        return from_raw(base64.b64decode(raw(args[0]), validate=True))
    except (binascii.Error, ValueError):
        raise ConditionError("fromBase64: the text is no base64") from None


@TEXTS.add("len", t.INT, (t.STRING, t.MAP, t.ANYTHING))
def _len(args: Sequence[Any], _run: Run) -> int:
    if not isinstance(args[0], str | list | dict):
        raise ConditionError(f"invalid argument for len (type {go_type(args[0])})")
    return len(args[0])


_KINDS = {"<nil>": "nil", "float64": "float", "map[string]interface {}": "map"}


@TEXTS.add("type", t.STRING, None)
def _type(args: Sequence[Any], _run: Run) -> str:
    if isinstance(args[0], list):
        return "array"
    if isinstance(args[0], Time | Duration | Named):
        return go_type(args[0])
    return _KINDS.get(go_type(args[0]), go_type(args[0]))
