"""Processes that outlive the one that started them, told apart from a stranger that got the same number later.

A process id alone says nothing after a crash or a reboot; together with the moment the process started it is unique.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_IMPORTED = time.monotonic()


def started_at(pid: int) -> str:
    """When this process started, in the system's own terms; "" when there is no such process, or only its remains."""
    try:
        # The name may hold spaces and brackets; what follows its last bracket is regular: state, parent, …, start time.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{_boot()}/{fields[19]}"
    except (OSError, IndexError):
        pass
    if os.path.exists("/proc/self/stat"):
        return ""
    # Where there is no /proc (macOS), ps knows.
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def seconds_running() -> float:
    """How long this process runs, its imports included; where there is no /proc, since this module was imported."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, AttributeError):
        return time.monotonic() - _IMPORTED


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    return ""


def is_running(pid: int, started: str) -> bool:
    """Whether the process that started at that moment still runs."""
    return bool(started) and started_at(pid) == started


def send(pid: int, started: str, number: signal.Signals) -> None:
    """Signals the process if it is still the one meant."""
    if is_running(pid, started):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def ended(pid: int, started: str) -> None:
    """Returns when the process is gone. Works for a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        while is_running(pid, started):  # noqa: ASYNC110 - nothing tells of a stranger's end
            await asyncio.sleep(0.2)
        return
    try:
        if not is_running(pid, started):
            return
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(fd, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(fd)
    finally:
        os.close(fd)


async def stop(pid: int, started: str, grace: float) -> None:
    """SIGTERM, then SIGKILL after `grace` seconds; returns when it is gone."""
    send(pid, started, signal.SIGTERM)
    try:
        async with asyncio.timeout(grace):
            await ended(pid, started)
    except TimeoutError:
        send(pid, started, signal.SIGKILL)
        await ended(pid, started)


class Mark:
    """Which process it is, written where the next `up` or `down` finds it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> tuple[int, str]:
        """Process id and start; 0 where there is none."""
        try:
            value: Any = json.loads(self._file.read_text())
            return int(value["pid"]), str(value["started"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return 0, ""

    def write(self, pid: int, started: str) -> None:
        self._file.write_text(json.dumps({"pid": pid, "started": started}))

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)
