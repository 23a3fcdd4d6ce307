"""Serinus' files are private to its user; pods keep the umask with which the user started Serinus."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

_PRIVATE = 0o077
_given: list[int] = []


def keep_private() -> None:
    """From now on this process creates files and directories that only its user can read."""
    before = os.umask(_PRIVATE)
    if not _given:
        _given.append(before)


@contextmanager
def private_files() -> Generator[None]:
    """Within the block this process creates files and directories that only its user can read."""
    before = os.umask(_PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


def of_pods() -> int:
    """This process's umask before `keep_private`; -1 (no change) if that was not called."""
    return _given[0] if _given else -1
