"""Requests that no client sends, to the API server in the same process and on its socket.

An answer is a Status with a message, or a success: never an unintended 5xx, and never a failure of the process. After each
input a good client writes and reads, and the lists match the store.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from serinus.kube.clock import SystemClock
from serinus.kube.transport import JSON, Request, Response
from serinus.local.apiserver.http import HttpsServer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import LARGEST_OBJECT, MemoryStore, entry_of
from tests.safety.fuzz import Target
from tests.safety.odd_requests import SCHEMAS, TABLE, bytes_on_the_wire, requests

MEANT = (501, 503, 504)
MOST_STREAMED = 20


class _Loud(logging.Handler):
    """A failure that the server logs and hides behind a 500."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            raise record.exc_info[1]


logging.getLogger("serinus.local.apiserver").addHandler(_Loud())


async def answered(api: ApiServer, sent: Request) -> Response:
    answer = await api.handle(sent)
    told = f"{sent.method} {sent.path} {dict(sent.query)} -> {answer.status} {answer.body[:300]!r}"
    assert answer.status < 500 or answer.status in MEANT, told
    for name, value in answer.headers.items():
        assert value.isprintable(), f"{told}: the header {name}"
        assert len(value.encode()) < 8000, f"{told}: the header {name}"
    if answer.stream is not None:
        await _some(answer.stream)
    elif answer.status >= 400:
        status = msgspec.json.decode(answer.body)
        assert status["kind"] == "Status", told
        assert status["message"], told
        assert len(answer.body) < 4 * len(sent.body) + 2_000_000, f"{told}: {len(answer.body)} bytes"
    return answer


async def _some(stream: Any) -> None:
    """A few pieces, as a client that then disconnects."""
    assert isinstance(stream, AsyncGenerator)
    try:
        async with asyncio.timeout(0.005):
            for _ in range(MOST_STREAMED):
                await anext(stream)
    except (TimeoutError, StopAsyncIteration):
        pass
    finally:
        await stream.aclose()


def consistent(api: ApiServer) -> None:
    """A list equals the store: each entry's key and version match its object, and none exceeds the size limit."""
    for resource in api.store.resources():
        for entry in api.store.list(resource):
            obj = entry.object()
            meta = obj["metadata"]
            assert (meta.get("namespace") or "", meta["name"], meta["resourceVersion"]) == (
                entry.namespace,
                entry.name,
                str(entry.version),
            ), resource
            assert len(entry.body) <= LARGEST_OBJECT
            assert entry_of(resource, obj, entry.version).labels == entry.labels
            assert api.store.latest(resource, entry.namespace, entry.name) is entry
            assert meta.get("uid"), f"{resource} {entry.name} has no uid"


async def good_client(api: ApiServer) -> None:
    """A well-behaved client keeps working beside all of that."""
    base, headers = "/api/v1/namespaces/default/configmaps", {"content-type": JSON, "user-agent": "good/1"}
    body = msgspec.json.encode({"metadata": {"name": "good"}, "data": {"a": "b"}})
    assert (await api.handle(Request("POST", base, {}, headers, body))).status == 201
    found = await api.handle(Request("GET", base, {}, {"accept": TABLE}))
    assert found.status == 200, found.body
    assert (await api.handle(Request("DELETE", f"{base}/good", {}, {}))).status == 200


def _server() -> ApiServer:
    return ApiServer(MemoryStore(history=50), SCHEMAS, SystemClock(), rng=random.Random(1))


async def in_process(sent: list[Request]) -> None:
    api = _server()
    await api.start()
    try:
        for one in sent:
            await answered(api, one)
        consistent(api)
        await good_client(api)
    finally:
        await _forget_definitions(api)
        api.close()


async def _forget_definitions(api: ApiServer) -> None:
    for entry in api.store.list("customresourcedefinitions.apiextensions.k8s.io"):
        if not entry.name.endswith(".argoproj.io"):
            api.core.registry.remove_crd(entry.name)


async def on_the_socket(sent: list[bytes]) -> None:
    api = _server()
    await api.start()
    server = HttpsServer(api.handle, "t", None)
    port = await server.start()
    try:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in sent]
        for (reader, writer), data in zip(opened, sent, strict=True):
            writer.write(data)
            try:
                async with asyncio.timeout(0.02):
                    answer = await reader.read(1 << 16)
            except (TimeoutError, ConnectionError):
                continue
            assert b"Traceback" not in answer
            assert not answer.startswith(b"HTTP/1.1 500"), answer[:500]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /version HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        for _, other in (*opened, (reader, writer)):
            other.transport.abort()
    finally:
        await _forget_definitions(api)
        api.close()
        await server.close()


TARGETS = [
    Target("apiserver.requests", requests, in_process),
    Target("apiserver.socket", bytes_on_the_wire, on_the_socket),
]
