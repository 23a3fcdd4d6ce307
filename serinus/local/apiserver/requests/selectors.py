"""Label and field selectors of queries as predicates, and the 400 for an invalid one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from serinus.api.values.selectors import Selector
from serinus.local.apiserver.errors import bad_request

Labels = Mapping[str, str]
Matches = Callable[[Labels], bool]


def everything(_: Labels) -> bool:
    return True


@lru_cache(maxsize=512)
def label_selector(text: str) -> Matches:
    """The predicate over an object's labels; `everything` for an empty selector. Raises 400 for an invalid one."""
    try:
        selector = Selector.parse(text)
    except ValueError as error:
        raise bad_request(str(error)) from None
    return everything if selector.empty else selector.matches


_TERM = re.compile(r"\s*+([^=!\s]++)\s*+(==|=|!=)(.*)")


@lru_cache(maxsize=512)
def field_selector(text: str) -> tuple[tuple[str, bool, str], ...]:
    """(field, whether the operator is equality, value) of each term. Raises 400."""
    terms: list[tuple[str, bool, str]] = []
    for part in re.split(r"(?<!\\),", text):
        if not part.strip():
            continue
        match = _TERM.fullmatch(part)
        if not match:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append((match[1], match[2] != "!=", re.sub(r"\\(.)", r"\1", match[3].strip())))
    return tuple(terms)


def selects(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether a LabelSelector object matches. An absent or invalid one matches nothing."""
    try:
        return Selector.of(selector).matches(labels)
    except ValueError:
        return False


def as_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector object as text, for Scale and tables."""
    try:
        return Selector.of(selector).text()
    except ValueError:
        return ""
