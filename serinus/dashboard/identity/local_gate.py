"""The gate of a dashboard on the user's own machine: one user, and the token that the command printed."""

from __future__ import annotations

from aiohttp import web

from serinus.dashboard.access import Access, Asked, Denied
from serinus.dashboard.identity.gate import Asker
from serinus.dashboard.identity.viewer import Viewer
from serinus.dashboard.settings import Settings

NAMES = ("localhost", "127.0.0.1", "[::1]")


class LocalGate:
    def __init__(self, settings: Settings, owner: Viewer) -> None:
        self._settings, self._owner, self._port = settings, owner, 0
        self._access = Access(settings.token, frozenset(settings.hosts), settings.read_only, settings.private)

    def opened(self, port: int) -> None:
        settings, self._port = self._settings, port
        hosts = {f"{name}:{port}" for name in NAMES} | {host.lower() for host in settings.hosts}
        hosts |= {name for name in NAMES if port == 80}
        self._access = Access(settings.token, frozenset(hosts), settings.read_only, settings.private)

    def routes(self) -> list[web.RouteDef]:
        return []

    async def asker(self, request: web.Request) -> Asker:
        signed_in = self._access.signed_in(self._asked(request))
        why = ""
        if self._access.read_only:
            why = "This dashboard is read-only: it was started with --read-only."
        elif not signed_in:
            why = "Open the dashboard at the address that it printed, with its token, to change something."
        return Asker(self._owner, signed_in, why)

    def check(self, request: web.Request, asker: Asker | None, *, public: bool) -> None:
        if request.method == "GET" and "token" in request.query:
            self._sign_in(request)
        self._access.check(self._asked(request), public=public)

    def audit(self, request: web.Request, asker: Asker | None, status: int, reason: str) -> None:
        """One user alone makes changes here, and the Event of each names him."""

    def _sign_in(self, request: web.Request) -> None:
        """Handles the URL with the token: sets a session cookie and redirects to the same page without the token."""
        self._access.check(self._asked(request), public=True)
        if not self._access.is_token(request.query["token"]):
            raise Denied(
                403, "The token in this address is not that of this dashboard: it may have been started anew since."
            )
        left = {key: value for key, value in request.query.items() if key != "token"}
        answer = web.HTTPSeeOther(str(request.rel_url.with_query(left)))
        # Lax, not Strict: a URL opened from a chat is signed in. Changes check the Origin as well.
        path = self._settings.root or "/"
        answer.set_cookie(self._cookie, self._access.session, httponly=True, samesite="Lax", path=path)
        raise answer

    @property
    def _cookie(self) -> str:
        # Browsers share cookies between all ports of a host.
        return f"serinus_{self._port}"

    def _asked(self, request: web.Request) -> Asked:
        headers = request.headers
        return Asked(
            request.method,
            headers.get("Host", ""),
            headers.get("Origin", ""),
            headers.get("Authorization", ""),
            request.cookies.get(self._cookie, ""),
        )
