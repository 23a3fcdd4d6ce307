"""Asks a container by running a command beside it, as exec probes and hooks do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

from serinus.local.node.runtime import CheckResult, ExecCheck


async def run(check: ExecCheck, timeout: float, base: Mapping[str, str]) -> CheckResult:
    try:
        process = await asyncio.create_subprocess_exec(
            *check.command,
            env={**base, **check.env},
            cwd=check.working_dir or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return CheckResult(False, f"command {' '.join(check.command)!r} cannot be run: {error}")
    try:
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate()
    except (TimeoutError, asyncio.CancelledError) as error:
        kill_group(process.pid)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        return CheckResult(False, f"command {' '.join(check.command)!r} timed out after {timeout:g} s")
    text = output.decode("utf-8", "replace").strip()[-200:]
    return CheckResult(process.returncode == 0, text or f"exit code {process.returncode}")


def kill_group(pid: int) -> None:
    """All that is left of a session whose leader was ours. Its number is not given to others while any of it lives."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
