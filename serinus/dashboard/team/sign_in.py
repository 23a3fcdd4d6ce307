"""The pages for signing in and out."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from aiohttp import web

from serinus.dashboard import bodies
from serinus.dashboard.access import Denied
from serinus.dashboard.identity.who import Identity
from serinus.dashboard.team import audit, page
from serinus.dashboard.team.bearer import Bearers
from serinus.dashboard.team.oidc.way import OidcWay
from serinus.dashboard.team.paths import own_path
from serinus.dashboard.team.secrets import TooLong
from serinus.dashboard.team.sessions import Sessions
from serinus.dashboard.team.settings import TeamSettings
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError

CLOSED = (
    "No way to sign in is configured: start the dashboard with --token-sign-in, --oidc-issuer, or --proxy-address and "
    "--proxy-secret-file."
)
THROUGH_PROXY = "Open this dashboard at the address of its authenticating proxy."


class SignIn:
    """`oidc`: None where no provider is configured."""

    def __init__(
        self, settings: TeamSettings, bearers: Bearers, sessions: Sessions, oidc: OidcWay | None, clock: Clock
    ) -> None:
        self._settings, self._bearers, self._sessions = settings, bearers, sessions
        self._oidc, self._clock = oidc, clock
        closed = THROUGH_PROXY if settings.proxy is not None else CLOSED
        self.closed = "" if settings.token or oidc is not None else closed
        """Why users cannot sign in on the page; empty if there is a way."""

    def routes(self) -> list[web.RouteDef]:
        base = f"{self._settings.root}/auth"
        routes = [
            web.get(f"{base}/sign-in", self._form),
            web.post(f"{base}/sign-in", self._with_token),
            web.get(f"{base}/sign-out", self._leave),
            web.post(f"{base}/sign-out", self._sign_out),
        ]
        if self._oidc is not None:
            routes += [web.get(f"{base}/oidc", self._start), web.get(f"{base}/callback", self._callback)]
        return routes

    async def _form(self, request: web.Request) -> web.StreamResponse:
        return self._page(request.query.get("next", ""))

    async def _with_token(self, request: web.Request) -> web.StreamResponse:
        self._check_origin(request)
        if not self._settings.token:
            raise Denied(403, "Tokens are not a way into this dashboard.")
        fields = parse_qs((await bodies.read(request)).decode("ascii", "replace"))
        token, back = ((fields.get(name) or [""])[0].strip() for name in ("token", "next"))
        who = None
        try:
            who = await self._bearers.identity(token, ambient=True)
            answer = self._to(back)
            self._sessions.begin(answer, who)
        except Denied as denied:
            answer = self._page(back, denied.message, denied.status)
        except TooLong as error:
            why = f"This token is too long for a session: {error}. Send it as a header instead."
            answer = self._page(back, why, 400)
        except ApiError as error:
            answer = self._page(back, f"The API server cannot confirm who you are: {error}", 502)
        self._record(request, "sign-in", who, answer.status)
        return answer

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        who = self._sessions.of(request)
        return page.sign_out(self._settings.root, who.user if who else "", await self._provider_origin())

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        self._check_origin(request)
        who = self._sessions.of(request)
        target = await self._oidc.end_address() if self._oidc is not None and who and who.way == "oidc" else ""
        answer = self._see_other(target or f"{self._settings.root}/auth/sign-in")
        self._sessions.end(answer)
        self._record(request, "sign-out", who, answer.status)
        return answer

    async def _start(self, request: web.Request) -> web.StreamResponse:
        assert self._oidc is not None
        back = own_path(request.query.get("next", ""), self._settings.root)
        try:
            target, set_state = await self._oidc.start(back)
        except Denied as denied:
            return self._page(back, denied.message, denied.status)
        answer = self._see_other(target)
        set_state(answer)
        return answer

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        assert self._oidc is not None
        who, reason = None, ""
        try:
            who, back = await self._oidc.finish(request)
            answer = self._to(back)
            self._sessions.begin(answer, who)
        except Denied as denied:
            reason, answer = denied.message, self._page("", denied.message, denied.status)
        except TooLong as error:
            reason = f"Your groups do not fit into a session: {error}. Limit them with --group."
            answer = self._page("", reason, 400)
        self._oidc.forget(answer)
        self._record(request, "sign-in", who, answer.status, reason)
        return answer

    def _page(self, back: str, reason: str = "", status: int = 200) -> web.Response:
        root = self._settings.root
        back = own_path(back, root)
        oidc = f"{root}/auth/oidc?next={quote(back, safe='')}" if self._oidc is not None else ""
        return page.sign_in(root, back, reason or self.closed, status, token=self._settings.token, oidc=oidc)

    def _to(self, back: str) -> web.Response:
        return self._see_other(own_path(back, self._settings.root))

    @staticmethod
    def _see_other(target: str) -> web.Response:
        return web.Response(status=303, headers={"Location": target})

    async def _provider_origin(self) -> str:
        return await self._oidc.end_origin() if self._oidc is not None else ""

    def _check_origin(self, request: web.Request) -> None:
        if request.headers.get("Origin", "").lower() != self._settings.origin:
            raise Denied(403, "Signing in and out must come from the dashboard's own page.")

    def _record(self, request: web.Request, event: str, who: Identity | None, status: int, reason: str = "") -> None:
        audit.record(request, event, self._clock.now(), who, status, reason)
