"""A state that passes within a moment in virtual time may last longer in a live play: the length depends on the machine.

`compare.py` ignores states that lasted less than 0.3 s. On a busy machine a command starts later, a write takes longer, and the
second pod is ready long after the first; so a live play may show more of what happened, but nothing else, and in no other
order.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Sequence
from typing import Any

from tests.support.plays.player import played
from tests.support.plays.recordings import program

LINE = re.compile(r"WAY (\S+) (\S+) \| reference .* \| ours (\[.*\])")


def only_passes_by(name: str, line: str) -> bool:
    """Whether a live play's difference fits our own virtual play: all of its lasting states, and otherwise only passing ones."""
    found = LINE.fullmatch(line)
    if found is None:
        return False
    thing, field, ours = found[1], found[2], ast.literal_eval(found[3])
    lasting, everything = _ways(name, 0.3)[thing].get(field, []), _ways(name, 0.0)[thing].get(field, [])
    if field == "replicas":
        # Of sizes only turning points are recorded: one more size at an end replaces the size before it.
        return ours == everything and max(ours) == max(lasting) and ours[-1] == lasting[-1]
    return within(lasting, ours) and within(ours, everything)


def within(some: Sequence[Any], more: Sequence[Any]) -> bool:
    """Whether `more` has all of `some`, in this order."""
    rest = iter(more)
    return all(any(value == other for other in rest) for value in some)


@functools.cache
def _ways(name: str, brief: float) -> dict[str, dict[str, list[Any]]]:
    compare: Any = program("compare")
    compare.BRIEF = brief
    return compare.ways(played(name).trace)
