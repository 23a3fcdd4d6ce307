"""Ends containers that take more than they may: memory beyond `resources.limits.memory`, or too many processes.

There is no cgroup that an ordinary user may always make, and a limit on addresses (RLIMIT_AS) ends programs that only
reserve them, as Go, Java and Node.js do. So what is resident is looked at every second; a container can be beyond its
limit for as long. Where no container has a limit, only the number of processes of the machine is looked at.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from serinus.local.node.pod_processes import Process, end_all, exact_memory, of_containers

LOOK = 1.0
MOST_PROCESSES = 1024
"""Of one container. A fork bomb has as many within a second, and no program that is meant to run here."""


class Verdict(NamedTuple):
    """Why a container was ended, as its status says it."""

    reason: str
    message: str


class Limits:
    """`verdicts`: of the containers that were ended, by their directory; whoever reports the end takes it out."""

    def __init__(self, directory: Path, *, most: int = MOST_PROCESSES) -> None:
        self._directory, self._most = directory, most
        self.verdicts: dict[Path, Verdict] = {}

    async def keep(self, memory: Callable[[], Mapping[Path, int]]) -> None:
        """For ever. `memory()`: the limits in bytes of what runs now, 0 for none."""
        while True:
            await asyncio.sleep(LOOK)
            limits = memory()
            if not limits or not (any(limits.values()) or _processes() > self._most):
                continue
            for place, verdict in (await asyncio.to_thread(self.look, limits)).items():
                self.verdicts[place] = verdict
                await asyncio.to_thread(end_all, self._directory, {place})

    def look(self, limits: Mapping[Path, int]) -> dict[Path, Verdict]:
        """The containers that are beyond a limit now."""
        found = of_containers(self._directory)
        judged = {place: self._judged(found.get(place, []), limit) for place, limit in limits.items()}
        return {place: verdict for place, verdict in judged.items() if verdict is not None}

    def _judged(self, processes: list[Process], limit: int) -> Verdict | None:
        if len(processes) > self._most:
            return Verdict(
                "TooManyProcesses", f"it had {len(processes)} processes, and a container may have {self._most} here"
            )
        # What processes share counts several times in the quick sum, so only a sum beyond the limit is looked into.
        if limit and sum(p.memory for p in processes) > limit and (exact := exact_memory(processes)) > limit:
            return Verdict(
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
