"""Files of Serinus are for its user alone; pods keep the umask with which their user started it."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

_PRIVATE = 0o077
_given: list[int] = []


def keep_private() -> None:
    """From now on this process makes files and directories that only its user can read."""
    before = os.umask(_PRIVATE)
    if not _given:
        _given.append(before)


@contextmanager
def private_files() -> Generator[None]:
    """Within the block this process makes files and directories that only its user can read."""
    before = os.umask(_PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


def of_pods() -> int:
    """The umask of this process before `keep_private`; -1, which leaves it as it is, where that was not called."""
    return _given[0] if _given else -1
