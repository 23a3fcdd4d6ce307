"""The size-bounded log of a background process, which writes it to its standard error."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from serinus.kube.sparse_log import Sparse

LARGEST = 5 << 20
"""Bytes. One older file of this size is kept, with the suffix `.1`."""


class BoundedLog(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error. If that is a file opened for appending, it is rotated beyond LARGEST bytes."""

    def __init__(self, largest: int = LARGEST) -> None:
        super().__init__()
        self._largest = largest
        self.addFilter(Sparse())

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        with suppress(OSError, ValueError, AttributeError):
            self._turn(self.stream.fileno())

    def _turn(self, number: int) -> None:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode) or status.st_size <= self._largest:
            return
        file = Path(os.readlink(f"/proc/self/fd/{number}"))
        if file.stat().st_ino != status.st_ino:
            return  # another process has moved the file
        shutil.copyfile(file, f"{file}.1")
        os.chmod(f"{file}.1", 0o600)
        # This process and its children append to the file, so later writes go to the new end.
        os.ftruncate(number, 0)
