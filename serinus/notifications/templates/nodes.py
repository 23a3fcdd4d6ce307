"""The syntax tree of a template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Text:
    text: str


@dataclass(slots=True)
class Value:
    """A literal."""

    value: Any


@dataclass(slots=True)
class Nil:
    pass


@dataclass(slots=True)
class Path:
    """`.a.b`, `$x.a`, `(..).a`: `owner` is None for the dot, a variable's name, or an expression."""

    owner: str | Node | None
    names: tuple[str, ...]
    line: int


@dataclass(slots=True)
class Function:
    name: str
    line: int


@dataclass(slots=True)
class Command:
    words: list[Node]
    line: int


@dataclass(slots=True)
class Pipe:
    """`declares`: variables before `:=` or, with `assigns`, before `=`."""

    commands: list[Command]
    line: int
    declares: tuple[str, ...] = ()
    assigns: bool = False


@dataclass(slots=True)
class Action:
    pipe: Pipe


@dataclass(slots=True)
class Branch:
    kind: Literal["if", "with", "range"]
    pipe: Pipe
    body: list[Part]
    otherwise: list[Part] = field(default_factory=list["Part"])


@dataclass(slots=True)
class Jump:
    kind: Literal["break", "continue"]


@dataclass(slots=True)
class Include:
    name: str
    pipe: Pipe | None
    line: int


Node = Value | Nil | Path | Function | Pipe
Part = Text | Action | Branch | Jump | Include
