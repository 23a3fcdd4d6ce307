"""How long the keys of an object may be.

Paths of fields are made of keys, and each field below a key has its path: one key of a megabyte above a hundred thousand
fields would be written out a hundred thousand times, in checks, in errors and in managedFields.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, cast

LONGEST_KEY = 4096
"""Characters. The longest keys that Kubernetes itself knows (annotations) have 317; in a custom resource a key may be any text."""


def long_key(value: Any) -> str:
    """The beginning of a key that is too long, with its length; "" where there is none. Does not recurse."""
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
