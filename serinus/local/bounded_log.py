"""The log of a background process: its standard error, which is a file that must not grow for ever."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from serinus.kube.sparse_log import Sparse

LARGEST = 5 << 20
"""Bytes. One file more of that size is kept beside it, with `.1` at its end."""


class BoundedLog(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error. Where that is a file that is appended to, it begins anew beyond LARGEST bytes."""

    def __init__(self, largest: int = LARGEST) -> None:
        super().__init__()
        self._largest = largest
        self.addFilter(Sparse())

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        with suppress(OSError, ValueError, AttributeError):
            self._turn(self.stream.fileno())

    def _turn(self, number: int) -> None:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_size <= self._largest:
            return
        file = Path(os.readlink(f"/proc/self/fd/{number}"))
        if file.stat().st_ino != found.st_ino:
            return  # somebody has moved it
        shutil.copyfile(file, f"{file}.1")
        os.chmod(f"{file}.1", 0o600)
        # Appended to by this process and its children, so that what they write next is at the new end.
        os.ftruncate(number, 0)
