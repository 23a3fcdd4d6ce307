"""No client or server decides how much is logged."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from serinus.kube.sparse_log import MOST, SECONDS, Sparse
from serinus.local.bounded_log import BoundedLog


def record(text: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("a", logging.WARNING, "file.py", 1, text, args, None)


def test_a_line_that_repeats_is_counted():
    now = [0.0]
    sparse = Sparse(lambda: now[0])
    assert sum(sparse.filter(record("%s failed", i)) for i in range(10_000)) == MOST
    assert sparse.filter(record("something else"))
    now[0] = SECONDS
    last = record("%s failed", 7)
    assert sparse.filter(last)
    assert last.getMessage() == f"7 failed ({10_000 - MOST} more like it were left out)"


def test_a_thousand_kinds_are_not_remembered():
    sparse = Sparse(lambda: 0.0)
    for i in range(100_000):
        sparse.filter(record(f"line {i}"))
    assert len(sparse._seen) < 1000  # pyright: ignore[reportPrivateUsage]


def test_the_log_of_a_background_process_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "serinus.log"
    with file.open("a") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        handler = BoundedLog(largest=1000)
        for i in range(200):
            handler.handle(record(f"line {i} " + "x" * 50))
    assert file.stat().st_size < 1200
    assert Path(f"{file}.1").stat().st_size < 1200
    assert "line 199" in file.read_text() + Path(f"{file}.1").read_text()
