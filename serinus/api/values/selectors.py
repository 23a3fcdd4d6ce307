"""Label selectors: the text form of queries (`app=web,tier in (a,b),!old`) and the struct form of objects.

The rules are those of k8s.io/apimachinery's `labels` package. `!=` and `notin` also match objects without the label.
`>` and `<` compare whole numbers. Requirements are written sorted by key.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from serinus.api.meta import LabelSelector

_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_TOKEN = re.compile(r"\s*+(==|!=|[!=<>(),]|[^\s!=<>(),]++)")
_FEW = 8
_OPERATORS = {"=": "=", "==": "=", "!=": "!=", "in": "in", "notin": "notin", ">": ">", "<": "<"}
_OF_STRUCT = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """`operator` is one of `=`, `!=`, `in`, `notin`, `exists`, `!`, `>`, `<`; `values` are sorted."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return self._has(value)
            case "!=" | "notin":
                return not self._has(value)
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                if value is None or not re.fullmatch(r"[+-]?\d+", value, re.ASCII):
                    return False
                return int(value) > int(self.values[0]) if self.operator == ">" else int(value) < int(self.values[0])

    def _has(self, value: str | None) -> bool:
        if value is None or len(self.values) <= _FEW:
            return value in self.values
        at = bisect_left(self.values, value)  # thousands of values, checked for thousands of objects
        return at < len(self.values) and self.values[at] == value

    def text(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All of `requirements` must hold; none of them selects everything, `nothing` selects no object at all."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @staticmethod
    def parse(text: str) -> Selector:
        """The selector of a query. ValueError names the invalid part and the expected form."""
        return _parse(text)

    @staticmethod
    def of(selector: LabelSelector | Mapping[str, Any] | None) -> Selector:
        """The selector of an object's field. None selects nothing, an empty one everything, as in Kubernetes.

        ValueError if an operator is unknown or its values do not fit.
        """
        if selector is None:
            return Selector(nothing=True)
        if isinstance(selector, LabelSelector):
            pairs = selector.match_labels
            rest = [(e.key, e.operator, e.values) for e in selector.match_expressions]
        else:
            pairs = selector.get("matchLabels") or {}
            rest = [
                (e.get("key", ""), e.get("operator", ""), e.get("values") or [])
                for e in selector.get("matchExpressions") or []
            ]
        return _sorted([Requirement(k, "=", (v,)) for k, v in pairs.items()] + [_of_struct(*row) for row in rest])

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        return not self.nothing and all(r.matches(labels) for r in self.requirements)

    def text(self) -> str:
        """The canonical text: sorted by key, `a=b,c in (d,e)`; parses back to the same selector."""
        return ",".join(r.text() for r in self.requirements)


def key_error(key: str) -> str:
    """The error in a label's key, as a sentence; "" if it is valid. (A DNS prefix and `/` are optional.)"""
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _PREFIX.fullmatch(prefix)):
        return f"the prefix {prefix!r} of the key {key!r} must be a DNS name in lower case, such as example.com"
    if not name or len(name) > 63 or not _NAME.fullmatch(name):
        return f"the key {key!r} must be 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
    return ""


def value_error(value: str) -> str:
    """The error in a label's value, as a sentence; "" if it is valid."""
    if value and (len(value) > 63 or not _NAME.fullmatch(value)):
        return f"the value {value!r} must be at most 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
    return ""


def _sorted(requirements: Iterable[Requirement]) -> Selector:
    return Selector(tuple(sorted(requirements, key=lambda r: r.key)))


def _of_struct(key: str, operator: str, values: list[str]) -> Requirement:
    known = _OF_STRUCT.get(operator)
    if known is None:
        raise ValueError(
            f"{operator!r} is not a valid label selector operator: write In, NotIn, Exists or DoesNotExist"
        )
    if known in ("in", "notin") and not values:
        raise ValueError(f"the operator {operator} of key {key!r} needs at least one value")
    if known in ("exists", "!") and values:
        raise ValueError(f"the operator {operator} of key {key!r} takes no values, found {values!r}")
    return Requirement(key, known, tuple(sorted(set(values))))


@lru_cache(maxsize=1024)
def _parse(text: str) -> Selector:
    reader = _Reader(text)
    requirements: list[Requirement] = []
    while not reader.at_end:
        requirements.append(_requirement(reader))
        if reader.at_end:
            break
        reader.expect(",", "',' or the end")
        if reader.at_end:
            raise reader.error("a requirement after ','")
    return _sorted(requirements)


def _requirement(reader: _Reader) -> Requirement:
    absent = reader.take("!")
    key = reader.word("the key of a label")
    _refuse(key_error(key), reader)
    if absent or reader.at_end or reader.peek() == ",":
        return Requirement(key, "!" if absent else "exists")
    operator = _OPERATORS.get(reader.next())
    if operator is None:
        reader.back()
        raise reader.error("one of =, ==, !=, in, notin, >, <")
    values = _values(reader) if operator in ("in", "notin") else [reader.value()]
    for value in values:
        _refuse(value_error(value), reader)
    if operator in "<>" and not re.fullmatch(r"[+-]?\d+", values[0], re.ASCII):
        raise ValueError(
            f"unable to parse the label selector {reader.text!r}: {operator} needs a whole number, found {values[0]!r}"
        )
    return Requirement(key, operator, tuple(sorted(set(values))))


def _values(reader: _Reader) -> list[str]:
    reader.expect("(", "'('")
    values = [reader.value()]
    while reader.take(","):
        values.append(reader.value())
    reader.expect(")", "',' or ')'")
    return values


def _refuse(problem: str, reader: _Reader) -> None:
    if problem:
        raise ValueError(f"unable to parse the label selector {reader.text!r}: {problem}")


class _Reader:
    """The tokens of a selector, one at a time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self) -> str:
        return "" if self.at_end else self._tokens[self._at]

    def next(self) -> str:
        token = self.peek()
        self._at += 1
        return token

    def back(self) -> None:
        self._at -= 1

    def take(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._at += 1
        return True

    def expect(self, token: str, expected: str) -> None:
        if not self.take(token):
            raise self.error(expected)

    def word(self, expected: str) -> str:
        if self.at_end or self.peek()[0] in "!=<>(),":
            raise self.error(expected)
        return self.next()

    def value(self) -> str:
        """A value, which may be empty."""
        if self.at_end or self.peek() in (",", ")"):
            return ""
        return self.word("a value")

    def error(self, expected: str) -> ValueError:
        actual = "the end" if self.at_end else repr(self.peek())
        return ValueError(f"unable to parse the label selector {self.text!r}: found {actual}, expected: {expected}")


def _tokens(text: str) -> Iterator[str]:
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match  # the last alternative matches the rest
        yield match[1]
        at = match.end()
