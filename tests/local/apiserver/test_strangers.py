"""A client without a token can neither shut others out, nor fill the log, nor grow memory."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serinus.kube.http.listener import Places
from serinus.local.apiserver.certs import ServerIdentity, identity
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer

PLACES = Places(strangers=8, signed_in=6, head_seconds=1.0, busy_seconds=30)
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def who(tmp_path: Path) -> ServerIdentity:
    return identity(tmp_path / "pki", time.time())


@pytest.fixture
async def server(api: ApiServer, who: ServerIdentity) -> AsyncIterator[HttpsServer]:
    server = HttpsServer(api.handle, who.token, who.ssl_context(), places=PLACES, read_seconds=0.5, body_seconds=0.5)
    await server.start()
    yield server
    await server.close()


class Caller:
    def __init__(self, server: HttpsServer, who: ServerIdentity) -> None:
        self._port, self._token = server.port, who.token
        self._tls = ssl.create_default_context(cadata=who.ca_pem)

    async def connect(self, *, tls: bool = True) -> Pair:
        return await asyncio.open_connection("127.0.0.1", self._port, ssl=self._tls if tls else None)

    def head(self, path: str, *more: str, scheme: str = "Bearer") -> bytes:
        rows = (f"GET {path} HTTP/1.1", "Host: a", f"Authorization: {scheme} {self._token}", *more)
        return "\r\n".join(rows).encode() + b"\r\n\r\n"

    async def ask(self, path: str = "/version", *more: str, pair: Pair | None = None, scheme: str = "Bearer") -> bytes:
        """The status line and the headers."""
        reader, writer = pair or await self.connect()
        writer.write(self.head(path, *more, scheme=scheme))
        answer = await reader.readuntil(b"\r\n\r\n")
        if pair is None:
            writer.close()
        return answer


@pytest.fixture
def caller(server: HttpsServer, who: ServerIdentity) -> Caller:
    return Caller(server, who)


@pytest.mark.parametrize("tls", [False, True])
async def test_silent_connections_keep_nobody_out(caller: Caller, tls: bool) -> None:
    """Also those that never finish the TLS handshake."""
    silent = [await caller.connect(tls=tls and i < PLACES.strangers) for i in range(4 * PLACES.strangers)]
    assert (await caller.ask()).startswith(b"HTTP/1.1 200")
    for _, writer in silent:
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /version HTT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_head_that_does_not_end_costs_the_connection(caller: Caller, sent: bytes) -> None:
    reader, writer = await caller.connect()
    writer.write(sent)
    async with asyncio.timeout(20):
        assert b"200" not in await reader.read()
    writer.close()


async def test_connections_that_are_signed_in_stay_and_have_places_of_their_own(caller: Caller) -> None:
    own = [await caller.connect() for _ in range(PLACES.signed_in)]
    for pair in own:
        assert (await caller.ask(pair=pair)).startswith(b"HTTP/1.1 200")
    assert (await caller.ask()).startswith(b"HTTP/1.1 503")
    silent = [await caller.connect(tls=False) for _ in range(2 * PLACES.strangers)]
    for reader, writer in own:
        await reader.readexactly(0)
        assert not writer.is_closing()
    for _, writer in (*silent, *own):
        writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(caller: Caller) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    reader, writer = await caller.connect()
    writer.write(caller.head(path, "Content-Length: 100").replace(b"GET", b"POST") + b"{")
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 408")
    writer.close()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_name_of_the_scheme_has_no_case(caller: Caller, scheme: str) -> None:
    """RFC 9110, section 11.1."""
    assert (await caller.ask(scheme=scheme)).startswith(b"HTTP/1.1 200")


async def test_an_encoded_body_is_refused_and_not_unpacked(caller: Caller) -> None:
    """A gzip of 3 KB may hold 3 MB."""
    assert (await caller.ask("/version", "Content-Encoding: gzip")).startswith(b"HTTP/1.1 415")


async def test_malformed_requests_are_answered_and_not_logged(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    for garbage in (
        b"\x00\x01\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n",
        b"PUT / HTTP/9.9\r\n\r\n",
    ):
        reader, writer = await caller.connect()
        writer.write(garbage)
        assert (await reader.read()).startswith(b"HTTP/")
        writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_watcher_that_reads_nothing_loses_its_stream(
    caller: Caller, api: ApiServer, server: HttpsServer
) -> None:
    reader, writer = await caller.connect()
    writer.write(caller.head("/api/v1/configmaps?watch=1"))
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    log = api.store.log("configmaps")
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m", "namespace": "default"},
        "data": {"a": "x" * 1_000_000},
    }
    while not log.waiting:  # noqa: ASYNC110 - no event reports the awaited state
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        while server.connections:
            await api.store.put("configmaps", obj)
            await asyncio.sleep(0.01)
    writer.close()
