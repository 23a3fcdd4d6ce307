"""Cuts users' texts in messages to a readable length."""

from __future__ import annotations

LONGEST_MESSAGE = 2_000
"""Characters of a message in a status, a wait or a condition: hundreds of them must fit into one object."""


def shortened(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """At most `longest` characters (at least 1) of `text`. An ellipsis marks a cut."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
