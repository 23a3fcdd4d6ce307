"""`serinus node`: its flags reach the connection."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli.own_command import invoke


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = invoke("node", "--data", str(tmp_path), "--kubeconfig", str(tmp_path / "none"))
    assert done.exit_code == 1
    assert str(tmp_path / "none") in done.output
