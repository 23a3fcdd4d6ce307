"""Checks of the values that header and mirror routes compare requests with."""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.rollout import StringMatch
from serinus.api.validation.findings import Finding, invalid


def one_of(path: str, match: StringMatch | None) -> Iterator[Finding]:
    """A match has exactly one of exact, regex and prefix."""
    count = 0 if match is None else sum(map(bool, (match.exact, match.regex, match.prefix)))
    if count > 1:
        text = "StringMatch match value must have exactly one of the following: exact, regex, prefix"
        yield invalid(path, match, text)
    if count == 0:
        text = "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
        yield invalid(path, match, text)
