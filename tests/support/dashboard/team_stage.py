"""A team's dashboard on an API server that knows users and their rights, as Kubernetes does.

The API server of one machine has one user. `GuardedApi` stands before it and does what authentication and RBAC do in a
cluster: tokens, impersonation, reviews of the asking user, and refusals.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from multidict import CIMultiDict

from serinus.dashboard.process import bound, served
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.dashboard.team.process import team_gate
from serinus.dashboard.team.secrets import Secrets
from serinus.dashboard.team.settings import TeamSettings
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.transport import Handler, Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.dashboard.dashboard_stage import put
from tests.support.dashboard.serving import Answer

Json = dict[str, Any]
Grant = tuple[str, str, str]
"""(verb, resource with its subresource, namespace); `*` for any."""

DASHBOARD = "system:serviceaccount:argo-rollouts:argo-rollouts-dashboard"
OWN_TOKEN = "the-token-of-the-dashboard"
KEY = "k" * 40
SEEN = ("rollouts", "replicasets", "pods", "experiments", "analysisruns", "events")
OF_THE_DASHBOARD: tuple[Grant, ...] = (
    *((verb, kind, "*") for verb in ("list", "watch") for kind in SEEN),
    ("create", "events", "*"),
)
IMPERSONATION: tuple[Grant, ...] = (("impersonate", "users", "*"), ("impersonate", "groups", "*"))


def viewer_of(namespace: str) -> tuple[Grant, ...]:
    """The rights of the ClusterRole `view` in a namespace."""
    return tuple((verb, kind, namespace) for verb in ("get", "list", "watch") for kind in SEEN)


def editor_of(namespace: str) -> tuple[Grant, ...]:
    changes = ("rollouts", "rollouts/status", "deployments")
    return (*viewer_of(namespace), *(("patch", kind, namespace) for kind in changes))


async def _no_api(request: Request) -> Response:
    raise AssertionError(f"no API server stands behind this one: {request.path}")


@dataclass
class GuardedApi:
    api: Handler = _no_api
    tokens: dict[str, str] = field(default_factory=lambda: {OWN_TOKEN: DASHBOARD})
    grants: dict[str, tuple[Grant, ...]] = field(default_factory=lambda: {DASHBOARD: OF_THE_DASHBOARD})
    """User or group -> rights."""
    calls: list[tuple[str, str, str, str]] = field(default_factory=list[tuple[str, str, str, str]])
    """(user, verb, resource, namespace) of each admitted request but reviews."""
    reviews: int = 0

    async def __call__(self, request: Request) -> Response:
        user = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "), "")
        if not user:
            return _failure(401, "Unauthorized", "Unauthorized")
        groups: list[str] = ["system:authenticated"]
        if asked := request.headers.get("Impersonate-User"):
            headers = CIMultiDict(request.headers)
            wanted = headers.getall("Impersonate-Group", [])
            for kind in ("users", *(["groups"] if wanted else [])):
                if not self.may([user], "impersonate", kind, ""):
                    return _failure(403, "Forbidden", f"{user} cannot impersonate {kind}")
            user, groups = asked, [*wanted, *groups]
        return await self._as(user, groups, request)

    def may(self, names: Iterable[str], verb: str, resource: str, namespace: str) -> bool:
        given = [grant for name in names for grant in self.grants.get(name, ())]
        return any(v == verb and r == resource and ns in ("*", namespace) for v, r, ns in given)

    async def _as(self, user: str, groups: list[str], request: Request) -> Response:
        if request.path.endswith(("/selfsubjectreviews", "/selfsubjectaccessreviews")):
            return self._review(user, groups, request)
        verb, resource, namespace = _asked(request)
        if not self.may([user, *groups], verb, resource, namespace):
            return _failure(
                403, "Forbidden", f'{resource} is forbidden: User "{user}" cannot {verb} {resource} in {namespace!r}'
            )
        self.calls.append((user, verb, resource, namespace))
        kept = {k: v for k, v in request.headers.items() if not k.lower().startswith(("impersonate", "authorization"))}
        return await self.api(replace(request, headers=kept))

    def _review(self, user: str, groups: list[str], request: Request) -> Response:
        self.reviews += 1
        body = msgspec.json.decode(request.body)
        if body["kind"] == "SelfSubjectReview":
            return _json(201, {**body, "status": {"userInfo": {"username": user, "groups": groups}}})
        asked = body["spec"]["resourceAttributes"]
        resource = "/".join(part for part in (asked["resource"], asked.get("subresource")) if part)
        allowed = self.may([user, *groups], asked["verb"], resource, asked.get("namespace", ""))
        return _json(201, {**body, "status": {"allowed": allowed}})


@dataclass
class TeamStage:
    """`ask` sends a request from this machine; `cookies` are those of one browser."""

    url: str
    guarded: GuardedApi
    client: Client
    service: Service
    http: aiohttp.ClientSession
    port: int
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def origin(self) -> str:
        return self.url.rpartition("/")[0]

    async def put(self, obj: Json) -> Json:
        return await put(self.client, obj)

    async def ask(self, method: str, path: str, *, browser: bool = True, **options: Any) -> Answer:
        """`path`: below the root, or an address. `browser`: with the cookies, which it keeps, and the own Origin."""
        headers = dict(options.pop("headers", {}))
        if browser:
            headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), **headers}
            headers |= {} if method == "GET" or "Origin" in headers else {"Origin": self.origin}
        url = path if path.startswith("http") else self.url + path
        http = options.pop("http", self.http)
        async with http.request(method, url, allow_redirects=False, headers=headers, **options) as answer:
            text = await answer.text()
            json = await answer.json() if answer.content_type == "application/json" else None
            if browser:
                self.keep(answer.headers.getall("Set-Cookie", []))
            return Answer(answer.status, dict(answer.headers), text, json)

    def keep(self, given: list[str]) -> None:
        """Store these Set-Cookie headers, as a browser does."""
        for header in given:
            for name, morsel in SimpleCookie(header).items():
                self.cookies.pop(name, None)
                if morsel.value:
                    self.cookies[name] = morsel.value

    async def sign_in(self, token: str, back: str = "") -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.ask("POST", "/auth/sign-in", data=urlencode({"token": token, "next": back}), headers=form)

    async def rows(self, **options: Any) -> list[str]:
        """`namespace/name` of each Rollout in the list."""
        answer = await self.ask("GET", "/api/ui/v1/rollouts", **options)
        assert answer.status == 200, answer.text
        return [f"{row['ns']}/{row['name']}" for row in answer.json["rows"]]

    async def ready(self, count: int) -> None:
        """Once the shared view has this number of Rollouts."""
        page = self.service.hub.open()
        try:
            while len(self.service.hub.lines) < count or not self.service.hub.quiet:
                await page.wake.wait()
                page.wake.clear()
        finally:
            self.service.hub.close(page)


@asynccontextmanager
async def team(
    make: Callable[[str], TeamSettings] | None = None, *, guarded: GuardedApi | None = None, port: int = 0
) -> AsyncGenerator[TeamStage]:
    """`make`: settings for the dashboard's address; bearer tokens alone otherwise."""
    clock = SystemClock()
    api = ApiServer(MemoryStore(), Schemas(), clock, rng=random.Random(1))
    await api.start()
    found = guarded or GuardedApi()
    found.api = api.handle

    async def own(request: Request) -> Response:
        headers = CIMultiDict(request.headers)
        headers["authorization"] = f"Bearer {OWN_TOKEN}"
        return await found(replace(request, headers=headers))

    service = Service(Client(own, user_agent="serinus-dashboard"), clock, random.Random(1), for_team=True)
    listening = bound(port)
    bound_to: int = listening.getsockname()[1]
    url = f"http://127.0.0.1:{bound_to}/rollouts"
    settings = make(url) if make else TeamSettings(url, Secrets(given=(KEY,)))
    try:
        async with aiohttp.ClientSession() as http:
            gate = team_gate(settings, service, found, own, clock, http)
            async with served(service, Settings(token="", root_path=settings.root), listening, gate):
                client = Client(api.handle, user_agent="test")
                yield TeamStage(url, found, client, service, http, bound_to)
    finally:
        api.close()


def secret_file(path: Path, *lines: str) -> Secrets:
    path.write_text("\n".join(lines))
    return Secrets(path)


def _asked(request: Request) -> Grant:
    parts = request.path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource = "/".join((parts[0], *parts[2:]))
    verbs = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
    read = "watch" if request.query.get("watch") == "true" else "get" if len(parts) > 1 else "list"
    return verbs.get(request.method, read), resource, namespace


def _json(status: int, body: Json) -> Response:
    return Response(status, msgspec.json.encode(body))


def _failure(code: int, reason: str, message: str) -> Response:
    return _json(code, {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message})


ANA, BEN = "ana-token-of-the-tests", "ben-token-of-the-tests"


def two_users() -> GuardedApi:
    """ana may change the Rollouts of namespace shop; ben may see those of namespace pay."""
    made = GuardedApi()
    made.tokens |= {ANA: "ana@example.com", BEN: "ben@example.com"}
    made.grants |= {"ana@example.com": editor_of("shop"), "ben@example.com": viewer_of("pay")}
    return made
