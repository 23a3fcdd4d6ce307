"""An API server in memory, and ways to talk to it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from serinus.kube.client import Client
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.kube.loop_clock import LoopClock

Json = dict[str, Any]
Send = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    server = ApiServer(MemoryStore(history=50), Schemas(), LoopClock(), rng=random.Random(7))
    await server.start()
    yield server
    server.close()


@pytest.fixture
def client(api: ApiServer) -> Client:
    return Client(api.handle, user_agent="tests/1")


@pytest.fixture
def answer(api: ApiServer) -> Callable[..., Awaitable[Response]]:
    """`answer("GET", "/api/v1/pods?limit=1")` -> the whole Response."""

    async def ask(
        method: str, url: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> Response:
        path, _, query = url.partition("?")
        pairs = dict(pair.split("=", 1) for pair in query.split("&")) if query else {}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        payload = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        if payload:
            sent["content-type"] = content_type
        return await api.handle(Request(method, path, pairs, sent, payload))

    return ask


@pytest.fixture
def send(answer: Callable[..., Awaitable[Response]]) -> Send:
    """`status, value = await send("GET", "/api/v1/pods")`."""

    async def ask(
        method: str, url: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        response = await answer(method, url, body, content_type, **headers)
        return response.status, msgspec.json.decode(response.body)

    return ask
