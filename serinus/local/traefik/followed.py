"""Tracks whether the gateway watches the API server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from serinus.kube.transport import Handler, Request, Response

log = logging.getLogger(__name__)

LONGEST_REST = 65.0
"""Seconds. A client-go watch that fails repeatedly within two minutes waits up to twice 30 s before it reconnects."""
BACKENDS = ("services", "endpointslices")
"""Plurals that each Traefik provider watches."""
_PROVIDERS = {"kubernetes/ingress": "ingress", "kubernetes/crd": "crd"}
"""The suffix of a provider's user agent is its name. The Gateway API provider has client-go's user agent."""


def provider(user_agent: str) -> str:
    """The Traefik provider that sends a request: `ingress`, `crd` or `gateway`; "" for another client."""
    if "traefik" not in user_agent:
        return ""
    return _PROVIDERS.get(user_agent.rpartition(" ")[2], "gateway")


class Followed:
    """Wraps the API server and tracks the gateway's watches. Without them the gateway misses weight changes."""

    def __init__(self, handler: Handler, more: frozenset[tuple[str, str]] = frozenset()) -> None:
        """`more`: (provider, plural) that Traefik must watch beside Ingresses."""
        self._handler = handler
        routes = {("ingress", "ingresses"), *more}
        self._missing = {(who, plural) for who, route in routes for plural in (route, *BACKENDS)}
        self._all = asyncio.Event()

    async def handle(self, request: Request) -> Response:
        response = await self._handler(request)
        if self._missing and response.stream is not None:
            who = provider(request.headers.get("user-agent", ""))
            self._missing.discard((who, request.path.rpartition("/")[2]))
            if not self._missing:
                self._all.set()
        return response

    async def by_gateway(self, seconds: float) -> bool:
        """Whether the gateway has all its watches within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._all.wait()
        except TimeoutError:
            return False
        return True

    async def then(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a controller once the gateway would observe its changes, or the wait has timed out."""
        if not await self.by_gateway(LONGEST_REST):
            log.warning(
                "The gateway does not watch %s; going on without it.", ", ".join(sorted({m[1] for m in self._missing}))
            )
        await start()
