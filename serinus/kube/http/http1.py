"""A minimal HTTP/1.1 client for one server: kept connections, and whole or streamed answers.

Requests dominate a controller's CPU time. Most have some hundred bytes on an open connection. A general client spends
more on each than all of the controller's own code; this one only writes the bytes and waits for the answer.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from asyncio import sslproto
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from socket import socket
from typing import TYPE_CHECKING, Any

from serinus.kube.http.connection import BrokenAnswer, HttpConnection, talk
from serinus.kube.http.tls import proxy_context

if TYPE_CHECKING:
    from serinus.kube.http.proxies import Proxy

# Each TLS connection of asyncio holds a buffer of this many bytes, 256 kB if nothing is set. A record of TLS has 16 kB.
sslproto.SSLProtocol.max_size = 64 * 1024

Place = tuple[int, int, int, str, Any]
"""A result of `getaddrinfo`."""

IDLE_SECONDS = 60.0
"""A connection that was idle for longer is not reused, because servers close idle connections."""


@dataclass(slots=True)
class Http1Response:
    """`body` is complete unless `stream` is set. Names of headers are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None


class Http1:
    """`tls`: None for plain HTTP. `server_hostname`: the name to check the server's certificate against."""

    def __init__(
        self,
        host: str,
        port: int,
        make_socket: Callable[[Place], socket],
        *,
        connect_seconds: float,
        proxy: Proxy | None = None,
    ) -> None:
        self._host, self._port, self._make_socket = host, port, make_socket
        self._connect_seconds, self._proxy = connect_seconds, proxy
        self._idle: list[HttpConnection] = []
        self._lasting: set[HttpConnection] = set()

    async def request(
        self, head: bytes, body: bytes, tls: ssl.SSLContext | None, server_hostname: str, *, lasting: bool, safe: bool
    ) -> Http1Response:
        """`head`: request line and headers, up to the empty line. `lasting`: a successful answer is streamed. `safe`:
        the request may be repeated if a kept connection turns out to be dead. OSError on failure."""
        while True:
            line = self._kept()
            fresh = line is None
            if line is None:
                line = await self._connect(tls, server_hostname)
            line.began = False
            try:
                assert line.transport is not None
                line.transport.write(head + body)
                return await self._answer(line, lasting)
            except OSError:
                line.close()
                if fresh or line.began or not safe:
                    raise
            except BaseException:
                line.close()  # cancelled or timed out: no other request may read the rest
                raise

    def _kept(self) -> HttpConnection | None:
        now = time.monotonic()
        while self._idle:
            line = self._idle.pop()
            if not line.closed and not line.buffer and now - line.last_used < IDLE_SECONDS:
                return line
            line.close()
        return None

    def _close_old(self, now: float) -> None:
        """A TLS connection holds a third of a megabyte. The last used ones are taken first, so the others get old."""
        while now - self._idle[0].last_used >= IDLE_SECONDS:
            self._idle.pop(0).close()

    async def _connect(self, tls: ssl.SSLContext | None, server_hostname: str) -> HttpConnection:
        proxy = self._proxy
        async with asyncio.timeout(self._connect_seconds):
            if proxy is None:
                return await self._dial(self._host, self._port, tls, server_hostname or self._host)
            line = await self._dial(
                proxy.host, proxy.port, proxy_context() if proxy.scheme == "https" else None, proxy.host
            )
            try:
                if tls is not None or proxy.scheme == "socks5":
                    await talk(line, proxy, self._host, self._port)
                if tls is not None:
                    await self._secure(line, tls, server_hostname or self._host)
            except BaseException:
                line.close()
                raise
        return line

    async def _dial(self, host: str, port: int, tls: ssl.SSLContext | None, name: str) -> HttpConnection:
        loop = asyncio.get_running_loop()
        places = await loop.getaddrinfo(host, port, type=1)  # SOCK_STREAM
        sock = await self._open(host, places)
        _, line = await loop.create_connection(
            HttpConnection, sock=sock, ssl=tls, server_hostname=name if tls else None
        )
        return line

    @staticmethod
    async def _secure(line: HttpConnection, tls: ssl.SSLContext, name: str) -> None:
        """Starts TLS on the connection, inside its present protocol."""
        assert line.transport is not None
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(line.transport, line, tls, server_hostname=name)
        if transport is None:
            raise BrokenAnswer("the connection was closed in the TLS handshake")
        line.transport = transport

    async def _open(self, host: str, places: Sequence[Place]) -> socket:
        """A socket connected to the first address that accepts."""
        loop = asyncio.get_running_loop()
        failed: OSError = OSError(f"{host} has no address")
        for place in places:
            sock = self._make_socket(place)
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, place[4])
            except OSError as error:
                sock.close()
                failed = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failed

    async def _answer(self, line: HttpConnection, lasting: bool) -> Http1Response:
        status, headers = await _head(line)
        if lasting and status < 300:
            self._lasting.add(line)
            return Http1Response(status, headers, stream=self._stream(line, headers))
        body = await _body(line, status, headers)
        if headers.get("connection", "").lower() == "close" or line.closed:
            line.close()
        else:
            line.last_used = time.monotonic()
            self._idle.append(line)
            self._close_old(line.last_used)
        return Http1Response(status, headers, body)

    async def _stream(self, line: HttpConnection, headers: dict[str, str]) -> AsyncIterator[bytes]:
        unzip = zlib.decompressobj(31) if headers.get("content-encoding") == "gzip" else None
        try:
            async for piece in _pieces(line, headers):
                yield unzip.decompress(piece) if unzip else piece
        finally:
            self._lasting.discard(line)
            line.close()

    def close(self) -> None:
        for line in (*self._idle, *self._lasting):
            line.close()
        self._idle.clear()
        self._lasting.clear()


async def _head(line: HttpConnection) -> tuple[int, dict[str, str]]:
    while True:
        first, *rest = (await line.to_empty_line())[:-4].decode("latin-1").split("\r\n")
        version, _, status_line = first.partition(" ")
        if not version.startswith("HTTP/1.") or not status_line[:3].isdigit():
            raise BrokenAnswer(f"it begins with {first[:80]!r}, which is not HTTP/1.1")
        headers: dict[str, str] = {}
        for row in rest:
            name, _, value = row.partition(":")
            headers[name.lower()] = value.strip()
        status = int(status_line[:3])
        if status >= 200:
            return status, headers


async def _body(line: HttpConnection, status: int, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length")
    if status in (204, 304):
        return b""
    if length is not None and "transfer-encoding" not in headers:
        if not length.isdigit():
            raise BrokenAnswer(f"its Content-Length is {length[:20]!r}")
        body = await line.exactly(int(length))
    else:
        body = b"".join([piece async for piece in _pieces(line, headers)])
        if "transfer-encoding" not in headers:
            line.close()  # the end of the connection ended the answer
    return zlib.decompress(body, 31) if headers.get("content-encoding") == "gzip" and body else body


async def _pieces(line: HttpConnection, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """Yields the body on arrival: its chunks, or everything up to the end of the connection."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        while line.buffer or await line.more():
            yield line.take(len(line.buffer))
        return
    while True:
        size = (await line.line()).partition(b";")[0].strip()
        try:
            count = int(size, 16)
        except ValueError:
            raise BrokenAnswer(f"a chunk begins with {size[:20]!r}") from None
        if not count:
            while await line.line():
                pass
            return
        yield await line.exactly(count)
        if await line.line():
            raise BrokenAnswer("a chunk is longer than it said")
