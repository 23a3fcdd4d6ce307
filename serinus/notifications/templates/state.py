"""The state of a rendering."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.functions.function import Call

LARGEST_OUTPUT = 256 * 1024
"""Most characters of a rendered template."""


@dataclass(slots=True)
class State:
    """One rendering. `dot`: the current value of `.`; `frame`: values of variables."""

    dot: Any
    frame: list[Any]
    call: Call
    templates: Mapping[str, Body]
    parts: list[str] = field(default_factory=list[str])
    size: int = 0
    depth: int = 0

    def write(self, text: str) -> None:
        self.size += len(text)
        if self.size > LARGEST_OUTPUT:
            raise TemplateError(f"the text is longer than {LARGEST_OUTPUT} characters")
        self.parts.append(text)


Run = Callable[[State], None]
Eval = Callable[[State], Any]


@dataclass(slots=True)
class Body:
    """A template that may be called. `variables`: the size of its frame."""

    run: Run
    variables: int
