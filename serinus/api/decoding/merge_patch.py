"""JSON merge patches (RFC 7396): made from two values, and applied to one."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def difference(old: Json, new: Json) -> Json:
    """The patch that turns `old` into `new`; empty if they are equal. A list is one value."""
    patch: Json = {k: None for k in old if k not in new}
    for key, value in new.items():
        was = old.get(key)
        if isinstance(value, dict) and isinstance(was, dict):
            inner = difference(was, value)
            if inner:
                patch[key] = inner
        elif was != value:
            patch[key] = value
    return patch


def applied(value: Json, patch: Json) -> Json:
    """`value` after the patch; neither is changed."""
    out = {k: v for k, v in value.items() if patch.get(k, v) is not None}
    for key, change in patch.items():
        if isinstance(change, dict):
            was = out.get(key)
            out[key] = applied(was if isinstance(was, dict) else {}, change)
        elif change is not None:
            out[key] = change
    return out
