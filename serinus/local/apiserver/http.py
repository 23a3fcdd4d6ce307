"""The API server over HTTPS: who may come in, and requests as values. Nothing here knows Kubernetes objects."""

from __future__ import annotations

import hmac
import logging
import socket
import ssl
from contextlib import suppress

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from serinus.kube.wire import Handler, Request, Response
from serinus.local.apiserver.errors import StatusError, bad_request, too_large, unauthorized
from serinus.local.apiserver.negotiation import LONGEST_BODY

_log = logging.getLogger(__name__)
_OPEN = ("/healthz", "/livez", "/readyz")
MISDIRECTED = "/misdirected"
"""Prefix of requests that Kubernetes clients sent to the gateway, for want of a kubeconfig. They need no token."""
_DISCOVERY = ("/api", "/apis", "/version")
_CLOSING_SECONDS = 2.0
_SERVER = {"server": "serinus"}
"""Instead of the versions of everything below, which are nobody's business."""


class HttpsServer:
    """Serves a Handler on 127.0.0.1. Every path but the health endpoints needs the bearer token.

    `misdirected`: the sentence for clients that the gateway passed on.
    """

    def __init__(self, handler: Handler, token: str, tls: ssl.SSLContext | None, misdirected: str = "") -> None:
        self._misdirected = misdirected
        self._handler, self._tls = handler, tls
        self._expected = b"Bearer " + token.encode()
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def start(self, port: int = 0, host: str = "127.0.0.1", *, sock: socket.socket | None = None) -> int:
        """Listens, on `sock` where one is given; returns the port (a free one for 0). Raises OSError where it is taken."""
        server = web.Server(
            self._answer,
            handler_cancellation=True,
            keepalive_timeout=300.0,
            max_line_size=64 << 10,
            max_field_size=64 << 10,
            access_log=None,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_CLOSING_SECONDS)
        await self._runner.setup()
        site = (
            web.TCPSite(self._runner, host, port, ssl_context=self._tls, backlog=512)
            if sock is None
            else web.SockSite(self._runner, sock, ssl_context=self._tls, backlog=512)
        )
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self.port

    async def close(self) -> None:
        """Stops listening and ends open requests."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _admitted(self, request: web.BaseRequest) -> bool:
        sent = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(sent, self._expected) or request.path in _OPEN

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._misdirected and request.path.startswith(f"{MISDIRECTED}/"):
            return await self._direct(request)
        if not self._admitted(request):
            # The body is not even read: what is unknown gets no work.
            return _plain(unauthorized().response(), {"www-authenticate": 'Bearer realm="serinus"'}, closing=True)
        try:
            body = await _body(request)
        except (ValueError, HttpProcessingError, web.HTTPException):
            return _plain(bad_request("the body of the request could not be read").response(), closing=True)
        if body is None:
            return _plain(too_large(LONGEST_BODY).response(), closing=True)
        path = request.raw_path.partition("?")[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        if "accept" in headers and headers["accept"] != "*/*":
            headers["accept"] = ",".join(request.headers.getall("Accept"))
        response = await self._handler(Request(request.method, path, dict(request.query.items()), headers, body))
        if response.stream is None:
            return _plain(response)
        return await _streamed(request, response)

    async def _direct(self, request: web.BaseRequest) -> web.Response:
        """Discovery, without which kubectl prints nothing but noise; then the sentence in place of any object."""
        path = request.path.removeprefix(MISDIRECTED)
        if request.method != "GET" or not (path in _DISCOVERY or path.startswith("/openapi/")):
            return _plain(StatusError(403, "Forbidden", self._misdirected).response(), closing=True)
        accept = ",".join(request.headers.getall("Accept", ["*/*"]))
        return _plain(await self._handler(Request("GET", path, {}, {"accept": accept})))


async def _body(request: web.BaseRequest) -> bytes | None:
    """The whole body; None where it is too large, of which then no more is read."""
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > LONGEST_BODY:
        return None
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > LONGEST_BODY:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _plain(response: Response, headers: dict[str, str] | None = None, *, closing: bool = False) -> web.Response:
    answer = web.Response(
        status=response.status,
        body=response.body,
        headers={**_SERVER, **response.headers, **(headers or {}), "content-type": response.content_type},
    )
    if closing:
        answer.force_close()
    return answer


async def _streamed(request: web.BaseRequest, response: Response) -> web.StreamResponse:
    assert response.stream is not None
    answer = web.StreamResponse(
        status=response.status,
        headers={
            **_SERVER,
            **response.headers,
            "content-type": response.content_type,
            "cache-control": "no-cache, private",
        },
    )
    if request.version >= (1, 1):
        answer.enable_chunked_encoding()
    try:
        await answer.prepare(request)
        async for piece in response.stream:
            await answer.write(piece)
        await answer.write_eof()
    except ConnectionError:
        pass  # the reader went away; the stream is closed below
    finally:
        close = getattr(response.stream, "aclose", None)
        if close is not None:
            with suppress(RuntimeError):
                await close()
    return answer
