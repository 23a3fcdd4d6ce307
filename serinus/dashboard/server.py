"""The dashboard's HTTP server: pages, files, the stream, changes, and Argo Rollouts' HTTP API.

Below the root path: `api/v1/…` is the API of existing clients, `api/ui/v1/…` the page's own, `static/…` its files.
Every other path serves the page itself, which reads its own address.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

import serinus
from serinus.dashboard import argo_api as old_api
from serinus.dashboard import bodies
from serinus.dashboard.access import HEADERS, Access, Asked, Denied
from serinus.dashboard.commands import ACTIONS, MovedOn, Refused, Seen
from serinus.dashboard.files import INDEX, File, files, index
from serinus.dashboard.hub import TooManyPages
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.dashboard.stream import LASTS, SIGNED_IN, stream
from serinus.kube.errors import ApiError
from serinus.kube.http.listener import Listener
from serinus.kube.sparse_log import silence_senders

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
NAMES = ("localhost", "127.0.0.1", "[::1]")
LONGEST_BODY = 16 * 1024
END_SECONDS = 1.0
"""Seconds that open streams may take to end when the server stops."""

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Change(msgspec.Struct):
    """Body of the page's change request."""

    version: str | None = None
    step: int | None = None
    paused: bool | None = None
    container: str = ""
    image: str = ""
    revision: int = 0


