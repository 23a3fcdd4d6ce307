"""HTTPS around `ApiServer.handle`: TLS, the bearer token, sizes, streams.

Nothing is answered without the token but health and a 401 that says nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from serinus.kube.wire import Handler, Request, Response
from serinus.local.apiserver.body import MOST_BYTES
from serinus.local.apiserver.failure import Failure

OPEN = frozenset({"/healthz", "/livez", "/readyz"})
HEADERS = ("accept", "content-type", "user-agent")
Application = web.Application


class HttpsServer:
    """Serves a handler on 127.0.0.1. `port` 0 is any free one; `start` returns the one in use."""

    def __init__(self, handler: Handler, *, token: str, certificate: Path, key: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self._handler, self._expected = handler, f"Bearer {token}".encode()
        self._host, self.port = host, port
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(certificate, key)
        self._runner: Any = None

    async def start(self) -> int:
        """Raises OSError when the port is taken."""
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port, ssl_context=self._tls, backlog=512)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self.port

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path not in OPEN and not self._known(request):
            body = Failure(401, "Unauthorized", "Unauthorized").status()
            return web.Response(status=401, body=msgspec.json.encode(body), content_type="application/json", headers={"WWW-Authenticate": "Bearer"})
        if (request.content_length or 0) > MOST_BYTES:
            return _plain(Failure(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MOST_BYTES}").response())
        try:
            body = await _bounded(request)
        except Failure as failure:
            return _plain(failure.response())
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        answer = await self._handler(Request(request.method, request.path, dict(request.query), headers, body))
        if answer.stream is None:
            return _plain(answer)
        return await _streamed(request, answer)

    def _known(self, request: web.BaseRequest) -> bool:
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), self._expected)


async def _bounded(request: web.BaseRequest) -> bytes:
    """The body, as long as it is within the limit however it is sent."""
    pieces, size = list[bytes](), 0
    if not request.body_exists:
        return b""
    async for piece in request.content.iter_any():
        size += len(piece)
        if size > MOST_BYTES:
            raise Failure(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MOST_BYTES}")
        pieces.append(piece)
    return b"".join(pieces)


def _plain(answer: Response) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type, **answer.headers})


async def _streamed(request: web.BaseRequest, answer: Response) -> web.StreamResponse:
    out = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type, **answer.headers})
    await out.prepare(request)
    assert answer.stream is not None
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        async for piece in answer.stream:
            await out.write(piece)
    with suppress(ConnectionError):
        await out.write_eof()
    return out
