"""Counts that users write as a number of pods or as a share of them (`maxSurge`, `maxUnavailable`)."""

from __future__ import annotations

import re

_PERCENT = re.compile(r"([+-]?\d+)%?", re.ASCII)


def scaled(value: int | str | None, total: int, *, round_up: bool, default: int | str = 0) -> int:
    """How many of `total` the value means. An int is absolute; *text* is a percentage, with or without `%`.

    `"3"` is 3 %, and not 3 pods, as in Argo Rollouts. `default` is used if the value is absent.
    ValueError if the text is no percentage.
    """
    chosen = default if value is None else value
    if isinstance(chosen, int):
        return chosen
    product = percentage(chosen) * total
    return -(-product // 100) if round_up else product // 100


def percentage(text: str) -> int:
    """The number in `25%` or `25`. ValueError if the text is neither."""
    match = _PERCENT.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is neither a number of pods nor a percentage: write 3 or '25%'")
    return int(match[1])
