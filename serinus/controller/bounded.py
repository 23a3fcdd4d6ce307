"""Work of pure functions on users' objects, bounded in CPU time and memory: one object must not stop the process for all others.

Plans are made on the event loop, so one that takes long delays everything, the lease too; one that takes too much memory ends the
process, and would do so again after each start. The engine bounds what it expands (`analysis/expansion.py`) and needs time in
proportion to its input; this is the net below that.
"""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

SECONDS = 2.0
"""Of CPU time, for one call. A plan takes a millisecond; less than the time in which a leader renews its lease (3 s)."""

MEMORY = 256 << 20
"""Bytes that one call may add to the process: a quarter of the memory limit that `serinus install` sets."""

AGAIN = 0.25
"""Seconds after which the work is interrupted once more: the first exception may have met code that ignores it."""

_STATM = Path("/proc/self/statm")
_DATA = 5
"""Index of the pages that count for RLIMIT_DATA."""


class TooMuch(Exception):
    """The work needed more than it may have; it is not known how much."""


class _Elapsed(BaseException):
    """Not an Exception: the work may catch those."""


@dataclass(slots=True)
class _Timer:
    running: bool = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.running:
            raise _Elapsed


_timer = _Timer()


def bounded(work: Callable[[], T], *, seconds: float = SECONDS, memory: int = MEMORY) -> tuple[T, float]:
    """(what `work` returns, seconds of CPU time that it took). `work` must not wait for anything.

    TooMuch for work that takes more; what it raises itself is raised. Off the main thread, only memory is bounded.
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
    if signal.getsignal(signal.SIGVTALRM) != _timer.interrupt:
        signal.signal(signal.SIGVTALRM, _timer.interrupt)
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
    """The limits that were there, to be set again; None where none is set: only Linux tells what a process has now."""
    with suppress(OSError, ValueError, IndexError):
        now = int(_STATM.read_bytes().split()[_DATA]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if soft == resource.RLIM_INFINITY or now + memory < soft:
            resource.setrlimit(resource.RLIMIT_DATA, (now + memory, hard))
            return soft, hard
    return None
