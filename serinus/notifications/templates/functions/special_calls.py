"""`and`, `or` and `call`, and calls of values that are no function."""

from __future__ import annotations

from typing import Any

from serinus.analysis.expr.errors import ConditionError
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import converted
from serinus.notifications.templates.state import Eval, State
from serinus.notifications.templates.values import MISSING, GoFunction, truth, type_name


def failing(message: str, line: int) -> Eval:
    """An error that Go reports only when the node is executed."""

    def run(_state: State) -> Any:
        raise TemplateError(message, line)

    return run


def short_circuit(name: str, arguments: list[Eval], line: int) -> Eval:
    if not arguments:
        raise TemplateError(f"wrong number of args for {name}: want at least 1 got 0", line)
    stop = name == "or"

    def run(state: State) -> Any:
        value: Any = None
        for argument in arguments:
            value = argument(state)
            if truth(value) is stop:
                break
        return value

    return run


def called(arguments: list[Eval], line: int) -> Eval:
    def run(state: State) -> Any:
        function, *values = [argument(state) for argument in arguments] or [None]
        if not isinstance(function, GoFunction):
            nil = function is None or function is MISSING
            raise TemplateError("call of nil" if nil else f"non-function of type {type_name(function)}", line)
        if len(values) != len(function.takes):
            raise TemplateError(f"wrong number of args: got {len(values)} want {len(function.takes)}", line)
        try:
            given = [converted(kind, value) for kind, value in zip(function.takes, values, strict=True)]
            return function.work(*given)
        except (TemplateError, ConditionError) as error:
            raise TemplateError(f"error calling {function.name}: {error}", line) from None

    return run
