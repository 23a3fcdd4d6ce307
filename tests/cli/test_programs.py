"""`serinus` and `kubectl argo rollouts` are two doors to the same commands."""

from __future__ import annotations

import sys

import pytest

from serinus.cli import main
from serinus.cli.rollouts import program
from tests.support.cli.cli_cluster import Space, rollout


def run(
    entry: str, *args: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", [entry, *args])
    with pytest.raises(SystemExit) as ended:
        getattr(main, entry)()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_every_command_is_in_the_help_of_both(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, ours, _ = run("main", "--help", monkeypatch=monkeypatch, capsys=capsys)
    _, theirs, _ = run("rollouts", "--help", monkeypatch=monkeypatch, capsys=capsys)
    for row in program().children(()):
        assert f"  {row.path[0]} " in ours
        assert f"  {row.path[0]} " in theirs
    for row in main.own_program().children(()):
        assert f"  {row.path[0]} " in ours


def test_serinus_runs_rollout_commands_at_the_top_and_under_rollouts(
    space: Space, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    space.put(rollout())
    for words in (["list", "rollouts"], ["rollouts", "list", "rollouts"], ["-n", space.name, "rollouts", "list", "ro"]):
        code, out, _ = run("main", *words, "-n", space.name, monkeypatch=monkeypatch, capsys=capsys)
        assert (code, out.split("\n")[1].split()[0]) == (0, "web"), words
    done = run("main", "rollouts", "status", "web", "-n", space.name, monkeypatch=monkeypatch, capsys=capsys)
    assert done == (0, "Healthy\n", "")


def test_an_unknown_command_of_serinus_is_code_2_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run("main", "dwon", monkeypatch=monkeypatch, capsys=capsys)
    assert done == (
        2,
        "",
        'Error: unknown command "dwon" for "serinus"\nDid you mean down? All commands: serinus --help\n',
    )


def test_kubectl_s_completion_gets_the_names_of_live_rollouts(
    space: Space, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    space.put(rollout("checkout"))
    done = run("kubectl_complete", "get", "rollout", "-n", space.name, "", monkeypatch=monkeypatch, capsys=capsys)
    assert done == (0, "checkout\tHealthy\n:4\n", "")


def test_serinus_status_with_a_name_is_about_that_rollout(
    space: Space, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one it is about the instance of this machine."""
    space.put(rollout())
    for words in (["web"], ["web", "--watch=false"], ["--timeout", "5s", "web"], ["-w", "web"]):
        done = run("main", "status", *words, "-n", space.name, monkeypatch=monkeypatch, capsys=capsys)
        assert done == (0, "Healthy\n", ""), words
    code, out, _ = run("main", "status", "--data", "/nowhere", monkeypatch=monkeypatch, capsys=capsys)
    assert code == 3
    assert "Serinus does not run in /nowhere" in out


@pytest.mark.parametrize("words", [["--version"], ["version", "--short"], ["rollouts", "version", "--short"]])
def test_the_version_names_the_program_that_was_typed(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("main", *words, monkeypatch=monkeypatch, capsys=capsys)[1].startswith("serinus: v")
