"""The part of HTTP/1.1 that the demo application needs: a server on asyncio's protocols, without a library.

After `stop` it answers for another `stop_delay` with `Connection: close`, because clients may not have observed the
stop yet. Then it closes idle connections, finishes open requests, and ends.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


@dataclass(slots=True)
class DemoResponse:
    status: int
    body: bytes
    content_type: str = "application/json"
    after: float = 0.0
    """Seconds to wait before the answer is sent."""


@dataclass(slots=True)
class DemoRequest:
    method: str
    path: str
    body: bytes
    keep_alive: bool


class BadRequest(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def take_request(buffer: bytearray) -> DemoRequest | None:
    """Removes the first complete request from the buffer and returns it; None if incomplete. Raises BadRequest."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_HEAD:
            raise BadRequest(431, "the request's head is too long")
        return None
    first, *header_lines = buffer[:end].decode("latin-1").split("\r\n")
    try:
        method, path, version = first.split(" ")
    except ValueError:
        raise BadRequest(400, "not an HTTP request") from None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in header_lines)}
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection and (version == "HTTP/1.1" or "keep-alive" in connection)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        taken = _take_chunks(buffer, end + 4)
        if taken is None:
            return None
        body, after = taken
    else:
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise BadRequest(400, "Content-Length is not a number")
        if int(length) > MAX_BODY:
            raise BadRequest(413, "the request's body is too long")
        after = end + 4 + int(length)
        if len(buffer) < after:
            return None
        body = bytes(buffer[end + 4 : after])
    del buffer[:after]
    return DemoRequest(method, path, body, keep_alive)


def _take_chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """A chunked body and its end; None if incomplete."""
    body = b""
    while True:
        line_end = buffer.find(b"\r\n", start)
        if line_end < 0:
            return None
        try:
            size = int(bytes(buffer[start:line_end]).partition(b";")[0], 16)
        except ValueError:
            raise BadRequest(400, "a chunk's size is not a number") from None
        if len(body) + size > MAX_BODY:
            raise BadRequest(413, "the request's body is too long")
        start = line_end + 2 + size + 2
        if len(buffer) < start:
            return None
        body += buffer[line_end + 2 : line_end + 2 + size]
        if size == 0:
            return body, start


@dataclass
class DemoServer:
    """One listener. `respond(method, path, body)` returns the answers; all times in seconds."""

    host: str
    port: int
    respond: Callable[[str, str, bytes], DemoResponse]
    name: str
    start_delay: float = 0.0
    stop_delay: float = 0.0
    draining: bool = False
    connections: set[DemoConnection] = field(default_factory=lambda: set[DemoConnection]())
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once draining is over and the last connection has closed."""

    async def run(self, stop: asyncio.Event) -> None:
        """Listens until `stop`, then drains. Raises OSError if the address is unavailable."""
        loop = asyncio.get_running_loop()
        if self.start_delay:
            waiter = asyncio.ensure_future(stop.wait())
            await asyncio.wait([waiter], timeout=self.start_delay)
            if stop.is_set():
                return
            waiter.cancel()
        listener = await loop.create_server(lambda: DemoConnection(self), self.host, self.port, backlog=512)
        host, port = listener.sockets[0].getsockname()[:2]
        print(f"{self.name}: listening on http://{host}:{port}", flush=True)
        await stop.wait()
        self.draining = True
        print("told to stop: finishing what has begun", flush=True)
        await asyncio.sleep(self.stop_delay)
        listener.close()
        for connection in list(self.connections):
            connection.close_if_idle()
        while self.connections:
            self.idle.clear()
            await self.idle.wait()


class DemoConnection(asyncio.Protocol):
    """One client. Requests are answered one at a time in order, even if pipelined."""

    def __init__(self, server: DemoServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._busy = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._server.idle.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > 4 * (MAX_HEAD + MAX_BODY):
            self._transport.close()
        else:
            self._next()

    def close_if_idle(self) -> None:
        if not self._busy:
            self._transport.close()

    def _next(self) -> None:
        if self._busy or self._transport.is_closing():
            return
        try:
            request = take_request(self._buffer)
        except BadRequest as error:
            self._send(
                DemoRequest("GET", "", b"", keep_alive=False),
                DemoResponse(error.status, json.dumps(str(error)).encode()),
            )
            return
        if request is None:
            return
        self._busy = True
        reply = self._server.respond(request.method, request.path, request.body)
        if reply.after > 0:
            asyncio.get_running_loop().call_later(reply.after, self._send, request, reply)
        else:
            self._send(request, reply)

    def _send(self, request: DemoRequest, reply: DemoResponse) -> None:
        if self._transport.is_closing():
            return
        keep = request.keep_alive and not self._server.draining
        head = (
            f"HTTP/1.1 {reply.status} {_REASONS[reply.status]}\r\n"
            f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
            f"Cache-Control: no-store\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        self._transport.write(head.encode() + (b"" if request.method == "HEAD" else reply.body))
        self._busy = False
        if not keep:
            self._transport.close()
        elif self._buffer:
            asyncio.get_running_loop().call_soon(self._next)
