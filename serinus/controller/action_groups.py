"""The actions of a plan that may be sent at once: each names the one before it in `beside`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serinus.engine.core.plan import Action

Group = list[tuple[int, Action]]
"""Actions with their indexes in the plan."""


def groups(actions: Sequence[Action]) -> Iterator[Group]:
    """The actions in order; most groups have one. An action whose partner is left out of the plan is alone."""
    group: Group = []
    for index, action in enumerate(actions):
        before = group[-1][1] if group else None
        if before is not None and action.beside != f"{before.kind}/{before.name}":
            yield group
            group = []
        group.append((index, action))
    if group:
        yield group
