"""The pages about commands name every one of them, with its flags, and every exit code."""

from __future__ import annotations

import re
from pathlib import Path

from serinus.cli.framework import errors as problems
from serinus.cli.framework.commandline import understand
from serinus.cli.rollouts import program

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_commands_names_each_with_its_flags_and_no_others() -> None:
    page = (DOCS / "commands.md").read_text()
    rows = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    told: dict[str, set[str]] = {}
    for row in rows[1:]:
        flags = set(re.findall(r"--[a-z-]+", row[1]))
        for command in re.findall(r"`([a-z ]+?)(?: [A-Z][A-Z=. ]*)?(?:\.\.\.)?`", row[0]):
            told[command] = flags
    for row in program().rows:
        if row.module:
            command = understand(program(), [*row.path, "--help"]).target.command
            assert command is not None
            name = " ".join(row.path)
            assert name in told, f"docs/commands.md lacks {name}"
            if name not in ("completion", "version"):
                assert told.pop(name) == {f"--{flag.name}" for flag in command.flags}, name
            else:
                told.pop(name)
    assert not told, "these are no commands"


def test_the_page_of_exit_codes_names_each() -> None:
    page = (DOCS / "exit-codes.md").read_text()
    named = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert named == {0, *(v for k, v in vars(problems).items() if k.isupper() and isinstance(v, int))}
