"""Members after a dot or in square brackets."""

from __future__ import annotations

from typing import Any

from serinus.analysis.expr import nodes as n
from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import Run, to_index
from serinus.analysis.expr.types import Type
from serinus.analysis.expr.values import Groups, from_raw, go_type, raw


def member_type(owner: Type, key: Type, node: n.Member) -> Type:
    """The type of `owner[key]`. ConditionError if it is invalid."""
    if owner == t.UNKNOWN:
        return t.UNKNOWN
    if owner == t.GROUPS:
        return t.UNKNOWN
    if owner == t.MAP:
        if key not in (t.STRING, t.UNKNOWN):
            raise ConditionError(f"cannot use {key} to get an element from {owner}")
        return t.UNKNOWN
    if t.is_list(owner) and not node.dotted:
        if key not in (t.INT, t.UNKNOWN):
            raise ConditionError(f"array elements can only be selected using an integer (got {key})")
        return t.element_of(owner)
    if node.dotted and isinstance(node.key, n.Constant):
        raise ConditionError(f"type {owner.name} has no field {node.key.value}")
    raise ConditionError(f"type {owner}[{key}] is undefined")


def fetch(owner: Any, key: Any) -> Any:
    """`owner[key]`: nil for a missing key of a map, from the end for a negative index. ConditionError out of range."""
    if isinstance(owner, dict):
        if not isinstance(key, str) and (not isinstance(owner, Groups) or isinstance(key, list | dict)):
            raise ConditionError(f"cannot use {go_type(key)} to get an element from {go_type(owner)}")
        return owner.get(key)
    if isinstance(owner, list | str):
        index = to_index(key)
        whole = raw(owner) if isinstance(owner, str) else owner
        at = index + len(whole) if index < 0 else index
        if not 0 <= at < len(whole):
            raise ConditionError(f"index out of range: {index} (array length is {len(whole)})")
        return whole[at]
    return _no(owner, key)


def _no(owner: Any, key: Any) -> Any:
    shown = key if isinstance(key, str | int | float) else go_type(key)
    raise ConditionError(f"cannot fetch {shown} from {go_type(owner)}")


def cut(owner: Any, start: Any, end: Any, run: Run) -> Any:
    """`owner[start:end]`: bounds outside are clamped. Indices of a string count bytes."""
    if not isinstance(owner, list | str):
        raise ConditionError(f"cannot slice {go_type(owner)}")
    whole = raw(owner) if isinstance(owner, str) else owner
    low, high = (_bound(bound, len(whole), other) for bound, other in ((start, 0), (end, len(whole))))
    if isinstance(whole, bytes):
        run.budget.spend_text(len(whole))
        return from_raw(whole[low:high])
    run.budget.spend(max(0, high - low))
    return type(whole)(whole[low:high])


def _bound(value: Any, length: int, missing: int) -> int:
    if value is None:
        return missing
    index = to_index(value)
    return max(0, min(length, index + length if index < 0 else index))
