"""A template: parsed once, rendered many times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.analysis.expr.errors import ConditionError
from serinus.notifications.templates.compiler import compile_body
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Call
from serinus.notifications.templates.functions.registry import FUNCTIONS, NAMES, REFUSED
from serinus.notifications.templates.parser import MAIN, parse
from serinus.notifications.templates.state import State
from serinus.notifications.templates.values import Work

LONGEST = 128 * 1024
"""Most characters of a template."""

STEPS = 200_000
"""Most steps of one rendering: about 0.2 s."""


class Template:
    """A text in Go's template language. TemplateError names the line and the error.

    A template can use only the values passed to it.
    """

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise TemplateError(f"it is longer than {LONGEST} characters")
        self.source = source
        self.plain = "{{" not in source
        """Whether the template has no actions and renders as written."""
        if self.plain:
            return
        try:
            defined = parse(source, NAMES)
        except TemplateError as error:
            raise _explained(error) from None
        self._bodies = {name: compile_body(parts, FUNCTIONS) for name, parts in defined.items()}

    def render(self, values: Mapping[str, Any], now: float = 0.0) -> str:
        """The text. TemplateError if it fails or takes too much. `now`: seconds since the epoch."""
        if self.plain:
            return self.source
        body = self._bodies[MAIN]
        dot = dict(values)
        call = Call(Work(STEPS), round(now * 1e6) * 1000)
        state = State(dot, [dot] + [None] * (body.variables - 1), call, self._bodies)
        try:
            body.run(state)
        except (ConditionError, RecursionError, OverflowError, MemoryError) as error:
            raise TemplateError(str(error) or type(error).__name__) from error
        return _whole("".join(state.parts))


def _whole(text: str) -> str:
    """The text with U+FFFD in place of bytes that are no UTF-8 and of halves of surrogate pairs: no receiver takes them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def _explained(error: TemplateError) -> TemplateError:
    """The error, with the reason for a function of sprig that is refused here."""
    name = error.message.removeprefix('function "').removesuffix('" not defined')
    if name in REFUSED:
        return TemplateError(f'function "{name}" is not available in notification templates', error.line)
    return error