class Server:
    """`start` it, then `run` its service beside it; `close` ends both."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.port = 0
        self._service, self._settings, self._root = service, settings, settings.root
        self._files = files()
        self._access = Access(settings.token, frozenset(settings.hosts), settings.read_only, settings.private)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serves on a bound socket."""
        self.port = listening.getsockname()[1]
        hosts = {f"{name}:{self.port}" for name in NAMES} | {host.lower() for host in self._settings.hosts}
        hosts |= {name for name in NAMES if self.port == 80}
        self._access = Access(self._settings.token, frozenset(hosts), self._settings.read_only, self._settings.private)
        app = web.Application(middlewares=[self._guard], client_max_size=LONGEST_BODY)
        app.on_response_prepare.append(_with_headers)
        root, ui = self._root, f"{self._root}/api/ui/v1"
        old_api.add_routes(app, f"{root}/api/v1", self._service)
        app.add_routes(
            [
                web.get(f"{ui}/stream", self._stream),
                web.get(f"{ui}/rollouts", self._list),
                web.get(f"{ui}/rollouts/{{ns}}/{{name}}", self._detail),
                web.post(f"{ui}/rollouts/{{ns}}/{{name}}/{{action}}", self._change),
                web.get(f"{root}/api/{{rest:.*}}", _no_such_call),
                web.get(f"{root}/static/{{file:.+}}", self._file),
                web.get(f"{root}/{{rest:.*}}", self._page),
            ]
        )
        if root:
            app.add_routes([web.get("/", self._to_root), web.get(root, self._to_root)])
        silence_senders()
        self._runner = web.AppRunner(
            app, access_log=None, lingering_time=END_SECONDS, handler_cancellation=True, shutdown_timeout=END_SECONDS
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self._listener = Listener(self._runner.server, listening)
        self._listener.start()

    async def run(self) -> None:
        """Keeps the view up to date, until cancelled."""
        await self._service.run()

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, *, tokened: bool = False) -> str:
        """The dashboard's URL; `tokened`: with the token, which allows changes."""
        plain = f"http://{HOST}:{self.port}{self._root}"
        return f"{plain}/?token={self._settings.token}" if tokened else plain

    @property
    def _cookie(self) -> str:
        # Browsers share cookies between all ports of a host.
        return f"serinus_{self.port}"

    @web.middleware
    async def _guard(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        assert self._listener is not None
        signed_in = self._access.signed_in(self._asked(request))
        with self._listener.serving(request.protocol, signed_in=signed_in) as has_place:
            if not has_place:
                return _error(503, "Too many connections are open: close other pages of this dashboard.")
            request[SIGNED_IN], request[LASTS] = signed_in, partial(self._listener.lasts, request.protocol)
            return await self._guarded(request, handler)

    async def _guarded(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        public = request.path.startswith(f"{self._root}/static/")
        try:
            if request.method == "GET" and "token" in request.query:
                return self._sign_in(request)
            self._access.check(self._asked(request), public=public)
            if not public:
                self._service.asked()
            return await handler(request)
        except Denied as denied:
            return _error(denied.status, denied.message)
        except TooManyPages as full:
            return _error(503, str(full))
        except Refused as refused:
            return _error(409 if isinstance(refused, MovedOn) else 422, str(refused))
        except ApiError as error:
            return _error(error.code if error.code >= 400 else 502, error.message or "the API server does not answer")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _error(400, f"the body is not what this call takes: {error}")

    def _sign_in(self, request: web.Request) -> web.StreamResponse:
        """Handles the URL with the token: sets a session cookie and redirects to the same page without the token."""
        asked = self._asked(request)
        self._access.check(asked, public=True)
        if not self._access.is_token(request.query["token"]):
            raise Denied(
                403, "The token in this address is not that of this dashboard: it may have been started anew since."
            )
        left = {key: value for key, value in request.query.items() if key != "token"}
        response = web.Response(status=303, headers={"Location": str(request.rel_url.with_query(left))})
        # Lax, not Strict: a URL opened from a chat is signed in. Changes check the Origin as well.
        response.set_cookie(self._cookie, self._access.session, httponly=True, samesite="Lax", path=self._root or "/")
        return response

    def _asked(self, request: web.Request) -> Asked:
        headers = request.headers
        return Asked(
            request.method,
            headers.get("Host", ""),
            headers.get("Origin", ""),
            headers.get("Authorization", ""),
            request.cookies.get(self._cookie, ""),
        )

    def _may_change(self, request: web.Request) -> str:
        """Why this client may not change anything; empty if it may."""
        if self._access.read_only:
            return "This dashboard is read-only: it was started with --read-only."
        if not self._access.signed_in(self._asked(request)):
            return "Open the dashboard at the address that it printed, with its token, to change something."
        return ""

    async def _to_root(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{self._root}/")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = self._files.get(request.match_info["file"])
        if found is None:
            raise web.HTTPNotFound(text="There is no such file.")
        return _served(request, found)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        values = {"base": f"{self._root}/", "version": serinus.__version__}
        body = index(self._files[INDEX].body, values)
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers={"Cache-Control": "no-store"})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        ns, _, name = request.query.get("rollout", "").partition("/")
        return await stream(request, self._service, (ns, name) if name else None, self._may_change(request))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        ns, lines = request.query.get("namespace", ""), self._service.hub.lines
        rows = b",".join(lines[key] for key in sorted(lines) if ns in ("", key[0]))
        state = msgspec.json.encode(self._service.state())
        return _json(b'{"state":%b,"rows":[%b]}' % (state, rows))

    async def _detail(self, request: web.Request) -> web.StreamResponse:
        ns, name = request.match_info["ns"], request.match_info["name"]
        found = await self._service.detail((ns, name))
        if found is None:
            return _error(404, f'rollouts.argoproj.io "{name}" not found in namespace {ns}')
        return _json(msgspec.json.encode({**found, "readOnly": self._may_change(request)}))

    async def _change(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await bodies.read(request) or b"{}", type=_Change)
        ns, name, action = (request.match_info[part] for part in ("ns", "name", "action"))
        was, changes = Seen(body.version, body.step, body.paused), self._service.changes
        if action in ACTIONS:
            await changes.act(ns, name, action, was)
        elif action == "set-image":
            await changes.set_image(ns, name, body.container, body.image, was)
        elif action == "undo":
            await changes.undo(ns, name, body.revision, was)
        else:
            return _error(404, f"there is no action {action!r}: there are {', '.join(ACTIONS)}, set-image, undo")
        return _json(b"{}")


async def _no_such_call(request: web.Request) -> web.StreamResponse:
    return _error(404, "there is no such call in this API")


async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.popall("Server", None)


def _served(request: web.Request, file: File) -> web.Response:
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == file.tag:
        return web.Response(status=304, headers=headers)
    charset = None if file.content_type.startswith("image/") else "utf-8"
    return web.Response(body=file.body, content_type=file.content_type, charset=charset, headers=headers)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    body: dict[str, Any] = {"error": message, "code": 2, "message": message}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
