"""A hashable key for JSON values, so that lists merge in one pass without comparing every pair."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode


def identity(value: Any) -> Hashable:
    """Equal for equal JSON values. Maps and lists are identified by their sorted encoding."""
    return _encode(value) if isinstance(value, dict | list) else value


def identities(values: Iterable[Any]) -> set[Hashable]:
    return {identity(value) for value in values}
