"""Functions that evaluate a predicate on each element: all, any, filter, map, count, sum, reduce, sortBy …"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.function import Run, text
from serinus.analysis.expr.functions.lists import in_order
from serinus.analysis.expr.operators import add, truth
from serinus.analysis.expr.types import Type
from serinus.analysis.expr.values import Groups, go_type


@dataclass(frozen=True, slots=True)
class Body:
    """The predicate of each element, and the cost of its evaluation."""

    run: Callable[[Run], Any]
    cost: int


Work = Callable[[list[Any], Body | None, Run, Any, bool], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """`tests`: the predicate must be true or false. `gives`: the result type, from those of element and predicate."""

    work: Work
    gives: Callable[[Type, Type], Type]
    tests: bool = True


def _each(values: list[Any], body: Body | None, run: Run) -> Iterator[tuple[int, Any, Any]]:
    """(index, element, value of the predicate); without a predicate the value is the element itself."""
    for index, value in enumerate(values):
        run.budget.spend(1 if body is None else body.cost)
        yield index, value, value if body is None else _asked(body, run, value, index)


def _asked(body: Body, run: Run, value: Any, index: int, accumulator: Any = None) -> Any:
    run.elements.append((value, index, accumulator))
    try:
        return body.run(run)
    finally:
        run.elements.pop()


def _passing(values: list[Any], body: Body | None, run: Run) -> Iterator[tuple[int, Any]]:
    for index, value, verdict in _each(values, body, run):
        if type(verdict) is not bool:
            raise ConditionError(f"interface conversion: interface {{}} is {go_type(verdict)}, not bool")
        if verdict:
            yield index, value


def _all(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> bool:
    return all(truth(verdict) for _, _, verdict in _each(values, body, run))


def _any(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> bool:
    return any(True for _ in _passing(values, body, run))


def _none(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> bool:
    return not any(True for _ in _passing(values, body, run))


def _count(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> int:
    return sum(1 for _ in _passing(values, body, run))


def _one(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> bool:
    return _count(values, body, run, None, False) == 1


def _filter(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> list[Any]:
    return [value for _, value in _passing(values, body, run)]


def _map(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> list[Any]:
    return [result for _, _, result in _each(values, body, run)]


def _find(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> Any:
    return next((value for _, value in _passing(values, body, run)), None)


def _find_index(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> int | None:
    return next((index for index, _ in _passing(values, body, run)), None)


def _last(values: list[Any], body: Body | None, run: Run) -> tuple[int, Any] | None:
    for index in range(len(values) - 1, -1, -1):
        assert body is not None
        run.budget.spend(body.cost)
        if truth(_asked(body, run, values[index], index)):
            return index, values[index]
    return None


def _find_last(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> Any:
    last = _last(values, body, run)
    return last[1] if last else None


def _find_last_index(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> int | None:
    last = _last(values, body, run)
    return last[0] if last else None


def _sum(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> Any:
    total: Any = 0
    for _, _, summand in _each(values, body, run):
        total = add(summand, total, run.budget)
    return total


def _group_by(values: list[Any], body: Body | None, run: Run, _extra: Any, _given: bool) -> Groups:
    groups = Groups()
    for _, value, key in _each(values, body, run):
        if isinstance(key, list | dict):
            raise ConditionError(f"cannot group by {go_type(key)}")
        groups.setdefault(key, []).append(value)
    return groups


def _sort_by(values: list[Any], body: Body | None, run: Run, order: Any, given: bool) -> list[Any]:
    by = text(order) if given else "asc"
    if by not in ("asc", "desc"):
        raise ConditionError("unknown order, use asc or desc")
    return in_order([(key, value) for _, value, key in _each(values, body, run)], by, run)


def _reduce(values: list[Any], body: Body | None, run: Run, start: Any, given: bool) -> Any:
    """Without an initial value, the first element is used."""
    assert body is not None
    if not values and not given:
        raise ConditionError("reduce of empty array with no initial value")
    accumulator = start if given else values[0]
    for index in range(0 if given else 1, len(values)):
        run.budget.spend(body.cost)
        accumulator = _asked(body, run, values[index], index, accumulator)
    return accumulator


def _bool(_element: Type, _result: Type) -> Type:
    return t.BOOL


def _unknown(_element: Type, _result: Type) -> Type:
    return t.UNKNOWN


def _int(_element: Type, _result: Type) -> Type:
    return t.INT


def _list(element: Type, _result: Type) -> Type:
    return t.list_of(element)


PREDICATES: dict[str, Rule] = {
    "all": Rule(_all, _bool),
    "any": Rule(_any, _bool),
    "none": Rule(_none, _bool),
    "one": Rule(_one, _bool),
    "count": Rule(_count, _int),
    "filter": Rule(_filter, _list),
    "map": Rule(_map, lambda _element, result: t.list_of(result), tests=False),
    "find": Rule(_find, _unknown),
    "findLast": Rule(_find_last, _unknown),
    "findIndex": Rule(_find_index, _int),
    "findLastIndex": Rule(_find_last_index, _int),
    "sum": Rule(_sum, _unknown, tests=False),
    "groupBy": Rule(_group_by, lambda _element, _result: t.GROUPS, tests=False),
    "sortBy": Rule(_sort_by, _list, tests=False),
    "reduce": Rule(_reduce, _unknown, tests=False),
}
