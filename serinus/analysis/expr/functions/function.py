"""The type of condition functions, and the checks of their arguments. The functions are in files by subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from serinus.analysis.expr import types as t
from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.types import Type
from serinus.analysis.expr.values import go_type, is_number, truncated, wrapped


@dataclass(slots=True)
class Run:
    """The context of one evaluation. `now`: nanoseconds since the epoch."""

    result: Any
    now: int = 0
    budget: Budget = field(default_factory=Budget)
    elements: list[tuple[Any, int, Any]] = field(default_factory=list[tuple[Any, int, Any]])
    """(element, index, accumulator) of each active predicate, innermost last."""
    variables: list[Any] = field(default_factory=list[Any])


Work = Callable[[Sequence[Any], Run], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """`takes`: the types of each argument, "any" if known only at run time; the last one repeats up to `most`."""

    name: str
    work: Work
    gives: Type | Callable[[Sequence[Type]], Type]
    takes: tuple[tuple[Type, ...] | None, ...] = ()
    least: int = 0
    most: int = 0

    def check(self, arguments: Sequence[Type]) -> Type:
        """The type of a call with such arguments. ConditionError if the call is invalid."""
        count = len(arguments)
        if count < self.least:
            raise ConditionError(f"not enough arguments to call {self.name}")
        if count > self.most:
            raise ConditionError(f"too many arguments to call {self.name}")
        for position, kind in enumerate(arguments):
            allowed = self.takes[min(position, len(self.takes) - 1)] if self.takes else None
            if allowed is None or kind == t.UNKNOWN or any(_fits(kind, one) for one in allowed):
                continue
            if len(allowed) == 1:
                raise ConditionError(f"cannot use {kind} as argument (type {allowed[0]}) to call {self.name} ")
            raise ConditionError(f"invalid argument for {self.name} (type {kind})")
        return self.gives if isinstance(self.gives, Type) else self.gives(arguments)


def _fits(kind: Type, allowed: Type) -> bool:
    if allowed == t.ANYTHING:
        return t.is_list(kind)
    return kind == allowed or (allowed == t.FLOAT and kind == t.INT)


class Table(dict[str, Function]):
    """Functions by name; `add` is a decorator."""

    def add(
        self,
        name: str,
        gives: Type | Callable[[Sequence[Type]], Type],
        *takes: Sequence[Type] | None,
        least: int | None = None,
        most: int | None = None,
    ) -> Callable[[Work], Work]:
        def keep(work: Work) -> Work:
            allowed = tuple(None if one is None else tuple(one) for one in takes)
            fewest = len(takes) if least is None else least
            self[name] = Function(name, work, gives, allowed, fewest, len(takes) if most is None else most)
            return work

        return keep


TEXT = (t.STRING,)
NUMBER = (*t.NUMBERS,)
WHOLE = (t.INT,)
MANY = 1_000
"""The limit for a function with any number of arguments."""


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ConditionError(f"interface conversion: interface {{}} is {go_type(value)}, not string")
    return value


def number(value: Any, name: str) -> int | float:
    if not is_number(value):
        raise ConditionError(f"invalid argument for {name} (type {go_type(value)})")
    return value


def whole(value: Any, name: str) -> int:
    if type(value) is not int:
        raise ConditionError(f"cannot use {go_type(value)} as argument (type int) to call {name}")
    return wrapped(value)


def items(value: Any, does: str) -> list[Any]:
    """A list. `does`: the operation for the error with other types, such as `reverse`."""
    if not isinstance(value, list):
        raise ConditionError(f"cannot {does} {go_type(value)}")
    return value


def to_index(value: Any) -> int:
    """An index. Fractions are truncated."""
    if type(value) is int:
        return value
    if type(value) is float:
        return truncated(value)
    raise ConditionError(f"invalid operation: int({go_type(value)})")
