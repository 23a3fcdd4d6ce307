"""One connection of the HTTP client: a buffer of unread bytes, and calls that wait for more."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

from serinus.api.messages.counted import counted
from serinus.kube.http.tunnel import MOST_HEAD, TO_EMPTY_LINE, ProxyRefused, tunnel

if TYPE_CHECKING:
    from serinus.kube.http.proxies import Proxy

HIGH_WATER = 1 << 20
"""Unread bytes of a stream above which reading from the server pauses."""


class BrokenAnswer(OSError):
    """The bytes are not an HTTP/1.1 answer, or the answer is incomplete."""


class HttpConnection(asyncio.Protocol):
    """One connection. `began`: whether any byte of the current answer has arrived."""

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
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transport is compatible, but no subclass

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
        """Waits for more bytes; False at the end. OSError if the connection broke."""
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
        """The next line, without its line end."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > MOST_HEAD or not await self.more():
                raise BrokenAnswer("it ended in the middle of a line")
        return self.take(end, 2)

    async def to_empty_line(self) -> bytes:
        """Everything up to and including the first empty line. BrokenAnswer if none arrives."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > MOST_HEAD:
                raise BrokenAnswer("its headers have no end")
            if not await self.more():
                raise BrokenAnswer("the connection was closed before an answer" if not self.buffer else "it is cut off")
        return self.take(end + 4)

    def take(self, count: int, skipped: int = 0) -> bytes:
        taken = bytes(memoryview(self.buffer)[:count])
        del self.buffer[: count + skipped]
        return taken

    async def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not await self.more():
                raise BrokenAnswer(f"it ended {counted(count - len(self.buffer), 'byte')} too soon")
        return self.take(count)

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.close()


async def talk(line: HttpConnection, proxy: Proxy, host: str, port: int) -> None:
    """Requests a connection to the server from the proxy. ProxyRefused if the proxy refuses."""
    told = tunnel(proxy, host, port)
    got = None
    try:
        while True:
            sent, expected = next(told) if got is None else told.send(got)
            assert line.transport is not None
            line.transport.write(sent)
            got = await line.exactly(expected) if expected != TO_EMPTY_LINE else await line.to_empty_line()
    except StopIteration:
        return
    except BrokenAnswer:
        raise ProxyRefused(f"the proxy {proxy.where} broke off") from None
