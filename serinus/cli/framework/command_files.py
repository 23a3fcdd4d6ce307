"""The commands of a folder, from its files. No module is imported, so `--help` and completion take milliseconds.

A command is a file with a top-level line `SHORT = "…"`: its sentence in the list of commands. The name of the file
gives the words of the command. `ALIASES = "ro rollouts"` has other spellings of the last word. Both lines are read as
text, so they are plain strings on one line, below the imports (tests/cli/test_command_files.py checks that).
"""

from __future__ import annotations

import os

from serinus.cli.framework.commandline import CommandRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = 4096
"""Bytes of a file that are searched for the lines."""


def rows(init: str, package: str, groups: Mapping[str, str]) -> tuple[CommandRow, ...]:
    """A row for each command of the folder of `init`, and for each of the groups, sorted by their words."""
    result = [CommandRow(tuple(words.split()), "", short) for words, short in groups.items()]
    for name, short, aliases in commands(os.path.dirname(init)):
        result.append(CommandRow(tuple(name.split("_")), f"{package}.{name}", short, aliases))
    return tuple(sorted(result, key=lambda row: row.path))


def commands(folder: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """(name of the module, SHORT, ALIASES) of each command of a folder, by name."""
    listed: list[tuple[str, str, tuple[str, ...]]] = []
    for file in sorted(os.listdir(folder)):
        if file.endswith(".py"):
            text = _head(os.path.join(folder, file))
            short = _constant(text, b"SHORT")
            if short:
                listed.append((file.removesuffix(".py"), short, tuple(_constant(text, b"ALIASES").split())))
    return listed


def _head(path: str) -> bytes:
    """The beginning of a file, read fast: each start reads fifty files."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, HEAD)
    finally:
        os.close(file)


def _constant(text: bytes, name: bytes) -> str:
    """The text of `NAME = "…"`; "" without such a line."""
    _, there, rest = text.partition(b"\n" + name + b' = "')
    return rest[: rest.index(b'"\n')].decode() if there else ""
