"""Ends containers that exceed a limit: memory beyond `resources.limits.memory`, or too many processes.

An ordinary user cannot always create a cgroup. A limit on addresses (RLIMIT_AS) ends programs that only reserve memory,
as Go, Java and Node.js do. So resident memory is checked every second; a container can exceed its limit for that long.
Without limits, only the number of processes on the machine is checked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from serinus.api.messages.counted import counted
from serinus.local.node.containers.pod_processes import Process, end_all, exact_memory, of_containers

LOOK = 1.0
MOST_PROCESSES = 1024
"""Processes of one container. A fork bomb reaches this within a second; a normal program does not."""


class LimitExceeded(NamedTuple):
    """Why a container was ended, for its status."""

    reason: str
    message: str


class MemoryLimits:
    """`verdicts`: of ended containers, by directory; the code that reports the end removes the entry."""

    def __init__(self, directory: Path, *, most: int = MOST_PROCESSES) -> None:
        self._directory, self._most = directory, most
        self.verdicts: dict[Path, LimitExceeded] = {}

    async def keep(self, memory: Callable[[], Mapping[Path, int]]) -> None:
        """Checks without end. `memory()`: the limits in bytes of running containers, 0 for none."""
        while True:
            await asyncio.sleep(LOOK)
            limits = memory()
            if not limits or not (any(limits.values()) or _processes() > self._most):
                continue
            for place, verdict in (await asyncio.to_thread(self.look, limits)).items():
                self.verdicts[place] = verdict
                await asyncio.to_thread(end_all, self._directory, {place})

    def look(self, limits: Mapping[Path, int]) -> dict[Path, LimitExceeded]:
        """The containers that exceed a limit now."""
        processes = of_containers(self._directory)
        judged = {place: self._judged(processes.get(place, []), limit) for place, limit in limits.items()}
        return {place: verdict for place, verdict in judged.items() if verdict is not None}

    def _judged(self, processes: list[Process], limit: int) -> LimitExceeded | None:
        if len(processes) > self._most:
            return LimitExceeded(
                "TooManyProcesses",
                f"it had {counted(len(processes), 'process', 'processes')}, and a container may have {self._most} here",
            )
        # The quick sum counts shared memory several times, so only a sum beyond the limit is checked exactly.
        if limit and sum(p.memory for p in processes) > limit and (exact := exact_memory(processes)) > limit:
            return LimitExceeded(
                "OOMKilled",
                f"it used {exact} bytes of memory, and its resources.limits.memory is {limit}: raise the limit, "
                "or let the program use less",
            )
        return None


def _processes() -> int:
    try:
        return sum(name.isdigit() for name in os.listdir("/proc"))
    except OSError:
        return 0
