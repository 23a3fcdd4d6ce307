"""Lists and maps: first, last, get, take, keys, values, toPairs, fromPairs, reverse, uniq, concat, flatten, sort."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import MANY, TEXT, WHOLE, Run, Table, items, text, to_index
from serinus.analysis.expr.values import Groups, equal, go_type, less, raw

LISTS = Table()
LIST = (t.ANYTHING,)
MAP = (t.MAP,)


def _elements(value: Any, does: str, run: Run) -> list[Any]:
    elements = items(value, does)
    run.budget.spend(len(elements))
    return elements


@LISTS.add("first", t.UNKNOWN, LIST)
def _first(args: Sequence[Any], _run: Run) -> Any:
    if isinstance(args[0], str) and args[0]:
        return raw(args[0])[0]
    elements = items(args[0], "get first element from")
    return elements[0] if elements else None


@LISTS.add("last", t.UNKNOWN, LIST)
def _last(args: Sequence[Any], _run: Run) -> Any:
    if isinstance(args[0], str) and args[0]:
        return raw(args[0])[-1]
    elements = items(args[0], "get last element from")
    return elements[-1] if elements else None


@LISTS.add("get", t.UNKNOWN, (t.MAP, t.ANYTHING, t.STRING), None)
def _get(args: Sequence[Any], _run: Run) -> Any:
    """The element, or nil if there is none. An index out of range is no error."""
    owner, key = args
    if isinstance(owner, dict):
        return owner.get(key) if isinstance(key, str) else None
    if not isinstance(owner, list | str):
        return None
    index = to_index(key)
    whole = raw(owner) if isinstance(owner, str) else owner
    index += len(whole) if index < 0 else 0
    return whole[index] if 0 <= index < len(whole) else None


@LISTS.add("take", lambda arguments: arguments[0], LIST, WHOLE)
def _take(args: Sequence[Any], run: Run) -> Any:
    elements, count = _elements(args[0], "take from", run), to_index(args[1])
    if count < 0:
        raise ConditionError(f"cannot take {count} elements")
    return type(elements)(elements[:count])


def _map(value: Any, does: str, run: Run) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ConditionError(f"cannot {does} {go_type(value)}")
    run.budget.spend(len(value))
    return value


@LISTS.add("keys", t.ANYTHING, MAP)
def _keys(args: Sequence[Any], run: Run) -> list[Any]:
    return list(_map(args[0], "get keys from", run))


@LISTS.add("values", t.ANYTHING, MAP)
def _values(args: Sequence[Any], run: Run) -> list[Any]:
    return list(_map(args[0], "get values from", run).values())


@LISTS.add("toPairs", t.ANYTHING, MAP)
def _to_pairs(args: Sequence[Any], run: Run) -> list[Any]:
    return [[key, value] for key, value in _map(args[0], "transform to pairs", run).items()]


@LISTS.add("fromPairs", t.UNKNOWN, LIST)
def _from_pairs(args: Sequence[Any], run: Run) -> Groups:
    groups = Groups()
    for pair in _elements(args[0], "transform from pairs", run):
        if not isinstance(pair, list) or len(pair) != 2 or isinstance(pair[0], list | dict):
            raise ConditionError("invalid pair: fromPairs takes a list of [key, value]")
        groups[pair[0]] = pair[1]
    return groups


@LISTS.add("reverse", t.ANYTHING, LIST)
def _reverse(args: Sequence[Any], run: Run) -> list[Any]:
    return list(reversed(_elements(args[0], "reverse", run)))


@LISTS.add("uniq", t.ANYTHING, LIST)
def _uniq(args: Sequence[Any], run: Run) -> list[Any]:
    unique: list[Any] = []
    for item in _elements(args[0], "uniq", run):
        if not any(equal(item, other, run.budget) for other in unique):
            unique.append(item)
    return unique


@LISTS.add("concat", t.ANYTHING, LIST, least=1, most=MANY)
def _concat(args: Sequence[Any], run: Run) -> list[Any]:
    return [item for arg in args for item in _elements(arg, "concat", run)]


@LISTS.add("flatten", t.ANYTHING, LIST)
def _flatten(args: Sequence[Any], run: Run) -> list[Any]:
    flat: list[Any] = []
    with run.budget:
        for item in _elements(args[0], "flatten", run):
            if isinstance(item, list):
                flat += _flatten([item], run)
            else:
                flat.append(item)
    return flat


def in_order(pairs: list[tuple[Any, Any]], order: str, run: Run) -> list[Any]:
    """The values of (key, value) pairs, by key. ConditionError for keys without an order."""
    run.budget.spend(len(pairs) * (1 + len(pairs).bit_length()))
    falling = order == "desc"

    def compare(a: tuple[Any, Any], b: tuple[Any, Any]) -> int:
        x, y = (b[0], a[0]) if falling else (a[0], b[0])
        # NaN has no order with any number. Without this rule the result would depend on the sort algorithm.
        if _nan(x) or _nan(y):
            return _nan(y) - _nan(x)
        return -1 if less(x, y) else (1 if less(y, x) else 0)

    return [value for _, value in sorted(pairs, key=functools.cmp_to_key(compare))]


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


@LISTS.add("sort", t.ANYTHING, LIST, TEXT, least=1)
def _sort(args: Sequence[Any], run: Run) -> list[Any]:
    order = text(args[1]) if len(args) > 1 else "asc"
    if order not in ("asc", "desc"):
        raise ConditionError(f"invalid order {order}, expected asc or desc")
    return in_order([(item, item) for item in _elements(args[0], "sort", run)], order, run)
