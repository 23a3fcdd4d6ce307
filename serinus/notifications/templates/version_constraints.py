"""Constraints on versions, as sprig's `semverCompare` judges them (Masterminds/semver 3.3.0).

`||` separates alternatives; spaces or commas separate constraints that must all be true. `x`, `*` or a missing segment
stand for any value. A pre-release satisfies only constraints that name a pre-release.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.api.values.patterns import compiled
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.versions import TAIL, Version, compare, compare_pre, read_version

LONGEST = 1000
"""Most characters of a constraint."""

_SPACE = r"[\t\n\f\r ]"
_SEGMENT = r"[0-9xX|*]+"
_PLAIN_TAIL = re.sub(r"\?P<\w+>", "?:", TAIL)
_WRITTEN = rf"v?+{_SEGMENT}(?:\.{_SEGMENT})?(?:\.{_SEGMENT})?{_PLAIN_TAIL}"
_ONE = rf"(?:!=|>=|=>|<=|=<|~>|[=><~^])?{_SPACE}*+{_WRITTEN}"
_ALL = re.compile(rf"{_SPACE}*+{_ONE}(?>(?:{_SPACE}*+,|{_SPACE}){_SPACE}*+{_ONE})*+{_SPACE}*+", re.ASCII)
_EACH = re.compile(
    rf"(!=|>=|=>|<=|=<|~>|[=><~^]|){_SPACE}*+(v?({_SEGMENT})(?:\.({_SEGMENT}))?(?:\.({_SEGMENT}))?{TAIL})", re.ASCII
)
_RANGE = rf"{_SPACE}*({_WRITTEN}){_SPACE}+-{_SPACE}+({_WRITTEN}){_SPACE}*".replace("v?+", "v?")
"""`1.2 - 2`. RE2 searches for it, because a search of `re` starts again at each character of a long number."""
_ANY = ("x", "X", "*", "")


@dataclass(frozen=True, slots=True)
class _Constraint:
    """`dirty`: how many segments are free, from the right."""

    operator: str
    version: Version
    dirty: int

    @property
    def any_minor(self) -> bool:
        return self.dirty == 2

    @property
    def any_patch(self) -> bool:
        return self.dirty == 1


def satisfies(version: Version, constraint: str) -> bool:
    """Whether the version satisfies the constraint. TemplateError if the constraint cannot be read."""
    if len(constraint) > LONGEST:
        raise TemplateError(f"a constraint is longer than {LONGEST} characters")
    read = [_read_all(part) for part in _without_ranges(constraint).split("||")]
    return any(all(_OPERATORS[one.operator](version, one) for one in each) for each in read)


def _without_ranges(constraint: str) -> str:
    def bounds(match: Any) -> bytes:
        return b">= %b, <= %b " % (match.group(1), match.group(2))

    text: bytes = compiled(_RANGE).sub(bounds, constraint.encode("utf-8", "replace"))
    return text.decode("utf-8", "replace")


def _read_all(text: str) -> list[_Constraint]:
    if _ALL.fullmatch(text) is None:
        raise TemplateError(f"improper constraint: {text}")
    return [_read(match) for match in _EACH.finditer(text)]


def _read(match: re.Match[str]) -> _Constraint:
    operator, written, major, minor, patch = match.groups()[:5]
    tail = match["dash"] or ""
    if major in _ANY:
        dirty, written = 3, f"0.0.0{tail}"
    elif (minor or "") in _ANY:
        dirty, written = 2, f"{major}.0.0{tail}"
    elif (patch or "") in _ANY:
        dirty, written = 1, f"{major}.{minor}.0{tail}"
    else:
        dirty = 0
    try:
        return _Constraint(operator, read_version(written), dirty)
    except TemplateError:
        raise TemplateError("constraint Parser Error") from None


def _hidden(version: Version, one: _Constraint) -> bool:
    """Whether the version is a pre-release, and the constraint is about releases only."""
    return bool(version.pre) and not one.version.pre


def _not_equal(version: Version, one: _Constraint) -> bool:
    if not one.dirty:
        return compare(version, one.version) != 0
    if _hidden(version, one):
        return False
    if version.major != one.version.major or (version.minor != one.version.minor and not one.any_minor):
        return True
    if one.any_minor:
        return False
    if one.any_patch:
        return bool(version.pre or one.version.pre) and compare_pre(version.pre, one.version.pre) != 0
    return version.patch != one.version.patch or compare(version, one.version) != 0


def _greater(version: Version, one: _Constraint) -> bool:
    if not one.dirty or version.major != one.version.major:
        return compare(version, one.version) > 0
    if one.any_minor:
        return False
    return version.minor > one.version.minor if one.any_patch else compare(version, one.version) > 0


def _at_most(version: Version, one: _Constraint) -> bool:
    if not one.dirty:
        return compare(version, one.version) <= 0
    if version.major != one.version.major:
        return version.major < one.version.major
    return one.any_minor or version.minor <= one.version.minor


def _tilde(version: Version, one: _Constraint) -> bool:
    limit = one.version
    if compare(version, limit) < 0:
        return False
    if (limit.major, limit.minor, limit.patch) == (0, 0, 0) and not one.any_minor and not one.any_patch:
        return True
    return version.major == limit.major and (version.minor == limit.minor or one.any_minor)


def _equal(version: Version, one: _Constraint) -> bool:
    return _tilde(version, one) if one.dirty else compare(version, one.version) == 0


def _caret(version: Version, one: _Constraint) -> bool:
    limit = one.version
    if compare(version, limit) < 0 or version.major != limit.major:
        # A limit without major version, such as ^*, has the major version 0.
        return False
    if limit.major > 0 or one.any_minor:
        return True
    if limit.minor > 0 or one.any_patch:
        return version.minor == limit.minor
    return version.minor == 0 and version.patch == limit.patch


def _of_releases(check: Callable[[Version, _Constraint], bool]) -> Callable[[Version, _Constraint], bool]:
    return lambda version, one: not _hidden(version, one) and check(version, one)


_OPERATORS: Mapping[str, Callable[[Version, _Constraint], bool]] = {
    "": _of_releases(_equal),
    "=": _of_releases(_equal),
    "!=": _not_equal,
    ">": _of_releases(_greater),
    "<": _of_releases(lambda version, one: compare(version, one.version) < 0),
    ">=": _of_releases(lambda version, one: compare(version, one.version) >= 0),
    "=>": _of_releases(lambda version, one: compare(version, one.version) >= 0),
    "<=": _of_releases(_at_most),
    "=<": _of_releases(_at_most),
    "~": _of_releases(_tilde),
    "~>": _of_releases(_tilde),
    "^": _of_releases(_caret),
}
