"""Fields after a dot, and the values that `range` iterates."""

from __future__ import annotations

from typing import Any

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.time import call_method
from serinus.analysis.expr.functions.time_values import Duration, Named, Time
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.values import MISSING, type_name
from serinus.notifications.templates.versions import Version, call_version

MOST_NUMBERS = 100_000
"""The most iterations of `range N`."""


def member(value: Any, name: str, line: int) -> Any:
    """`value.name`. TemplateError, as in Go, for nil and for values without fields."""
    if isinstance(value, dict):
        return value.get(name, MISSING)
    if value is MISSING:
        return MISSING
    if value is None:
        raise TemplateError(f"nil pointer evaluating interface {{}}.{name}", line)
    return invoked(value, name, [], line)


def invoked(owner: Any, name: str, arguments: list[Any], line: int) -> Any:
    """A method of a time, a duration or a version."""
    if isinstance(owner, Version):
        try:
            return call_version(owner, name, arguments)
        except TemplateError as error:
            raise TemplateError(f"{name}: {error}", line) from None
    if isinstance(owner, Time | Duration | Named):
        try:
            return call_method(owner, name, arguments)
        except ConditionError as error:
            raise TemplateError(f"{name}: {error}", line) from None
    if owner is None or owner is MISSING:
        raise TemplateError(f"nil pointer evaluating interface {{}}.{name}", line)
    if isinstance(owner, dict):
        raise TemplateError(f"{name} is not a method but has arguments", line)
    raise TemplateError(f"can't evaluate field {name} in type {type_name(owner)}", line)


def pairs_of(value: Any, line: int) -> list[tuple[Any, Any]]:
    """The values that `range` iterates, with their keys."""
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, dict):
        return [(key, value[key]) for key in sorted(value)]
    if type(value) is int or (type(value) is float and value.is_integer()):
        if value > MOST_NUMBERS:
            raise TemplateError(f"range over more than {MOST_NUMBERS} numbers", line)
        return [(at, at) for at in range(int(value))]
    if value is None or value is MISSING:
        return []
    raise TemplateError(f"range can't iterate over {type_name(value)}", line)
