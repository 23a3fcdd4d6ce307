"""Checks a container with a command that runs beside it, for exec probes and hooks."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from functools import partial

from serinus.local import processes
from serinus.local.node.containers.runtime import CheckResult, ExecCheck
from serinus.local.umask import of_pods

KEPT = 4096
"""Bytes kept from the end of a command's output, which has no size limit of its own."""


async def run(check: ExecCheck, timeout: float, base: Mapping[str, str]) -> CheckResult:
    """The command's result within `timeout` seconds. `base`: variables that the container's own override."""
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
            # uvloop does not support `umask`.
            preexec_fn=partial(os.umask, mask) if mask >= 0 else None,
        )
    except (OSError, ValueError) as error:
        return CheckResult(False, f"command {' '.join(check.command)!r} cannot be run: {error}")
    started = processes.started_at(process.pid)
    try:
        async with asyncio.timeout(timeout):
            output = await end_of(process.stdout)
            await process.wait()
    except (TimeoutError, asyncio.CancelledError) as error:
        processes.kill_group(process.pid, started)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        return CheckResult(False, f"command {' '.join(check.command)!r} timed out after {timeout:g} s")
    text = output.decode("utf-8", "replace").strip()[-200:]
    return CheckResult(process.returncode == 0, text or f"exit code {process.returncode}")


async def end_of(stream: asyncio.StreamReader | None) -> bytes:
    """The last bytes of the output."""
    tail = b""
    while stream is not None and (piece := await stream.read(1 << 16)):
        tail = (tail + piece)[-KEPT:]
    return tail
