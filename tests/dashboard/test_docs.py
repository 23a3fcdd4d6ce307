"""The page of the documentation has every option and every key."""

from __future__ import annotations

import re
from pathlib import Path

from serinus.cli.rollouts.dashboard import COMMAND
from serinus.dashboard.commands import ACTIONS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "dashboard.md").read_text()


def test_every_option_is_in_the_documentation() -> None:
    assert [flag.name for flag in COMMAND.flags if f"--{flag.name}" not in PAGE] == []


def test_every_action_is_in_the_documentation() -> None:
    assert [action for action in ACTIONS if f"`{action}`" not in PAGE] == []


def test_the_pictures_are_there_and_no_others() -> None:
    others = "".join(page.read_text() for page in (DOCS.parent / "README.md", DOCS / "verdicts.md"))
    pictures = set(re.findall(r"\]\((?:docs/)?images/([^)]+)\)", PAGE + others))
    assert "terminal.svg" in pictures
    assert pictures == {file.name for file in (DOCS / "images").iterdir()}
