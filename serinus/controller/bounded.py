"""Limits of CPU time and memory for pure work on users' objects, so that one object cannot stop the process.

Plans are computed on the event loop. A slow plan delays everything, including the renewal of the lease. A plan that
needs too much memory ends the process, again after each start. The engine limits the size of its results
(`analysis/expansion.py`) and needs time in proportion to its input. These limits apply if that fails.

The limits are set for each call, because one call must not use up the limit of another. Setting them costs a few
microseconds: the file with the process's memory stays open, and the signal handler stays installed.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

SECONDS = 2.0
"""CPU time of one call. A plan takes less than a millisecond. A leader renews its lease within 3 s."""

MEMORY = 256 << 20
"""Bytes that one call may add to the process: a quarter of the memory limit that `serinus install` sets."""

AGAIN = 0.25
"""Seconds between two interruptions: code may have swallowed the first exception."""

_STATM = "/proc/self/statm"
_DATA = 5
"""Index of the pages that count for RLIMIT_DATA."""

_PAGE = resource.getpagesize()


class TooMuch(Exception):
    """The work exceeded a limit. Its real need is unknown."""


class _Elapsed(BaseException):
    """Not an Exception, because `work` may catch those."""


@dataclass(slots=True)
class _Timer:
    """The handler of SIGVTALRM. It raises only while work runs."""

    running: bool = False
    installed: bool = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.running:
            raise _Elapsed


@dataclass(slots=True)
class _Memory:
    """The open file with a process's memory use. After a fork it still shows the parent, so the child opens another."""

    process: int = -1
    file: int = -1

    def data(self) -> int:
        """Bytes that count for RLIMIT_DATA now. OSError if the system has no such file."""
        if self.process != os.getpid():
            self.file = os.open(_STATM, os.O_RDONLY | os.O_CLOEXEC)
            self.process = os.getpid()
        return int(os.pread(self.file, 128, 0).split()[_DATA]) * _PAGE


_timer = _Timer()
_memory = _Memory()


def bounded(work: Callable[[], T], *, seconds: float = SECONDS, memory: int = MEMORY) -> tuple[T, float]:
    """The result of `work`, and its CPU time in seconds. `work` must not wait.

    Raises TooMuch if `work` exceeds a limit, and any exception of `work`. Outside the main thread only memory is
    limited.
    """
    began = time.process_time()
    limits = _limit_memory(memory)
    try:
        result = _in_time(work, seconds) if threading.current_thread() is threading.main_thread() else work()
    except MemoryError:
        raise TooMuch(f"it takes more than {memory >> 20} MiB of memory") from None
    finally:
        if limits is not None:
            resource.setrlimit(resource.RLIMIT_DATA, limits)
    return result, time.process_time() - began


def _in_time(work: Callable[[], T], seconds: float) -> T:
    if not _timer.installed:
        signal.signal(signal.SIGVTALRM, _timer.interrupt)
        _timer.installed = True
    try:
        try:
            _timer.running = True
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds, AGAIN)
            return work()
        finally:
            _timer.running = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _Elapsed:
        _timer.running = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        raise TooMuch(f"it takes more than {seconds:g} s of CPU time") from None


def _limit_memory(memory: int) -> tuple[int, int] | None:
    """Sets the limit and returns the previous limits. None without a limit: only Linux reports the memory in use."""
    with suppress(OSError, ValueError, IndexError):
        now = _memory.data()
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if soft == resource.RLIM_INFINITY or now + memory < soft:
            resource.setrlimit(resource.RLIMIT_DATA, (now + memory, hard))
            return soft, hard
    return None
