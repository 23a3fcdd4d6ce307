"""Limits the length of an object's keys.

Field paths consist of keys, and each field below a key has its path. A key of a megabyte above a hundred thousand
fields would be repeated a hundred thousand times, in checks, in errors and in managedFields.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, cast

LONGEST_KEY = 4096
"""Characters. Kubernetes' longest own keys (annotations) have 317; in a custom resource a key may be any text."""


def long_key(value: Any) -> str:
    """The start of a key that is too long, with its length; "" if there is none. Does not recurse."""
    level: list[Any] = [value]
    while level:
        maps = [cast("dict[str, Any]", item) for item in level if isinstance(item, dict)]
        lists = [cast("list[Any]", item) for item in level if isinstance(item, list)]
        for item in maps:
            if item and max(map(len, item)) > LONGEST_KEY:
                key = max(item, key=len)
                return f'"{key[:60]}…" ({len(key)} characters)'
        inner = chain.from_iterable((*(item.values() for item in maps), *lists))
        level = [item for item in inner if isinstance(item, dict | list)]
    return ""
