"""Pages and help texts name the subject first and use active verbs: `tools/check_language.py` finds no old phrase."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CHECK: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "check_language.py"))

OLD = (
    ("What a release looks like that its metrics ended, in the terminal:", "What a"),
    ("It is so. Who takes over after a crash waits longer.", "Who takes"),
    ("3. What follows is a list.", "What follows"),
    ("- Whoever has the kubeconfig can run commands.", "Whoever"),
    ("| `list` | the answer | What people read |", "What people"),
    ("The plan can be explained by whoever sees the same.", "whoever"),
    ("The object appears; else it is told as InvalidSpec.", "told"),
    ("The log tells which rights it used.", "tells"),
    ("A pause that pods hold was said to end.", "was said"),
    ("A Rollout is led by this controller.", "is led"),
    ("A bad version is judged by its metrics and taken back.", "taken back"),
    ("The Rollout takes the version back.", "takes the version back"),
    ("It is to be asked before a decision.", "is to be asked"),
    ("The gateway has not heard yet of the API.", "heard"),
    ("The writes are carried out in thought.", "in thought"),
    ("In fact nothing is won by it.", "nothing is won"),
    ("Between two reads somebody may release a version.", "somebody"),
    ("Then no one can watch the Service.", "no one"),
    ("A pause waits for a person.", "for a person"),
    ("The sentence that people read.", "people"),
    ("The time to look again.", "look again"),
    ("Traffic goes on.", "goes on"),
    ("It comes back by itself.", "by itself"),
    ("The spec is mended.", "mended"),
    ("The answer stands in the status.", "stands in"),
    ("The provider is asked every second.", "is asked"),
    ("The others are wound up.", "wound up"),
    ("The directory is never emptied unasked.", "unasked"),
    ("Times that two clocks have a part in.", "have a part in"),
    ("Two of these keep Rollouts from working as they should.", "as they should"),
)


def phrases(text: str) -> list[str]:
    return [finding.phrase for finding in CHECK["findings"](CHECK["prose"](text))]


@pytest.mark.parametrize(("sentence", "phrase"), OLD)
def test_a_sentence_of_the_old_kind_is_found(sentence: str, phrase: str) -> None:
    assert phrase in phrases(sentence)


def test_every_rule_finds_one_of_these_sentences() -> None:
    assert [rule for rule in CHECK["RULES"] if not any(rule.pattern.search(sentence) for sentence, _ in OLD)] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Failover takes at most lease_duration + retry_period.",
        "A bad version fails its analysis and is rolled back automatically.",
        "`plan` is pure, so any client with the same objects can compute the explanation.",
        "What does it measure? It measures latency.",
        "## What is tested",
        "## 3. What `route` returns",
        "The server reports what it refuses.",
    ],
)
def test_a_plain_sentence_is_not(sentence: str) -> None:
    assert phrases(sentence) == []


def test_a_phrase_is_found_across_lines_and_its_line_is_given(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nTraffic goes\non.\n\nNothing else. Who\nwaits?\nWhoever waits is served.\n")
    found = CHECK["check"](page)
    assert {(finding.line, finding.phrase) for finding in found} >= {(3, "goes on"), (8, "Whoever waits")}
    assert all(finding.hint for finding in found)


def test_code_and_link_targets_do_not_count() -> None:
    text = "```\nit is told\n```\n\n    it is told\n\nThe field `is told` and [a page](is-told.md#somebody).\n"
    assert phrases(text) == []
    assert phrases(text + "It is told.\n") == ["told"]


@pytest.mark.parametrize(
    "source",
    [
        'parser.add_argument("--once", help="Nobody waits")',
        'Flag("once", "Nobody waits", default=False)',
        'CommandRow(("up",), "", "Nobody waits")',
        'Command(run, "Nobody waits", "ROLLOUT")',
        'OWN = {"up": ("serinus.cli.up", "Nobody waits")}',
        'SHORT = "Nobody waits"',
    ],
)
def test_each_way_to_declare_a_help_text_is_read(source: str, tmp_path: Path) -> None:
    module = tmp_path / "command.py"
    module.write_text(source)
    assert [finding.phrase for finding in CHECK["check"](module)] == ["Nobody"]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('"""Nobody waits."""\n', 1),
        ('def run():\n    """Runs it.\n\n    Nobody waits.\n    """\n', 4),
        ('LIMIT = 3\n"""Nobody waits longer."""\n', 2),
        ("a = 1\n# Seconds.\n# Nobody\n# waits.\nb = 2\n", 3),
        ("a = 1  # Nobody waits\n", 1),
    ],
)
def test_docstrings_and_comments_are_read(source: str, line: int, tmp_path: Path) -> None:
    module = tmp_path / "command.py"
    module.write_text(source)
    assert [(found.line, found.phrase) for found in CHECK["check"](module)] == [(line, "Nobody")]


def test_other_texts_of_a_module_are_not_read(tmp_path: Path) -> None:
    module = tmp_path / "command.py"
    module.write_text('TEXT = "Nobody waits"\nprint("Nobody waits")\n')
    assert CHECK["check"](module) == []


def test_help_texts_of_make_are_read(tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text("# Nobody waits\nlint: ## Nobody waits\n")
    assert [finding.line for finding in CHECK["check"](makefile)] == [2]


def test_a_finding_ends_the_program_with_1_and_names_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("Title\n\nNobody waits.\n")
    assert CHECK["main"]([str(page)]) == 1
    assert f'{page}:3: "Nobody": ' in capsys.readouterr().out


def test_the_pages_and_help_texts_of_the_repository_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    code = CHECK["main"]([])
    assert code == 0, capsys.readouterr().out


def test_it_reads_pages_examples_and_commands() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in CHECK["files"]()}
    assert {"README.md", "SECURITY.md", "docs/waiting.md", "docs/providers/web.md", "examples/README.md"} <= names
    assert {"serinus/cli/rollouts/promote.py", "serinus/cli/up.py", "Makefile"} <= names
    assert not any(name.startswith(("docs/spec/", "tests/")) for name in names)
