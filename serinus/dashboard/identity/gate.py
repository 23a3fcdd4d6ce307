"""The gate of a dashboard: it finds the user behind each request, and refuses requests before they are handled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from serinus.dashboard.identity.viewer import Viewer


async def lasting() -> str:
    """A session without an end."""
    return ""


@dataclass(frozen=True, slots=True)
class Asker:
    """The user behind a request. `read_only`: why he may not change anything, or "". `ended`: why his session has
    ended meanwhile, or "". `ambient`: his browser sends the proof with every request."""

    viewer: Viewer
    signed_in: bool
    read_only: str = ""
    ended: Callable[[], Awaitable[str]] = lasting
    ambient: bool = True


class Gate(Protocol):
    def opened(self, port: int) -> None:
        """Called once with the port on which the server listens."""
        ...

    def routes(self) -> list[web.RouteDef]:
        """Pages for signing in and out."""
        ...

    async def asker(self, request: web.Request) -> Asker | None:
        """The user; None if the request carries no proof of one. Raises Denied and ApiError."""
        ...

    def check(self, request: web.Request, asker: Asker | None, *, public: bool) -> None:
        """Raises Denied, or an HTTPException that signs the user in. `public`: the page's own files, without data."""
        ...

    def audit(self, request: web.Request, asker: Asker | None, status: int, reason: str) -> None:
        """Records a change, or the attempt, with the HTTP status of the answer. `reason`: why it was refused."""
        ...


ASKER: web.RequestKey[Asker] = web.RequestKey("asker", Asker)

CHANGE: web.RequestKey[dict[str, str]] = web.RequestKey("change", dict)
"""The parts of a change that its path does not contain, for the audit."""


def viewer_of(request: web.Request) -> Viewer:
    """The user behind an admitted request."""
    return request[ASKER].viewer
