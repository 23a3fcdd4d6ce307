"""The API server over HTTPS: authentication, and requests as values. It is independent of Kubernetes objects."""

from __future__ import annotations

import asyncio
import hmac
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from serinus.kube.http.listener import Listener, Places
from serinus.kube.sparse_log import silence_senders
from serinus.kube.transport import Handler, Request, Response
from serinus.local.apiserver.errors import (
    StatusError,
    bad_request,
    body_encoded,
    slow_body,
    too_large,
    too_many_connections,
    unauthorized,
)
from serinus.local.apiserver.requests.negotiation import LONGEST_BODY

_OPEN = ("/healthz", "/livez", "/readyz")
MISDIRECTED = "/misdirected"
"""Path prefix of requests that clients without a kubeconfig sent to the gateway. They need no token."""
_DISCOVERY = ("/api", "/apis", "/version")
_CLOSING_SECONDS = 2.0
_LINGERING_SECONDS = 2.0
"""Seconds to discard the rest of a body, so that its sender reads the response."""

BODY_SECONDS = 30.0
"""Seconds for a whole body, of 3 MiB at most."""

READ_SECONDS = 60.0
"""Seconds. A client that reads nothing of a stream for this long loses it and resumes from its last version."""

_CLOSING = (401, 408, 413)
"""Status codes after which the connection closes: the rest of the body may still arrive."""

_SERVER = {"server": "serinus"}
"""Replaces the default header, which reveals the versions of libraries."""


class HttpsServer:
    """Serves a Handler on 127.0.0.1. Every path but the health endpoints needs the bearer token.

    `misdirected`: the message for clients that the gateway forwarded.
    """

    def __init__(
        self,
        handler: Handler,
        token: str,
        tls: ssl.SSLContext | None,
        misdirected: str = "",
        *,
        places: Places | None = None,
        read_seconds: float = READ_SECONDS,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._misdirected = misdirected
        self._handler, self._tls = handler, tls
        self._token = token.encode()
        self._places, self._read_seconds, self._body_seconds = places, read_seconds, body_seconds
        self._server: web.Server | None = None
        self._listener: Listener | None = None
        self.port = 0

    async def start(self, port: int = 0, host: str = "127.0.0.1", *, sock: socket.socket | None = None) -> int:
        """Listens, on `sock` if given. Returns the port (a free one for 0). Raises OSError if it is in use."""
        silence_senders()
        self._server = web.Server(
            self._answer,
            handler_cancellation=True,
            keepalive_timeout=300.0,
            lingering_time=_LINGERING_SECONDS,
            max_line_size=64 << 10,
            max_field_size=64 << 10,
            auto_decompress=False,
            access_log=None,
        )
        listening = _bound(host, port) if sock is None else sock
        self.port = listening.getsockname()[1]
        self._listener = Listener(self._server, listening, self._tls, self._places)
        self._listener.start()
        return self.port

    async def close(self) -> None:
        """Stops listening and ends open requests."""
        if self._listener is not None:
            await self._listener.close()
        if self._server is not None:
            self._server.pre_shutdown()
            await self._server.shutdown(_CLOSING_SECONDS)

    @property
    def connections(self) -> int:
        """Open connections with at least the handshake done."""
        return len(self._server.connections) if self._server is not None else 0

    def _signed_in(self, request: web.BaseRequest) -> bool:
        sent = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        scheme, _, token = sent.partition(b" ")
        # Scheme names are case-insensitive (RFC 9110, section 11.1).
        return hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._listener is not None
        signed_in = self._signed_in(request)
        with self._listener.serving(request.protocol, signed_in=signed_in) as has_place:
            if not has_place:
                return _plain(too_many_connections().response(), closing=True)
            response = await self._answered(request, signed_in)
            if response.stream is not None:
                self._listener.lasts(request.protocol)
                return await self._streamed(request, response)
            answer = _plain(response, closing=response.status in _CLOSING)
            # Send it within this block: a response that the client has not read is an open request.
            await answer.prepare(request)
            await answer.write_eof()
            return answer

    async def _answered(self, request: web.BaseRequest, signed_in: bool) -> Response:
        if self._misdirected and request.path.startswith(f"{MISDIRECTED}/"):
            return await self._direct(request)
        if not (signed_in or request.path in _OPEN):
            # An unauthenticated request causes no work: its body is not read.
            refused = unauthorized().response()
            return Response(401, refused.body, headers={"www-authenticate": 'Bearer realm="serinus"'})
        if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            return body_encoded(request.headers["Content-Encoding"]).response()
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _body(request) if signed_in else b""
        except TimeoutError:
            return slow_body(self._body_seconds).response()
        except (ValueError, HttpProcessingError, web.HTTPException):
            return bad_request("the body of the request could not be read").response()
        if body is None:
            return too_large(LONGEST_BODY).response()
        path = request.raw_path.partition("?")[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        if "accept" in headers and headers["accept"] != "*/*":
            headers["accept"] = ",".join(request.headers.getall("Accept"))
        return await self._handler(Request(request.method, path, dict(request.query.items()), headers, body))

    async def _direct(self, request: web.BaseRequest) -> Response:
        """Serves discovery, without which kubectl prints unclear errors. Any other request gets the message."""
        path = request.path.removeprefix(MISDIRECTED)
        if request.method != "GET" or not (path in _DISCOVERY or path.startswith("/openapi/")):
            return StatusError(403, "Forbidden", self._misdirected).response()
        accept = ",".join(request.headers.getall("Accept", ["*/*"]))
        return await self._handler(Request("GET", path, {}, {"accept": accept}))

    async def _streamed(self, request: web.BaseRequest, response: Response) -> web.StreamResponse:
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
                async with asyncio.timeout(self._read_seconds):
                    await answer.write(piece)
            await answer.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # the client disconnected; the stream is closed below
        finally:
            await _ended(response.stream)
        return answer


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.create_server((host, port), backlog=512)
    sock.setblocking(False)
    return sock


async def _ended(stream: AsyncIterator[bytes]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        with suppress(RuntimeError):
            await close()


async def _body(request: web.BaseRequest) -> bytes | None:
    """The whole body; None if it is too large, in which case the rest is not read."""
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


def _plain(response: Response, *, closing: bool = False) -> web.Response:
    answer = web.Response(
        status=response.status,
        body=response.body,
        headers={**_SERVER, **response.headers, "content-type": response.content_type},
    )
    if closing:
        answer.force_close()
    return answer
