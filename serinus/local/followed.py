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
BACKENDS = ("services", "endpointslices")
"""Plurals that each provider of Traefik watches for itself."""
_PROVIDERS = {"kubernetes/ingress": "ingress", "kubernetes/crd": "crd"}
"""End of a provider's user agent: its name. That of the Gateway API has the user agent of client-go."""


def provider(user_agent: str) -> str:
    """The provider of Traefik that makes a request: `ingress`, `crd` or `gateway`; "" for another client."""
    if "traefik" not in user_agent:
        return ""
    return _PROVIDERS.get(user_agent.rpartition(" ")[2], "gateway")


class Followed:
    """The API server, and whether the gateway follows it: until its watches are there, weights would change unseen."""

    def __init__(self, handler: Handler, more: frozenset[tuple[str, str]] = frozenset()) -> None:
        """`more`: (provider, plural) that Traefik has to watch beside Ingresses."""
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
            log.warning(
                "The gateway does not watch %s; going on without it.", ", ".join(sorted({m[1] for m in self._missing}))
            )
        await start()
