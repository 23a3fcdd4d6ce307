"""Processes that outlive their parent, identified even if another process later gets the same id.

A process id alone is ambiguous after a crash or a reboot; with the process's start time it is unique.
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
from typing import Any, ClassVar

_IMPORTED = time.monotonic()


def started_at(pid: int) -> str:
    """The process's start time in the system's own format; "" if the process does not exist or is a zombie."""
    try:
        # The name may contain spaces and brackets. Regular fields follow its last bracket: state, parent, …, start
        # time.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{_boot()}/{fields[19]}"
    except (OSError, IndexError):
        pass
    if os.path.exists("/proc/self/stat"):
        return ""
    # Without /proc (macOS), ps reports it.
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def seconds_running() -> float:
    """Seconds since this process started, imports included. Without /proc: since this module was imported."""
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
    """Whether the process with this start time still runs."""
    return bool(started) and started_at(pid) == started


def send(pid: int, started: str, number: signal.Signals) -> None:
    """Signals the process if its start time still matches."""
    if is_running(pid, started):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_group(pid: int, started: str) -> None:
    """Kills the remaining processes of a session that Serinus started, whose first process had this id and start time.

    The system may give the id to another process once the whole session has ended. That process is not killed.
    """
    now = started_at(pid)
    if not now or now == started:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


async def ended(pid: int, started: str) -> None:
    """Returns when the process has ended. Works for a process that is not a child."""
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        while is_running(pid, started):  # noqa: ASYNC110 - no notification of the end exists
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
    """Sends SIGTERM, then SIGKILL after `grace` seconds. Returns when the process has ended."""
    send(pid, started, signal.SIGTERM)
    try:
        async with asyncio.timeout(grace):
            await ended(pid, started)
    except TimeoutError:
        send(pid, started, signal.SIGKILL)
        await ended(pid, started)


class Mark:
    """A process's identity, saved where the next `up` or `down` finds it.

    The process that wrote it also finds it when the file is gone: it stops what it started even after a user has
    removed the data directory.
    """

    _written: ClassVar[dict[Path, tuple[int, str]]] = {}

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> tuple[int, str]:
        """Process id and start time; 0 if there is none."""
        try:
            value: Any = json.loads(self._file.read_text())
            return int(value["pid"]), str(value["started"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return self._written.get(self._file, (0, ""))

    def write(self, pid: int, started: str) -> None:
        self._written[self._file] = pid, started
        self._file.write_text(json.dumps({"pid": pid, "started": started}))

    def clear(self) -> None:
        self._written.pop(self._file, None)
        self._file.unlink(missing_ok=True)
