"""The syntax tree of a condition."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    """`depth`: the number of levels from here. The parser limits it."""

    depth: int = field(default=1, init=False, compare=False)


@dataclass(slots=True)
class Constant(Node):
    value: bool | int | float | str | None


@dataclass(slots=True)
class Name(Node):
    name: str


@dataclass(slots=True)
class Pointer(Node):
    """`#`, `#index`, `#acc`."""

    name: str


@dataclass(slots=True)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(slots=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(slots=True)
class Logic(Node):
    """Terms joined by the same `and` or `or`: one node for any number of terms."""

    operator: str
    terms: list[Node]


@dataclass(slots=True)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(slots=True)
class Member(Node):
    """`a.b`, `a["b"]`, `a[0]`. `optional`: a nil owner ends its chain."""

    owner: Node
    key: Node
    optional: bool = False
    dotted: bool = False


@dataclass(slots=True)
class Chain(Node):
    """The expression that `?.` may end early, with nil."""

    inner: Node


@dataclass(slots=True)
class Slice(Node):
    owner: Node
    start: Node | None
    end: Node | None


@dataclass(slots=True)
class Call(Node):
    """A function by name. A predicate among the arguments is a Predicate."""

    name: str
    arguments: list[Node]


@dataclass(slots=True)
class Method(Node):
    owner: Node
    name: str
    arguments: list[Node]
    optional: bool = False


@dataclass(slots=True)
class Predicate(Node):
    body: Node


@dataclass(slots=True)
class Items(Node):
    items: list[Node]


@dataclass(slots=True)
class Pairs(Node):
    """A map literal: (key, value) as written."""

    pairs: list[tuple[Node, Node]]


@dataclass(slots=True)
class Let(Node):
    name: str
    value: Node
    body: Node


@dataclass(slots=True)
class Sequence(Node):
    """`a; b`: the value is that of the last one."""

    nodes: list[Node]


def children(node: Node) -> list[Node]:
    """The children of a node."""
    match node:
        case Unary():
            return [node.operand]
        case Binary():
            return [node.left, node.right]
        case Logic():
            return node.terms
        case Conditional():
            return [node.condition, node.then, node.otherwise]
        case Member():
            return [node.owner, node.key]
        case Chain():
            return [node.inner]
        case Slice():
            return [part for part in (node.owner, node.start, node.end) if part is not None]
        case Call():
            return node.arguments
        case Method():
            return [node.owner, *node.arguments]
        case Predicate():
            return [node.body]
        case Items():
            return node.items
        case Pairs():
            return [part for pair in node.pairs for part in pair]
        case Let():
            return [node.value, node.body]
        case Sequence():
            return node.nodes
        case _:
            return []
