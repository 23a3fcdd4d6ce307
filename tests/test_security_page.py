"""SECURITY.md matches the repository: its tests, its files, and its way to report."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text()


def names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("held_by", sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE))))
def test_each_test_that_holds_a_line_is_there(held_by: str) -> None:
    file, _, name = held_by.partition("::")
    there = names(ROOT / file)
    assert name in there if name else there, held_by


def test_each_line_of_what_was_tried_has_a_test() -> None:
    rows = [row for row in PAGE.partition("## What was tried")[2].splitlines() if row.startswith("| ")][1:]
    assert len(rows) >= 15
    for row in rows:
        assert "`tests/" in row, row


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / target).exists(), target


def test_reports_go_to_github_and_to_no_address() -> None:
    assert "Report a vulnerability" in PAGE
    assert not re.search(r"[\w.]+@[\w.]+\.\w+", PAGE)


def test_the_bounds_that_it_names_are_those_of_the_code() -> None:
    from serinus.analysis.providers import lanes
    from serinus.analysis.providers.http import client as http

    assert f"{http.LONGEST_SECONDS:g} seconds, {http.LARGEST_ANSWER >> 20} MiB, {http.REDIRECTS} redirects" in PAGE
    assert f"{lanes.OF_ONE} measurements of a namespace at a time" in PAGE
