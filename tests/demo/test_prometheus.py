"""How the demo finds a Prometheus, and its behaviour where there is none."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from serinus.demo.prometheus import NoPrometheus, find, running, scraped


def script(path: Path, text: str) -> str:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_it_is_the_one_on_path_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find("") is None
    mine = script(tmp_path / "prometheus", "")
    assert find("") == mine


def test_a_path_may_be_relative_and_one_that_is_no_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    mine = script(tmp_path / "prom", "")
    assert find("prom") == mine
    with pytest.raises(NoPrometheus, match="'nowhere/prometheus' is no program"):
        find("nowhere/prometheus")


async def test_one_that_does_not_start_is_told_of_with_its_last_words(tmp_path: Path):
    bad = script(tmp_path / "bad", "import sys; sys.exit('your config is no good')")
    with pytest.raises(NoPrometheus, match=r"ended with code 1.*your config is no good"):
        async with running(bad, tmp_path / "data", "{}", 1):
            pass


async def test_where_nothing_answers_no_pod_is_read():
    assert await scraped("http://127.0.0.1:1") == 0
