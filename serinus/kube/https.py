"""A `Handler` of a remote API server, over HTTP/1.1 connections that are kept.

Watches and followed logs hold a connection each and may last; everything else shares a bounded number and must answer
in time. A lost connection, a time-out, a name that does not resolve are all `Unavailable`: try again later. Whether a
write that was cut off took place is unknown: callers decide again from what they then observe.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from serinus.kube import http1
from serinus.kube.config import Connection
from serinus.kube.errors import Forbidden, Unavailable
from serinus.kube.exec_plugin import Credential, ExecFailed, ask
from serinus.kube.tls import tls_context
from serinus.kube.wire import Request, Response

ANSWER_SECONDS = 30.0
"""An API server ends a slow request after 60 s; half of it, as a controller has better things to do than to wait."""

CONNECT_SECONDS = 10.0
AT_ONCE = 32
"""Requests under way at once, watches apart."""

_PLAIN = "/:@!$&'()*+,;=~-._"
"""What stands in a path as it is."""

TOKEN_SECONDS = 10.0
"""A token file is read again after this: kubelets renew it long before the old one ends."""


class HttpsHandler:
    """Calls the API server of `connection`. Make it and use it in one event loop; `close` it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._base = connection.server
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tls: ssl.SSLContext | None = None
        self._credential: Credential | None = None
        self._token, self._token_read = connection.token, float("-inf")
        self._renewing = asyncio.Lock()
        url = URL(connection.server)
        local = _is_loopback(url.host or "")
        self._direct = not connection.proxy and (local or not _proxied(url))
        self._http1 = http1.Http1(url.host or "", url.port or 443, _kept_alive, connect_seconds=CONNECT_SECONDS)
        self._prefix = url.raw_path.rstrip("/")
        self._host = url.authority
        # Compressing costs both sides more than a loopback saves.
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
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, request: Request, *, lasting: bool) -> Response:
        headers = await self._identity(renew=False)
        if self._direct:
            found = await self._straight(request, headers, lasting)
            if found.status == 401 and (renewed := await self._identity(renew=True)) != headers:
                found = await self._straight(request, renewed, lasting)
            return found
        answer = await self._once(request, headers, lasting)
        if answer.status == 401 and (renewed := await self._identity(renew=True)) != headers:
            answer.close()
            answer = await self._once(request, renewed, lasting)
        return await self._response(answer, lasting)

    async def _straight(self, request: Request, identity: list[tuple[str, str]], lasting: bool) -> Response:
        """Without a proxy, on connections of our own."""
        headers = [("Host", self._host), *request.headers.items(), *identity]
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
                found = await self._http1.request(
                    head,
                    request.body,
                    tls if isinstance(tls, ssl.SSLContext) else None,
                    self._connection.tls_server_name,
                    lasting=lasting,
                    safe=request.method == "GET",
                )
        except (OSError, zlib.error) as error:
            raise self._unavailable(error) from error
        kind = found.headers.get("content-type", "").partition(";")[0]
        stream = self._told(found.stream) if found.stream is not None else None
        return Response(found.status, found.body, kind, found.headers, stream)

    async def _told(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in stream:
                yield piece
        except (OSError, zlib.error) as error:
            raise self._unavailable(error) from error
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    async def _once(self, request: Request, identity: list[tuple[str, str]], lasting: bool) -> aiohttp.ClientResponse:
        limit = self._connection.timeout or ANSWER_SECONDS
        timeout = aiohttp.ClientTimeout(total=None if lasting else limit, sock_connect=CONNECT_SECONDS)
        try:
            return await self._ready().request(
                request.method,
                URL(self._base + request.path).with_query(dict(request.query)),
                data=request.body or None,
                headers=[*request.headers.items(), *identity],
                timeout=timeout,
                ssl=self._tls_context(),
                server_hostname=self._connection.tls_server_name or None,
                proxy=self._connection.proxy or None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def _response(self, answer: aiohttp.ClientResponse, lasting: bool) -> Response:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if lasting and answer.status < 300:
            return Response(
                answer.status, content_type=answer.content_type, headers=headers, stream=self._pieces(answer)
            )
        try:
            body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unavailable(error) from error
        return Response(answer.status, body, answer.content_type, headers)

    async def _pieces(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for piece in answer.content.iter_any():
                yield piece
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unavailable(error) from error
        finally:
            answer.close()

    def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, socket_factory=_kept_alive)
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=not self._direct,
                headers={"accept-encoding": "identity" if self._plain else "gzip"},
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=1 << 18,
            )
        return self._session

    async def _identity(self, *, renew: bool) -> list[tuple[str, str]]:
        """The headers that say who calls. `renew`: what was sent has been refused."""
        connection = self._connection
        headers = list(connection.impersonate)
        plugin = connection.exec_plugin
        token = (await self._ask(renew)).token if plugin is not None else self._current_token(renew)
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        elif connection.username:
            pair = base64.b64encode(f"{connection.username}:{connection.password}".encode()).decode()
            headers.append(("Authorization", f"Basic {pair}"))
        return headers

    def _current_token(self, renew: bool) -> str:
        file, now = self._connection.token_file, time.monotonic()
        if file and (renew or now - self._token_read > TOKEN_SECONDS):
            try:
                self._token = Path(file).read_text().strip()
            except OSError as error:
                if not self._token:
                    message = (
                        f"the token file {file} cannot be read: {error.strerror}. Check tokenFile in the kubeconfig."
                    )
                    raise Forbidden(401, "Unauthorized", message) from error
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

    def _tls_context(self) -> ssl.SSLContext | bool:
        if not self._base.startswith("https:"):
            return True
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
        elif isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
            refused = error if isinstance(error, ssl.SSLError) else error.certificate_error
            why = f"its certificate was refused ({refused}): check certificate-authority in the config"
        else:
            why = str(error) or type(error).__name__
        return Unavailable(0, "", f"the API server {self._base} cannot be reached: {why}")


def _kept_alive(address: Any) -> socket.socket:
    """A socket that notices within half a minute that the other side is gone: a watch may be silent for long."""
    family, type_, proto, _, _ = address
    made = socket.socket(family, type_, proto)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000)):
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def _proxied(url: URL) -> bool:
    """Whether the environment names a proxy for this server."""
    return url.scheme in getproxies() and not proxy_bypass(url.host or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
