"""The API for a process that is killed at one of its writes."""

from __future__ import annotations

import asyncio

from serinus.kube.transport import Request, Response
from tests.support.controller.notification_scene import Scene


class Mortal:
    """The API for one process, which is dead from a given write of the counted objects on: before it is done, or before its
    answer."""

    def __init__(
        self, scene: Scene, dies_at: int, *, done: bool, counted: tuple[str, ...] = ("/rollouts/web",)
    ) -> None:
        self._scene, self._left, self._done, self._counted = scene, dies_at, done, counted
        self.dead = asyncio.Event()
        self.writes: list[str] = []
        """What the process wrote: the last part of the path, and the parts of the body."""

    async def handle(self, request: Request) -> Response:
        if self.dead.is_set():
            await asyncio.Event().wait()
        if request.method != "PATCH" or not any(part in request.path for part in self._counted):
            return await self._scene.api.handle(request)
        self._left -= 1
        self.writes.append(f"{request.path.rpartition('/')[2]} {request.body.decode()}")
        if self._left >= 0:
            return await self._scene.api.handle(request)
        self.dead.set()
        if self._done:
            await self._scene.api.handle(request)
        return await asyncio.Event().wait()  # pyright: ignore[reportReturnType]
