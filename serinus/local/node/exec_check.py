"""Asks a container by running a command beside it, as exec probes and hooks do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from serinus.local.node.runtime import CheckResult, ExecCheck
from serinus.local.umask import of_pods

KEPT = 4096
"""Bytes of the end of what a command says: it may say any amount within its time."""


async def run(check: ExecCheck, timeout: float, base: Mapping[str, str]) -> CheckResult:
    """Its answer within `timeout` seconds. `base`: what comes below the container's own environment."""
    mask = of_pods()
    try:
        process = await asyncio.create_subprocess_exec(
            *check.command,
            env={**base, **check.env},
            cwd=check.working_dir or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # uvloop knows no `umask`.
            preexec_fn=partial(os.umask, mask) if mask >= 0 else None,
        )
    except (OSError, ValueError) as error:
        return CheckResult(False, f"command {' '.join(check.command)!r} cannot be run: {error}")
    try:
        async with asyncio.timeout(timeout):
            output = await end_of(process.stdout)
            await process.wait()
    except (TimeoutError, asyncio.CancelledError) as error:
        kill_group(process.pid)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        return CheckResult(False, f"command {' '.join(check.command)!r} timed out after {timeout:g} s")
    text = output.decode("utf-8", "replace").strip()[-200:]
    return CheckResult(process.returncode == 0, text or f"exit code {process.returncode}")


async def end_of(stream: asyncio.StreamReader | None) -> bytes:
    """The last bytes of all that comes."""
    kept = b""
    while stream is not None and (piece := await stream.read(1 << 16)):
        kept = (kept + piece)[-KEPT:]
    return kept


def kill_group(pid: int) -> None:
    """All that is left of a session whose leader was ours. Its number is not given to others while any of it lives."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
