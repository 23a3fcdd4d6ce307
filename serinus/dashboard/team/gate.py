"""The gate of a team's dashboard: who asks, by one of three ways in, and which requests are refused.

- Only the dashboard's own Host header, and no foreign Origin.
- A session cookie or a header of a proxy comes with every request of the browser, also with one that another page
  caused. So a change needs the dashboard's own Origin, unless it carries a bearer token.
- Without an identity there is nothing but the pages for signing in.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from serinus.dashboard.access import SAFE, Denied
from serinus.dashboard.identity.gate import Asker
from serinus.dashboard.identity.who import Identity
from serinus.dashboard.team import audit
from serinus.dashboard.team.bearer import Bearers
from serinus.dashboard.team.sessions import Sessions
from serinus.dashboard.team.settings import TeamSettings
from serinus.dashboard.team.sign_in import SignIn
from serinus.dashboard.team.users import Users
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError

READ_ONLY = "This dashboard is read-only: it was started with --read-only."
BY_HEADER = 'Sign in, or send a token of the cluster as "Authorization: Bearer TOKEN".'


@dataclass
class TeamGate:
    settings: TeamSettings
    bearers: Bearers
    users: Users
    sessions: Sessions
    sign_in: SignIn
    clock: Clock

    def opened(self, port: int) -> None:
        """The address that browsers use does not depend on the port."""

    def routes(self) -> list[web.RouteDef]:
        return self.sign_in.routes()

    async def asker(self, request: web.Request) -> Asker | None:
        self._check_place(request)
        who = await self._identity(request)
        if who is None:
            return None

        async def ended() -> str:
            return await self._ended(who)

        return Asker(self.users.of(who), True, READ_ONLY if self.settings.read_only else "", ended, who.ambient)

    def check(self, request: web.Request, asker: Asker | None, *, public: bool) -> None:
        if public:
            return
        if asker is None:
            if self._is_page(request):
                raise web.HTTPSeeOther(f"{self.settings.root}/auth/sign-in?next={quote(request.path_qs, safe='')}")
            raise Denied(401, self.sign_in.closed or BY_HEADER)
        if request.method in SAFE:
            return
        if asker.read_only:
            raise Denied(403, asker.read_only)
        if asker.ambient and request.headers.get("Origin", "").lower() != self.settings.origin:
            raise Denied(403, "A change must come from the dashboard's own page, or carry a bearer token.")

    def audit(self, request: web.Request, asker: Asker | None, status: int, reason: str) -> None:
        who = asker.viewer.who if asker else None
        audit.record(request, "change", self.clock.now(), who, status, reason)

    def _check_place(self, request: web.Request) -> None:
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin", "")
        if host.lower() != self.settings.host:
            raise Denied(
                421,
                f"This dashboard does not answer for the host {host[:100]!r}: its address is {self.settings.url}. "
                "Open it there, or set --url to the address that browsers use.",
            )
        if origin and origin.lower() != self.settings.origin:
            raise Denied(403, f"A page of {origin[:100]} may not ask this dashboard for anything.")

    async def _identity(self, request: web.Request) -> Identity | None:
        """A bearer token first, then the headers of a proxy, then a session. Raises Denied."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.settings.token:
            return await self.bearers.identity(given.strip(), ambient=False)
        if self.settings.proxy is not None:
            who = self.settings.proxy.identity(request.remote or "", request.headers, self.clock.now())
            if who is not None:
                return who
        return await self._of_session(request)

    async def _of_session(self, request: web.Request) -> Identity | None:
        who = self.sessions.of(request)
        if who is None or not who.token:
            return who
        try:
            return await self.bearers.identity(who.token, ambient=True, until=who.until)
        except Denied:
            return None  # the token has expired: sign in again

    async def _ended(self, who: Identity) -> str:
        if self.clock.now() >= who.until:
            return "Your session has ended."
        if who.token:
            try:
                await self.bearers.identity(who.token, ambient=who.ambient)
            except Denied as denied:
                return denied.message
            except ApiError:
                return ""  # nothing new is shown meanwhile either
        return ""

    def _is_page(self, request: web.Request) -> bool:
        api = request.path.startswith(f"{self.settings.root}/api/")
        return request.method in ("GET", "HEAD") and not api and "text/html" in request.headers.get("Accept", "")
