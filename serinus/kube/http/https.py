"""A `Handler` of a remote API server, over kept HTTP/1.1 connections.

Watches and followed logs each hold a connection and may last. All other requests share a bounded number of connections
and must be answered in time. A lost connection, a time-out and an unresolved name are all `Unavailable`: try again
later. The outcome of a write that was cut off is unknown: callers decide again from the observed state.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from serinus.kube.configuration.authentication import identity, token_of
from serinus.kube.configuration.config import Connection
from serinus.kube.configuration.exec_plugin import Credential, ExecFailed, ask
from serinus.kube.errors import Forbidden, Unavailable
from serinus.kube.http import http1
from serinus.kube.http.proxies import proxy_at
from serinus.kube.http.tls import tls_context
from serinus.kube.http.tunnel import authorization
from serinus.kube.transport import Request, Response

ANSWER_SECONDS = 30.0
"""An API server ends a slow request after 60 s. Half of that limits how long a controller waits."""

CONNECT_SECONDS = 10.0
AT_ONCE = 32
"""Concurrent requests, without watches."""

_PLAIN = "/:@!$&'()*+,;=~-._"
"""Characters that a path contains unescaped."""

TOKEN_SECONDS = 10.0
"""A token file is read again after this. Kubelets renew it long before the old token expires."""


class HttpsHandler:
    """Calls the API server of `connection`. Create and use it in one event loop, then `close` it. `at_once`: concurrent
    requests, without watches."""

    def __init__(self, connection: Connection, *, at_once: int = AT_ONCE) -> None:
        self._connection = connection
        self._base = connection.server
        self._slots = asyncio.Semaphore(at_once)
        self._tls: ssl.SSLContext | None = None
        self._credential: Credential | None = None
        self._token, self._token_read = connection.token, float("-inf")
        self._renewing = asyncio.Lock()
        url = urlsplit(connection.server)
        secure, host = url.scheme == "https", url.hostname or ""
        local = _is_loopback(host)
        proxy = proxy_at(connection.proxy) if connection.proxy else None
        self._http1 = http1.Http1(
            host, url.port or (443 if secure else 80), _kept_alive, connect_seconds=CONNECT_SECONDS, proxy=proxy
        )
        self._prefix = url.path.rstrip("/")
        self._to_proxy: list[tuple[str, str]] = []
        if proxy is not None and proxy.scheme != "socks5" and not secure:
            # A plain request through an HTTP proxy goes to the proxy; all others go through a tunnel.
            self._prefix = connection.server.rstrip("/")
            self._to_proxy = [("Proxy-Authorization", credentials)] if (credentials := authorization(proxy)) else []
        self._host = url.netloc.rpartition("@")[2]
        # On a loopback, compression costs more than it saves.
        self._plain = connection.disable_compression or local

    async def __call__(self, request: Request) -> Response:
        lasting = (
            "true" in (request.query.get("watch"), request.query.get("follow")) or request.query.get("watch") == "1"
        )
        if lasting:
            return await self._send(request, lasting=True)
        async with self._slots:
            return await self._send(request, lasting=False)

    async def close(self) -> None:
        self._http1.close()

    async def _send(self, request: Request, *, lasting: bool) -> Response:
        headers = await self._identity(renew=False)
        response = await self._once(request, headers, lasting)
        if response.status == 401 and (renewed := await self._identity(renew=True)) != headers:
            response = await self._once(request, renewed, lasting)
        return response

    async def _once(self, request: Request, who: list[tuple[str, str]], lasting: bool) -> Response:
        headers = [("Host", self._host), *request.headers.items(), *who, *self._to_proxy]
        headers.append(("Accept-Encoding", "identity" if self._plain else "gzip"))
        if request.body or request.method not in ("GET", "DELETE"):
            headers.append(("Content-Length", str(len(request.body))))
        rows = "".join(f"{name}: {value}\r\n" for name, value in headers)
        if rows.count("\n") != len(headers) or rows.count("\r") != len(headers):
            raise Unavailable(
                0, "", "a header of this request holds a line break: look at the token and the user's name"
            )
        query = f"?{urlencode(request.query)}" if request.query else ""
        target = f"{self._prefix}{quote(request.path, _PLAIN)}{query}"
        head = f"{request.method} {target} HTTP/1.1\r\n{rows}\r\n".encode("utf-8", "surrogateescape")
        limit = self._connection.timeout or ANSWER_SECONDS
        tls = self._tls_context()
        try:
            async with asyncio.timeout(None if lasting else limit):
                answer = await self._http1.request(
                    head,
                    request.body,
                    tls,
                    self._connection.tls_server_name,
                    lasting=lasting,
                    safe=request.method == "GET",
                )
        except (OSError, zlib.error) as error:
            raise self._unavailable(error) from error
        kind = answer.headers.get("content-type", "").partition(";")[0]
        stream = self._told(answer.stream) if answer.stream is not None else None
        return Response(answer.status, answer.body, kind, answer.headers, stream)

    async def _told(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in stream:
                yield piece
        except (OSError, zlib.error) as error:
            raise self._unavailable(error) from error
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    async def _identity(self, *, renew: bool) -> list[tuple[str, str]]:
        """The authentication headers. `renew`: the server has refused the previous ones."""
        plugin = self._connection.exec_plugin
        token = (await self._ask(renew)).token if plugin is not None else self._current_token(renew)
        return identity(self._connection, token)

    def _current_token(self, renew: bool) -> str:
        file, now = self._connection.token_file, time.monotonic()
        if file and (renew or now - self._token_read > TOKEN_SECONDS):
            self._token = token_of(file, self._token)
            self._token_read = now
        return self._token

    async def _ask(self, renew: bool) -> Credential:
        plugin, before = self._connection.exec_plugin, self._credential
        assert plugin is not None
        async with self._renewing:
            held = self._credential
            soon = held is None or (held.expires is not None and held.expires - 30 < time.time())
            if held is None or soon or (renew and held is before):
                try:
                    self._credential = held = await asyncio.to_thread(ask, plugin)
                except ExecFailed as error:
                    raise Forbidden(401, "Unauthorized", str(error)) from error
                if held.client_certificate:
                    self._tls = None
            return held

    def _tls_context(self) -> ssl.SSLContext | None:
        if not self._base.startswith("https:"):
            return None
        if self._tls is None:
            held = self._credential
            by_program = held is not None and bool(held.client_certificate)
            certificate = held.client_certificate if held and by_program else self._connection.client_certificate
            key = held.client_key if held and by_program else self._connection.client_key
            self._tls = tls_context(self._connection, certificate, key)
        return self._tls

    def _unavailable(self, error: BaseException) -> Unavailable:
        if isinstance(error, TimeoutError):
            why = "it did not answer in time"
        elif isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate was refused ({error}): check certificate-authority in the config"
        else:
            why = str(error) or type(error).__name__
        return Unavailable(0, "", f"the API server {self._base} cannot be reached: {why}")


def _kept_alive(address: Any) -> socket.socket:
    """A socket that detects a lost peer within half a minute, because a watch may be silent for long."""
    family, type_, proto, _, _ = address
    sock = socket.socket(family, type_, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
