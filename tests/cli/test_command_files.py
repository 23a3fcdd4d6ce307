"""The CLI finds a command by its file: no table lists the commands."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import serinus.cli
from serinus.cli.framework.command_files import rows
from serinus.cli.main import own_program
from serinus.cli.rollouts import program

FOLDER = Path(serinus.cli.__file__).parent
ROLLOUTS = [row for row in program().rows if row.module]


def test_a_new_file_is_a_command_with_its_words_its_sentence_and_its_aliases(tmp_path: Path) -> None:
    (tmp_path / "get_shop.py").write_text('"""Docs."""\n\nimport os\n\nSHORT = "Show a shop"\nALIASES = "sh shops"\n')
    (tmp_path / "helper.py").write_text("import os\n")
    group, (command) = rows(str(tmp_path / "__init__.py"), "pkg", {"get": "Show one"})
    assert (group.path, group.module, group.short) == (("get",), "", "Show one")
    assert (command.path, command.module) == (("get", "shop"), "pkg.get_shop")
    assert (command.short, command.aliases) == ("Show a shop", ("sh", "shops"))


@pytest.mark.parametrize("file", sorted((FOLDER / "rollouts").glob("*.py")), ids=lambda file: file.stem)
def test_every_file_with_a_command_is_found_by_its_sentence(file: Path) -> None:
    """The line is read as text: one that spans two lines, or is too far down, would hide the command."""
    module = importlib.import_module(f"serinus.cli.rollouts.{file.stem}")
    row = next((row for row in ROLLOUTS if row.module == module.__name__), None)
    assert (row is not None) == hasattr(module, "COMMAND")
    if row is not None:
        assert (row.short, " ".join(row.aliases)) == (module.SHORT, getattr(module, "ALIASES", ""))


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_a_command_of_serinus_alone_is_found_by_its_sentence(file: Path) -> None:
    module = importlib.import_module(f"serinus.cli.{file.stem}")
    row = next((row for row in own_program().rows if row.module == module.__name__), None)
    assert (row is not None) == hasattr(module, "COMMAND")
    if row is not None:
        assert row.short == module.SHORT


def test_a_file_is_a_subcommand_if_the_first_word_of_its_name_is_a_command() -> None:
    paths = {row.path for row in own_program().rows}
    assert {("migrate-routes",), ("verdict",), ("verdict", "plan")} <= paths
