"""Answers as servers really send them: in pieces, of chunks, compressed, cut off, or not HTTP at all."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from serinus.kube.http.http1 import BrokenAnswer, Http1, Http1Response

Script = Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def plain_socket(place: Any) -> socket.socket:
    return socket.socket(place[0], place[1], place[2])


class Server:
    """`script(n, reader, writer)` answers the n-th connection; requests are read before it is called."""

    def __init__(self, script: Script) -> None:
        self.script, self.connections = script, 0

    async def begin(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.script(self.connections, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def end(self) -> None:
        self._server.close()


async def asked(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Script], Awaitable[tuple[Server, Http1]]]]:
    made: list[tuple[Server, Http1]] = []

    async def start(script: Script) -> tuple[Server, Http1]:
        server = Server(script)
        await server.begin()
        client = Http1("127.0.0.1", server.port, plain_socket, connect_seconds=5)
        made.append((server, client))
        return server, client

    yield start
    for server, client in made:
        client.close()
        server.end()


async def get(client: Http1, *, lasting: bool = False, safe: bool = True) -> Http1Response:
    return await client.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"", None, "", lasting=lasting, safe=safe)


def once(text: bytes, *, pieces: int = 1) -> Script:
    """Send this to every client, in so many pieces, and close."""

    async def script(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        size = max(1, len(text) // pieces)
        for at in range(0, len(text), size):
            writer.write(text[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)

    return script


ZIPPED = gzip.compress(b"hello")


@pytest.mark.parametrize("pieces", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n",
            200,
            b"hello",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", 200, b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(ZIPPED), ZIPPED),
            200,
            b"hello",
        ),
    ],
    ids=["length", "chunks", "continue", "none", "to the end", "gzip"],
)
async def test_an_answer_is_read_whole_however_it_is_cut(
    serve: Any, text: bytes, status: int, body: bytes, pieces: int
) -> None:
    _, client = await serve(once(text, pieces=pieces))
    answer = await get(client)
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "closed before an answer"),
        (b"HTTP/1.1 200", "cut off"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "45 bytes too soon"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "Content-Length is 'many'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk begins"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n", "longer than it said"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_100_000, "headers have no end"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error_that_says_so(serve: Any, text: bytes, says: str) -> None:
    _, client = await serve(once(text))
    with pytest.raises(BrokenAnswer, match=says):
        await get(client)


async def test_a_stream_comes_as_it_is_sent(serve: Any) -> None:
    go_on = asyncio.Event()

    async def script(_: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    _, client = await serve(script)
    stream = (await get(client, lasting=True)).stream
    assert stream is not None
    assert await anext(stream) == b"one"
    go_on.set()
    assert [piece async for piece in stream] == [b"two"]


async def test_a_refused_watch_is_an_answer_and_no_stream(serve: Any) -> None:
    _, client = await serve(once(b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone"))
    answer = await get(client, lasting=True)
    assert (answer.status, answer.body, answer.stream) == (410, b"gone", None)


@pytest.mark.parametrize("safe", [True, False])
async def test_a_kept_connection_that_has_died_costs_a_read_nothing_and_a_write_is_not_sent_twice(
    serve: Any, safe: bool
) -> None:
    """Whether a write without an answer took place is unknown: the caller must read again."""

    async def script(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        await asked(reader)  # the second request on it gets no answer

    server, client = await serve(script)
    assert (await get(client)).body == b"1"
    if safe:
        assert (await get(client)).body == b"2"
    else:
        with pytest.raises(OSError, match="closed before an answer"):
            await get(client, safe=False)
        assert server.connections == 1


async def test_the_rest_of_an_answer_that_nobody_waits_for_is_nobody_elses(serve: Any) -> None:
    begun = asyncio.Event()

    async def script(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        begun.set()
        if number == 1:
            await reader.read()  # until the client gives up
        writer.write(b"%d" % number)

    _, client = await serve(script)
    waiting = asyncio.create_task(get(client))
    await begun.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await get(client)).body == b"2"
