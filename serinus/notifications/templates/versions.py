"""Semantic versions as sprig's `semver` reads and compares them (Masterminds/semver 3.3.0)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from serinus.notifications.templates.errors import TemplateError

LONGEST = 256
"""Most characters of a version. Longer ones are invalid."""

LARGEST = 2**64 - 1
"""Go's uint64 is the type of a segment."""

TAIL = (
    r"(?P<dash>-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?P<plus>\+(?P<meta>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{TAIL}", re.ASCII)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """`original`: the version as written."""

    major: int = 0
    minor: int = 0
    patch: int = 0
    pre: str = ""
    metadata: str = ""
    original: str = ""

    def __str__(self) -> str:
        pre, metadata = self.pre and f"-{self.pre}", self.metadata and f"+{self.metadata}"
        return f"{self.major}.{self.minor}.{self.patch}{pre}{metadata}"


def read_version(text: str) -> Version:
    """The version. Missing segments are 0, and a leading v is allowed. TemplateError if the text is no version."""
    match = _VERSION.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise TemplateError("Invalid Semantic Version")
    major, minor, patch = (int(part or 0) for part in match.groups()[:3])
    if (largest := max(major, minor, patch)) > LARGEST:
        raise TemplateError(f"Error parsing version segment: {largest} is out of range")
    pre = match["pre"] or ""
    if any(len(part) > 1 and part[0] == "0" and _DIGITS.fullmatch(part) for part in pre.split(".")):
        raise TemplateError("Version segment starts with 0")
    return Version(major, minor, patch, pre, match["meta"] or "", text)


def compare(one: Version, other: Version) -> int:
    """-1, 0 or 1. Build metadata does not count, and a release is larger than its pre-releases."""
    a, b = (one.major, one.minor, one.patch), (other.major, other.minor, other.patch)
    if a != b:
        return 1 if a > b else -1
    if not one.pre or not other.pre:
        return bool(other.pre) - bool(one.pre)
    return compare_pre(one.pre, other.pre)


def compare_pre(one: str, other: str) -> int:
    """The order of two pre-releases: numbers before texts, and the shorter one first."""
    a, b = [_rank(part) for part in one.split(".")], [_rank(part) for part in other.split(".")]
    return (a > b) - (a < b)


def _rank(part: str) -> tuple[int, int, str]:
    if _DIGITS.fullmatch(part) and int(part) <= LARGEST:
        return 0, int(part), ""
    return 1, 0, part


def _next(version: Version, **segments: int) -> Version:
    bumped = replace(version, **segments, pre="", metadata="")
    return _named(bumped, version)


def _named(version: Version, before: Version) -> Version:
    return replace(version, original=("v" if before.original.startswith("v") else "") + str(version))


def _next_patch(version: Version) -> Version:
    return _next(version, patch=version.patch if version.pre else version.patch + 1)


def _with_pre(version: Version, pre: str) -> Version:
    read_version(f"0.0.0-{pre}" if pre else "0.0.0")
    return _named(replace(version, pre=pre), version)


def _with_metadata(version: Version, metadata: str) -> Version:
    if metadata and _VERSION.fullmatch(f"0.0.0+{metadata}") is None:
        raise TemplateError("Invalid Metadata string")
    return _named(replace(version, metadata=metadata), version)


@dataclass(frozen=True, slots=True)
class _Method:
    """`takes`: the types of its arguments."""

    work: Callable[..., Any]
    takes: tuple[type, ...] = ()


_METHODS: Mapping[str, _Method] = {
    "Major": _Method(lambda version: version.major),
    "Minor": _Method(lambda version: version.minor),
    "Patch": _Method(lambda version: version.patch),
    "Prerelease": _Method(lambda version: version.pre),
    "Metadata": _Method(lambda version: version.metadata),
    "Original": _Method(lambda version: version.original),
    "String": _Method(str),
    "IncMajor": _Method(lambda version: _next(version, major=version.major + 1, minor=0, patch=0)),
    "IncMinor": _Method(lambda version: _next(version, minor=version.minor + 1, patch=0)),
    "IncPatch": _Method(_next_patch),
    "SetPrerelease": _Method(_with_pre, (str,)),
    "SetMetadata": _Method(_with_metadata, (str,)),
    "Compare": _Method(compare, (Version,)),
    "Equal": _Method(lambda one, other: compare(one, other) == 0, (Version,)),
    "LessThan": _Method(lambda one, other: compare(one, other) < 0, (Version,)),
    "LessThanEqual": _Method(lambda one, other: compare(one, other) <= 0, (Version,)),
    "GreaterThan": _Method(lambda one, other: compare(one, other) > 0, (Version,)),
    "GreaterThanEqual": _Method(lambda one, other: compare(one, other) >= 0, (Version,)),
}


def call_version(version: Version, name: str, arguments: list[Any]) -> Any:
    """The value of a method or a field of a version. TemplateError if it does not exist, or an argument does not fit."""
    method = _METHODS.get(name)
    if method is None:
        raise TemplateError(f"can't evaluate field {name} in type *semver.Version")
    if len(arguments) != len(method.takes):
        raise TemplateError(f"wrong number of args for {name}: want {len(method.takes)} got {len(arguments)}")
    for value, kind in zip(arguments, method.takes, strict=True):
        if not isinstance(value, kind):
            expected = "string" if kind is str else "*semver.Version"
            raise TemplateError(f"wrong type for the argument of {name}: expected {expected}")
    return method.work(version, *arguments)
