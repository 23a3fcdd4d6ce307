"""`$name` in service options is replaced by a value of the Secret (spec: secrets)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_REFERENCE = re.compile(r"[$][\w-]+")


def filled(value: Any, secrets: Mapping[str, bytes]) -> tuple[Any, list[str]]:
    """(the value with the Secret's values, texts that name a missing key). Unknown names stay as written."""
    missing: list[str] = []

    def one(match: re.Match[str]) -> str:
        value = secrets.get(match.group()[1:])
        if value is None:
            missing.append(match.group())
            return match.group()
        return value.decode("utf-8", "replace")

    def walk(item: Any) -> Any:
        if isinstance(item, str):
            return _REFERENCE.sub(one, item)
        if isinstance(item, list):
            return [walk(each) for each in item]
        if isinstance(item, dict):
            return {_REFERENCE.sub(one, key): walk(each) for key, each in item.items()}
        return item

    return walk(value), list(dict.fromkeys(missing))
