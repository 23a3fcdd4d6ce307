"""`up` in the background: its own session, a log file, and one line back when it is ready or has failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from serinus.local.cannot_run import CannotRun
from serinus.local.instance import Instance, explain

LOG = "serinus.log"
LARGEST_LOG = 10 << 20
"""Bytes. A start rotates a larger log and keeps one older file."""
_PROGRAM = "from serinus.cli.main import main; main()"


def start(instance: Instance, arguments: Sequence[str]) -> dict[str, Any]:
    """Runs `serinus up ARGUMENTS` in the background; returns its state once ready. Raises CannotRun with its reason."""
    log_file = instance.log_dir / LOG
    with suppress(OSError):
        if log_file.stat().st_size > LARGEST_LOG:
            log_file.replace(log_file.with_name(f"{LOG}.1"))
    reading, writing = os.pipe()
    try:
        with open(os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, "up", *arguments, "--ready-fd", str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                start_new_session=True,
            )
    except OSError as error:
        os.close(reading)
        raise CannotRun(explain(error, instance.directory)) from error
    finally:
        os.close(writing)
    with os.fdopen(reading) as pipe:
        line = pipe.readline()
    if not line:
        code = process.wait()
        raise CannotRun(f"It ended with code {code} before it was ready: {_last_line(log_file)} (more in {log_file})")
    report: dict[str, Any] = json.loads(line)
    if "error" in report:
        process.wait()
        raise CannotRun(str(report["error"]))
    return report


def tell(ready_fd: int, report: dict[str, Any]) -> None:
    """Sends one line from the background process to the process that waits for it, which may have ended."""
    try:
        os.write(ready_fd, json.dumps(report).encode() + b"\n")
        os.close(ready_fd)
    except OSError:
        pass


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
