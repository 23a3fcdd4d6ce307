"""HTTP/1.1 for one client and one server: connections that are kept, answers whole or as a stream, nothing else.

A controller's time goes into requests, most of them some hundred bytes on a connection that is there already. A general
client spends more on each than all that the controller thinks about it; this one writes the bytes and waits for the answer.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from socket import socket
from typing import Any, cast

Place = tuple[int, int, int, str, Any]
"""What `getaddrinfo` finds."""

IDLE_SECONDS = 60.0
"""A kept connection that was not used for longer is not used again: servers close them at some point."""

MOST_HEAD = 64 * 1024
HIGH_WATER = 1 << 20
"""Bytes of a stream that wait to be read before the server is made to wait."""


class BrokenAnswer(OSError):
    """What came is no HTTP/1.1 answer, or ended before its end."""


@dataclass(slots=True)
class Answer:
    """`body` is whole, unless `stream` is there. Names of headers are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None


class _Line(asyncio.Protocol):
    """One connection. `began`: whether anything of the current answer has come."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.closed = False
        self.began = False
        self.last_used = time.monotonic()
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, and no subclass

    def data_received(self, data: bytes) -> None:
        self.began = True
        self.buffer += data
        if len(self.buffer) > HIGH_WATER and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.closed = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed, self._error = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def more(self) -> bool:
        """Waits until more has come; False at the end. OSError if the connection broke."""
        if self.closed:
            if self._error is not None:
                raise self._error if isinstance(self._error, OSError) else BrokenAnswer(str(self._error))
            return False
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        had = len(self.buffer)
        try:
            await self._waiter
        finally:
            self._waiter = None
        return len(self.buffer) > had or await self.more()

    async def line(self) -> bytes:
        """Up to the next line's end, which is taken off."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > MOST_HEAD or not await self.more():
                raise BrokenAnswer("it ended in the middle of a line")
        return self.take(end, 2)

    def take(self, count: int, skipped: int = 0) -> bytes:
        found = bytes(memoryview(self.buffer)[:count])
        del self.buffer[: count + skipped]
        return found

    async def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not await self.more():
                raise BrokenAnswer(f"it ended {count - len(self.buffer)} bytes too soon")
        return self.take(count)

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.close()


class Http1:
    """`tls`: None for plain HTTP. `server_hostname`: to check its certificate against."""

    def __init__(
        self,
        host: str,
        port: int,
        make_socket: Callable[[Place], socket],
        *,
        connect_seconds: float,
    ) -> None:
        self._host, self._port, self._make_socket = host, port, make_socket
        self._connect_seconds = connect_seconds
        self._idle: list[_Line] = []
        self._lasting: set[_Line] = set()

    async def request(
        self, head: bytes, body: bytes, tls: ssl.SSLContext | None, server_hostname: str, *, lasting: bool, safe: bool
    ) -> Answer:
        """`head`: request line and headers, up to the empty line. `lasting`: the answer is streamed, if it is a good one.
        `safe`: it may be sent a second time where a kept connection turns out to be dead. OSError when it fails."""
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
                line.close()  # cancelled or timed out: the rest of this answer must not be another's
                raise

    def _kept(self) -> _Line | None:
        now = time.monotonic()
        while self._idle:
            line = self._idle.pop()
            if not line.closed and not line.buffer and now - line.last_used < IDLE_SECONDS:
                return line
            line.close()
        return None

    async def _connect(self, tls: ssl.SSLContext | None, server_hostname: str) -> _Line:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._connect_seconds):
            places = await loop.getaddrinfo(self._host, self._port, type=1)  # SOCK_STREAM
            made = await self._open(places)
            _, line = await loop.create_connection(
                _Line, sock=made, ssl=tls, server_hostname=(server_hostname or self._host) if tls else None
            )
        return line

    async def _open(self, places: Sequence[Place]) -> socket:
        """A connected socket to the first place that takes one."""
        loop = asyncio.get_running_loop()
        failed: OSError = OSError(f"{self._host} has no address")
        for place in places:
            made = self._make_socket(place)
            made.setblocking(False)
            try:
                await loop.sock_connect(made, place[4])
            except OSError as error:
                made.close()
                failed = error
            except BaseException:
                made.close()
                raise
            else:
                return made
        raise failed

    async def _answer(self, line: _Line, lasting: bool) -> Answer:
        status, headers = await _head(line)
        if lasting and status < 300:
            self._lasting.add(line)
            return Answer(status, headers, stream=self._stream(line, headers))
        body = await _body(line, status, headers)
        if headers.get("connection", "").lower() == "close" or line.closed:
            line.close()
        else:
            line.last_used = time.monotonic()
            self._idle.append(line)
        return Answer(status, headers, body)

    async def _stream(self, line: _Line, headers: dict[str, str]) -> AsyncIterator[bytes]:
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


async def _head(line: _Line) -> tuple[int, dict[str, str]]:
    while True:
        while (end := line.buffer.find(b"\r\n\r\n")) < 0:
            if len(line.buffer) > MOST_HEAD:
                raise BrokenAnswer("its headers have no end")
            if not await line.more():
                raise BrokenAnswer("the connection was closed before an answer" if not line.buffer else "it is cut off")
        first, *rest = line.take(end, 4).decode("latin-1").split("\r\n")
        version, _, said = first.partition(" ")
        if not version.startswith("HTTP/1.") or not said[:3].isdigit():
            raise BrokenAnswer(f"it begins with {first[:80]!r}, which is not HTTP/1.1")
        headers: dict[str, str] = {}
        for row in rest:
            name, _, value = row.partition(":")
            headers[name.lower()] = value.strip()
        status = int(said[:3])
        if status >= 200:
            return status, headers


async def _body(line: _Line, status: int, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length")
    if status in (204, 304):
        return b""
    if length is not None and "transfer-encoding" not in headers:
        if not length.isdigit():
            raise BrokenAnswer(f"its Content-Length is {length[:20]!r}")
        found = await line.exactly(int(length))
    else:
        found = b"".join([piece async for piece in _pieces(line, headers)])
        if "transfer-encoding" not in headers:
            line.close()  # its end was the connection's
    return zlib.decompress(found, 31) if headers.get("content-encoding") == "gzip" and found else found


async def _pieces(line: _Line, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """The body as it comes: of chunks, or up to the end of the connection."""
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
