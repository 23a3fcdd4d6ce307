"""The end of `serinus demo`: it removes its files once its processes have ended, and not before."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.local import down
from serinus.local.cannot_run import CannotRun
from tests.support.cli.own_command import invoke


@pytest.fixture(autouse=True)
def no_signal_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's would stay in this process."""
    monkeypatch.setattr("signal.signal", lambda *_: None)


def test_files_stay_where_processes_still_use_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(instance: object) -> str:
        raise CannotRun("process 7 does not end")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(down, "stop", stop)
    done = invoke("demo", "--once", "--analysis", "--prometheus", "/no/such/program")
    (kept,) = tmp_path.glob("serinus-demo-*")
    assert f"serinus demo: process 7 does not end\nIts files stay in {kept}." in done.output


def test_without_processes_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert invoke("demo", "--once", "--analysis", "--prometheus", "/no/such/program").exit_code == 1
    assert not list(tmp_path.iterdir())
