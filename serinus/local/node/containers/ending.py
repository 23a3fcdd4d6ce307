"""Ends remaining processes of containers. Containers that end at about the same time share one process scan."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from serinus.local.node.containers.pod_processes import end_all

log = logging.getLogger(__name__)


class Ending:
    """`directory`: the pods' directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._waiting: list[tuple[Path, asyncio.Future[None]]] = []
        self._work: asyncio.Task[None] | None = None

    async def of(self, place: Path) -> None:
        """Returns when no process of this directory's container or pod remains."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((place, done))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._end_waiting())
        await done

    async def _end_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            places = {place for place, _ in batch}
            try:
                left = await asyncio.to_thread(end_all, self._directory, places)
            except Exception:
                # A bug in Serinus: waiting callers must continue, or no container would end.
                log.exception("looking for processes of %s failed", ", ".join(sorted(map(str, places))))
                left = set[int]()
            if left:
                log.warning("Processes %s of %s do not end.", sorted(left), ", ".join(sorted(map(str, places))))
            for _, done in batch:
                if not done.done():
                    done.set_result(None)
