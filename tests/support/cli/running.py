"""A command that runs until it is interrupted."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.support.cli.cli_cluster import Space
from tests.support.cli.ctrl_c import press_ctrl_c

Json = dict[str, Any]
BIN = Path(sys.executable).parent


class Running:
    """A command in a process of its own, read line by line."""

    def __init__(self, space: Space, *args: str) -> None:
        env = {**os.environ, "KUBECONFIG": str(space.cluster.kubeconfig), "PYTHONUNBUFFERED": ""}
        self.process = subprocess.Popen(
            [str(BIN / "kubectl-argo-rollouts"), "-n", space.name, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self, containing: str = "") -> str:
        """The next line with this text in it."""
        while True:
            line = self._lines.get(timeout=20)
            if containing in line:
                return line

    def end(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        err = self.process.stderr.read()
        return self.process.wait(20), err

    def interrupt(self) -> tuple[int, str]:
        press_ctrl_c(self.process)
        return self.end()
