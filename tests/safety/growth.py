"""The cost of a pattern on text made to be slow for it. Run by test_growth.py in a process with a limit of CPU time.

Reads `module:name` lines, tries each pattern, and prints the name before it begins: where the time runs out, the last name
is the slow one.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
import sys
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LENGTH = 20_000
MOST_LETTERS = 8


def letters(pattern: Any) -> list[str]:
    """One letter of each class that the pattern distinguishes."""
    found = dict.fromkeys("a1 ")

    def walk(node: Any) -> None:
        for op, argument in node:
            if op in (codes.LITERAL, codes.NOT_LITERAL):
                found[chr(argument)] = None
            elif op is codes.IN:
                first = {codes.LITERAL: lambda value: value, codes.RANGE: lambda value: value[0]}
                found.update((chr(first[kind](value)), None) for kind, value in argument if kind in first)
            for part in argument if isinstance(argument, tuple | list) else (argument,):
                for inner in part if isinstance(part, list) else (part,):
                    if isinstance(inner, parser.SubPattern):
                        walk(inner)

    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    walk(parser.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, str) else 0))
    return list(found)[:MOST_LETTERS]


def attacks(pattern: Any) -> list[str]:
    """Long runs of one letter and of two, whole and with an end that fits nothing, from the start and behind a quote."""
    few = letters(pattern)
    runs = [a * LENGTH for a in few] + [(a + b) * (LENGTH // 2) for a, b in itertools.permutations(few, 2)]
    heads = ["", *(a for a in few if not a.isalnum())][:3]
    return [head + run + tail for run in runs for head in heads for tail in ("", "\0")]


def searched(module: Any, name: str) -> bool:
    """Whether its module searches for the pattern anywhere in a text, which restarts at each letter."""
    return re.search(rf"\b{name}\.(search|finditer|findall|sub|split)\(", inspect.getsource(module)) is not None


def main() -> None:
    for line in sys.stdin.read().split():
        module, _, name = line.partition(":")
        pattern = getattr(importlib.import_module(module), name)
        print(line, flush=True)
        anywhere = searched(importlib.import_module(module), name)
        for text in attacks(pattern):
            subject = text if isinstance(pattern.pattern, str) else text.encode("latin-1")
            pattern.fullmatch(subject)
            for _ in pattern.finditer(subject) if anywhere else ():
                pass


if __name__ == "__main__":
    main()
