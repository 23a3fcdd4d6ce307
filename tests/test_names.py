"""A public class name has one meaning, and a variable says what it holds. Both lists here may only become shorter."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import serinus

HOUSE = Path(serinus.__file__).parent

SEVERAL = {
    **dict.fromkeys(("Call", "Function", "Service"), 3),
    **dict.fromkeys(("Action", "Body", "Command", "Node", "Table", "Token"), 2),  # the two expression languages
    **dict.fromkeys(("Answer", "Question"), 2),  # the two interfaces of plugins
    **dict.fromkeys(("Pod", "PodStatus", "ReplicaSet", "ReplicaSetSpec", "ReplicaSetStatus", "ServiceSpec"), 2),
    **dict.fromkeys(("BasicAuth", "Clock", "Header", "NewRelic", "Provider", "Refused", "Template"), 2),
}
"""Public class names with several definitions, and how many. `local` reads more of a Pod and a ReplicaSet than `api`."""

WHEN = ("found", "said")
"""Names of variables that say when a value came, not what it is."""
PRESENT = {"dashboard": 40}
"""Uses of WHEN in each room, at most; none in a room without an entry."""


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """(room, node) of the whole source."""
    for file in sorted(HOUSE.rglob("*.py")):
        room = file.relative_to(HOUSE).parts[0]
        yield from ((room, node) for node in ast.walk(ast.parse(file.read_text())))


def test_a_class_name_has_one_meaning() -> None:
    classes = (node.name for _, node in nodes() if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    assert {name: number for name, number in Counter(classes).items() if number > SEVERAL.get(name, 1)} == {}


def test_a_variable_says_what_it_holds() -> None:
    uses = Counter(
        room
        for room, node in nodes()
        if (isinstance(node, ast.Name) and node.id in WHEN) or (isinstance(node, ast.arg) and node.arg in WHEN)
    )
    assert {room: number for room, number in uses.items() if number > PRESENT.get(room, 0)} == {}
