"""Values of templates: Go's values in Python, their output, their truth, and their type names in errors.

Decoded JSON is itself; `[]byte` is bytes; times and durations are those of the conditions' language. A missing key of
a map gives `MISSING`. It prints as `<no value>` and has every field, as the invalid value of Go's reflect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.functions.time_values import Duration, Named, Time
from serinus.analysis.expr.limits import Budget
from serinus.analysis.expr.values import float_text, go_type
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.versions import Version

NO_VALUE = "<no value>"


class _Missing:
    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class GoFunction:
    """A function as a value, such as `.time.Now`: for `call`."""

    name: str
    work: Callable[..., Any]
    takes: tuple[str, ...] = ()


class Work(Budget):
    """The remaining work limit of one rendering."""

    __slots__ = ()

    def spend(self, steps: int) -> None:
        try:
            Budget.spend(self, steps)
        except ConditionError:
            raise TemplateError("rendering the template needs too much work") from None


def type_name(value: Any) -> str:
    """The type name in Go's errors: the names of conditions, and those of values that only templates have."""
    match value:
        case _Missing():
            return "<nil>"
        case bytes():
            return "[]uint8"
        case Version():
            return "*semver.Version"
        case _:
            return go_type(value)


def truth(value: Any) -> bool:
    """Whether `if` runs its first branch."""
    if isinstance(value, Time | Duration | Named | GoFunction):
        return not isinstance(value, Duration) or value.nanoseconds != 0
    return bool(value)


def shown(value: Any, work: Budget) -> str:
    """A value as Go's %v prints it. The cost is subtracted from `work`."""
    kind = type(value)
    if kind is str:
        work.spend_text(len(value))
        return value
    work.spend(1)
    if value is None or value is MISSING:
        return "<nil>"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if abs(value) < 10**300 else float_text(float("inf"))
    if kind is float:
        return float_text(value)
    if kind is list:
        with work:
            return "[" + " ".join([shown(item, work) for item in value]) + "]"
    if kind is dict:
        with work:
            return "map[" + " ".join([f"{k}:{shown(value[k], work)}" for k in sorted(value)]) + "]"
    if kind is bytes:
        work.spend(len(value))
        return "[" + " ".join(map(str, value)) + "]"
    return str(value)


def text_of(value: Any, work: Budget) -> str:
    """A value as text, as in sprig's `toString`: bytes are their characters."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else shown(value, work)
