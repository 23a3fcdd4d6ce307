"""Runs a part of a test as another user of this machine, which requires root."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

import pytest

STRANGER = 54321
"""An unused user id."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def as_user(uid: int, act: Callable[[], object]) -> str:
    """The result of `act`, as text, or the exception that it raised: `Type: message`. It runs in a forked process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            said = str(act())
        except BaseException as error:
            said = "".join(traceback.format_exception_only(error)).strip()
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said
