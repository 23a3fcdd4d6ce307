"""Ctrl-C for a command in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any


def press_ctrl_c(process: subprocess.Popen[Any]) -> None:
    """Sends SIGINT as soon as the command waits.

    CPython loses a signal that arrives between its last look for signals and a system call that blocks: it handles the
    signal only after that call. A person is never that fast, and would press again.
    """
    state = Path(f"/proc/{process.pid}/task/{process.pid}/stat")
    while state.exists() and state.read_text().rpartition(") ")[2][0] == "R":
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
