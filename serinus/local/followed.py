"""Whether the gateway follows the API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from serinus.kube.wire import Handler, Request, Response

log = logging.getLogger(__name__)

LONGEST_REST = 65.0
"""A client-go watch that broke again and again within two minutes rests up to twice 30 s before it comes back."""


class Followed:
    """The API server, and whether the gateway follows it: until its watches are there, weights would change unseen."""

    def __init__(self, handler: Handler, more: frozenset[str] = frozenset()) -> None:
        """`more`: plurals that it has to watch beside Ingresses, Services and their endpoints."""
        self._handler = handler
        self._missing = {"ingresses", "services", "endpointslices", *more}
        self._all = asyncio.Event()

    async def handle(self, request: Request) -> Response:
        response = await self._handler(request)
        if self._missing and response.stream is not None and "traefik" in request.headers.get("user-agent", ""):
            self._missing.discard(request.path.rpartition("/")[2])
            if not self._missing:
                self._all.set()
        return response

    async def by_gateway(self, seconds: float) -> bool:
        """Whether it does within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._all.wait()
        except TimeoutError:
            return False
        return True

    async def then(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a controller once the gateway would hear what it changes, or cannot be waited for any longer."""
        if not await self.by_gateway(LONGEST_REST):
            log.warning("The gateway does not watch %s; going on without it.", ", ".join(sorted(self._missing)))
        await start()
