"""The server on a socket: which clients it admits, which requests are too large, and how streams end."""

from __future__ import annotations

import asyncio
import ssl
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from serinus.local.apiserver.certs import ServerIdentity, identity, write_kubeconfig
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def who(tmp_path: Path) -> ServerIdentity:
    return identity(tmp_path / "pki", time.time())


@pytest.fixture
async def server(api: ApiServer, who: ServerIdentity) -> AsyncIterator[HttpsServer]:
    server = HttpsServer(api.handle, who.token, who.ssl_context())
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def session(server: HttpsServer, who: ServerIdentity) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=who.ca_pem))
    headers = {"authorization": f"Bearer {who.token}"}
    async with aiohttp.ClientSession(
        f"https://127.0.0.1:{server.port}", connector=connector, headers=headers
    ) as session:
        yield session


@pytest.mark.parametrize("sent", ["", "Bearer wrong", "Basic YTpi", "Bearer ", "bearer", "Bearer \u00e4"])
@pytest.mark.parametrize(
    "path", ["/api/v1/secrets", "/apis", "/version", "/nothing", "/openapi/v3", "/metrics", "/readyz/../api/v1/secrets"]
)
async def test_without_the_token_nothing_is_told(session: aiohttp.ClientSession, sent: str, path: str) -> None:
    async with session.get(path, headers={"authorization": sent}) as response:
        body = await response.json()
    assert response.status == 401
    assert body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }
    assert response.headers["Server"] == "serinus"


async def test_health_is_told_to_everybody(session: aiohttp.ClientSession) -> None:
    async with session.get("/readyz", headers={"authorization": ""}) as response:
        assert (response.status, await response.text()) == (200, "ok")


async def test_a_body_over_three_mebibytes_is_not_read(session: aiohttp.ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * (1 << 16)

    for data in (b" " * ((3 << 20) + 1), pieces()):
        async with session.post(MAPS, data=data, headers={"content-type": "application/json"}) as response:
            assert (response.status, (await response.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_objects_are_yaml_for_whoever_speaks_it(session: aiohttp.ClientSession) -> None:
    text = "metadata: {name: a}\ndata: {when: 2026-01-01, empty: ''}\n".replace("2026-01-01", '"2026-01-01"')
    headers = {"content-type": "application/yaml", "accept": "application/yaml"}
    async with session.post(MAPS, data=text, headers=headers) as response:
        assert (response.status, response.content_type) == (201, "application/yaml")
        assert yaml.safe_load(await response.text())["data"] == {"when": "2026-01-01", "empty": ""}


async def test_a_change_reaches_two_hundred_watchers(session: aiohttp.ClientSession) -> None:
    ready = asyncio.Semaphore(0)

    async def first_line() -> bytes:
        async with session.get(MAPS, params={"watch": "true"}, timeout=aiohttp.ClientTimeout(total=None)) as response:
            ready.release()
            return await response.content.readline()

    session.connector._limit = 0  # type: ignore[union-attr]
    watchers = [asyncio.create_task(first_line()) for _ in range(200)]
    for _ in watchers:
        await ready.acquire()
    async with session.post(MAPS, json={"metadata": {"name": "a"}}) as response:
        assert response.status == 201
    lines = await asyncio.gather(*watchers)
    assert len(set(lines)) == 1
    assert b'"ADDED"' in lines[0]


async def test_a_watcher_that_goes_away_is_forgotten(session: aiohttp.ClientSession, api: ApiServer) -> None:
    log = api.store.log("configmaps")
    response = await session.get(MAPS, params={"watch": "true"})
    while not log.waiting:  # noqa: ASYNC110 - no event reports the awaited state
        await asyncio.sleep(0)
    response.close()
    while log.waiting:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_closing_the_server_ends_watches(session: aiohttp.ClientSession, api: ApiServer) -> None:
    async with session.get(MAPS, params={"watch": "true"}) as response:
        api.close()
        assert await response.read() == b""


async def test_plain_http_and_garbage_do_not_disturb_it(server: HttpsServer, session: aiohttp.ClientSession) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02", b"\x00" * 100):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(garbage)
        writer.close()
    async with session.get("/version") as response:
        assert (await response.json())["major"] == "1"


def test_secrets_are_only_for_their_owner_and_stay_the_same(who: ServerIdentity, tmp_path: Path) -> None:
    for path in (who.key, who.token_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert who.token_file.read_text() == who.token
    assert len(who.token) >= 32
    pem = who.ca_pem
    again = identity(tmp_path / "pki", time.time())
    assert (again.token, again.ca_pem) == (who.token, pem)
    later = identity(tmp_path / "pki", time.time() + 3600 * 24 * 365 * 10)
    assert later.token == who.token
    assert later.ca_pem != pem


def test_a_kubeconfig_is_written_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kubeconfig"
    write_kubeconfig(path, "https://127.0.0.1:1", "PEM", "secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config: Any = yaml.safe_load(path.read_text())
    assert config["users"][0]["user"] == {"token": "secret"}
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
