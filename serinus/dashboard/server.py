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
from serinus.dashboard import bodies, job_logs, namespaces
from serinus.dashboard.access import HEADERS, SAFE, Denied
from serinus.dashboard.commands import ACTIONS, MovedOn, Refused, Seen
from serinus.dashboard.files import File, files, index, template
from serinus.dashboard.hub import PIECE, TooManyPages
from serinus.dashboard.identity.first_screen import first_screen
from serinus.dashboard.identity.gate import ASKER, CHANGE, Asker, Gate, viewer_of
from serinus.dashboard.identity.local_gate import LocalGate
from serinus.dashboard.identity.shown import Shown
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.dashboard.stream import LASTS, stream, write
from serinus.kube.errors import ApiError
from serinus.kube.http.listener import Listener
from serinus.kube.sparse_log import silence_senders

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LONGEST_BODY = 16 * 1024
HEALTH = ("/healthz", "/readyz")
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
    """`start` it, then `run` its service beside it; `close` ends both. `gate`: for a team; without it the dashboard is
    for the user of this machine."""

    def __init__(self, service: Service, settings: Settings, gate: Gate | None = None) -> None:
        self.port = 0
        self._service, self._settings, self._root = service, settings, settings.root
        self._files, self._template = files(), template()
        self._gate = gate or LocalGate(settings, service.owner)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serves on a bound socket."""
        self.port = listening.getsockname()[1]
        self._gate.opened(self.port)
        app = web.Application(middlewares=[self._guard], client_max_size=LONGEST_BODY)
        app.on_response_prepare.append(_with_headers)
        root, ui = self._root, f"{self._root}/api/ui/v1"
        app.add_routes(self._gate.routes())
        old_api.add_routes(app, f"{root}/api/v1", self._service)
        job_logs.add_routes(app, ui)
        namespaces.add_routes(app, ui)
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

    @web.middleware
    async def _guard(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        assert self._listener is not None
        if request.path in HEALTH:
            return self._health(request)
        with self._listener.serving(request.protocol, signed_in=False):
            asker, refusal = await self._asker(request)
        if refusal is not None:
            return refusal
        signed_in = asker is not None and asker.signed_in
        with self._listener.serving(request.protocol, signed_in=signed_in) as has_place:
            if not has_place:
                return _error(503, "Too many connections are open: close other pages of this dashboard.")
            request[LASTS] = partial(self._listener.lasts, request.protocol)
            return await self._guarded(request, asker, handler)

    def _health(self, request: web.Request) -> web.StreamResponse:
        """For kubelets, which have no identity: without a word of the API server. It is ready after the first list."""
        if request.path == HEALTH[0] or self._service.world.rollouts.synced.is_set():
            return web.Response(text="ok")
        return web.Response(status=503, text="the Rollouts are not read yet")

    async def _asker(self, request: web.Request) -> tuple[Asker | None, web.StreamResponse | None]:
        """(the user, the answer that refuses the request)."""
        try:
            return await self._gate.asker(request), None
        except Denied as denied:
            return None, _error(denied.status, denied.message)
        except ApiError as error:
            return None, _error(502, f"The API server cannot confirm who you are: {error}")

    async def _guarded(self, request: web.Request, asker: Asker | None, handler: Answer) -> web.StreamResponse:
        public = request.path.startswith((f"{self._root}/static/", f"{self._root}/auth/"))
        if asker is not None:
            request[ASKER] = asker
        answer = await self._answered(request, asker, handler, public)
        if request.method not in SAFE and not public:
            self._gate.audit(request, asker, answer.status, "" if answer.status < 400 else _reason(answer))
        return answer

    async def _answered(
        self, request: web.Request, asker: Asker | None, handler: Answer, public: bool
    ) -> web.StreamResponse:
        try:
            self._gate.check(request, asker, public=public)
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

    async def _to_root(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{self._root}/")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = self._files.get(request.match_info["file"])
        if found is None:
            raise web.HTTPNotFound(text="There is no such file.")
        return _served(request, found)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        values = {"base": f"{self._root}/", "version": serinus.__version__}
        rest = request.match_info["rest"].strip("/")
        first = await first_screen(self._service, request[ASKER], rest, request.query)
        body = index(self._template.body, values, user=viewer_of(request).name, first=first)
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": self._template.policy}
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        ns, _, name = request.query.get("rollout", "").partition("/")
        return await stream(request, self._service, (ns, name) if name else None)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        ns, shown = request.query.get("namespace", ""), Shown(self._service, viewer_of(request))
        keys = [key for key in sorted(self._service.hub.lines) if ns in ("", key[0])]
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        comma = b""
        try:
            await write(request, response, b'{"rows":[')
            # In pieces, because the whole text of 5,000 Rollouts would be a twentieth of this process's memory.
            for start in range(0, len(keys), PIECE):
                lines, _ = await shown.part(keys[start : start + PIECE])
                if lines:
                    await write(request, response, comma + b",".join(lines))
                    comma = b","
            state = msgspec.json.encode(shown.state(complete=not ns))
            await write(request, response, b'],"state":%b}' % state)
        except ConnectionError:
            pass  # the client has disconnected
        return response

    async def _detail(self, request: web.Request) -> web.StreamResponse:
        ns, name = request.match_info["ns"], request.match_info["name"]
        asker = request[ASKER]
        found = await self._service.detail((ns, name), asker.viewer)
        if found is None:
            return _error(404, f'rollouts.argoproj.io "{name}" not found in namespace {ns}')
        return _json(msgspec.json.encode({**found, "readOnly": asker.read_only}))

    async def _change(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await bodies.read(request) or b"{}", type=_Change)
        request[CHANGE] = {"container": body.container, "image": body.image, "to": str(body.revision or "")}
        ns, name, action = (request.match_info[part] for part in ("ns", "name", "action"))
        was, changes = Seen(body.version, body.step, body.paused), viewer_of(request).changes
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
    for name, value in (*HEADERS.items(), ("Cache-Control", "no-store")):
        response.headers.setdefault(name, value)
    response.headers.popall("Server", None)


def _served(request: web.Request, file: File) -> web.Response:
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == file.tag:
        return web.Response(status=304, headers=headers)
    charset = None if file.content_type.startswith("image/") else "utf-8"
    return web.Response(body=file.body, content_type=file.content_type, charset=charset, headers=headers)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _reason(answer: web.StreamResponse) -> str:
    """The message of a refusal."""
    body = answer.body if isinstance(answer, web.Response) else b""
    try:
        return str(msgspec.json.decode(body)["message"]) if isinstance(body, bytes) else ""
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""


def _error(status: int, message: str) -> web.Response:
    body: dict[str, Any] = {"error": message, "code": 2, "message": message}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
