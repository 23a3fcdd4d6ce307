"""For any answer of a server or a proxy in front of it, a failed call is an API error that names the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from serinus.api.meta import ObjectMeta
from serinus.api.resources import LEASES
from serinus.kube.client import Client
from serinus.kube.errors import ApiError, Unavailable
from serinus.kube.transport import Request, Response


class Lease(msgspec.Struct):
    metadata: ObjectMeta


CALLS: dict[str, Callable[[Client, Any], Awaitable[Any]]] = {
    "get": lambda client, kind: client.get(LEASES, "a", "b", type=kind),
    "list": lambda client, kind: client.list(LEASES, "b", type=kind),
    "create": lambda client, kind: client.create(LEASES, {}, "b", type=kind),
    "update": lambda client, kind: client.update(LEASES, {"metadata": {"name": "a"}}, type=kind),
    "patch": lambda client, kind: client.patch(LEASES, "a", {}, "b", type=kind),
    "apply": lambda client, kind: client.apply(LEASES, {"metadata": {"name": "a"}}, "me"),
}
NO_ANSWERS = [b"<html>Sign in</html>", b"", b"[]", b"null", b'"ok"', b"\xff\xfe", b'{"metadata": ', b"[" * 5_000]


@pytest.mark.parametrize("body", NO_ANSWERS, ids=lambda body: body[:12].decode("latin-1"))
@pytest.mark.parametrize("kind", [Lease, dict])
@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_of_no_kubernetes_api_is_a_reason_to_try_later(call: str, kind: Any, body: bytes):
    """A captive portal, or a misconfigured proxy, answers 200. Such an answer to the read of the Lease ended the controller."""

    async def handle(_: Request) -> Response:
        return Response(200, body, "text/html")

    with pytest.raises(Unavailable, match="the answer about leases is none of a Kubernetes API"):
        await CALLS[call](Client(handle), kind)


@pytest.mark.parametrize(
    "line", [b"<html>", b"[]", b"{}", b'{"type": "ERROR", "object": []}', b'{"type": "ERROR", "object": 1}']
)
async def test_a_line_of_a_watch_that_is_no_event_ends_it_with_a_reason(line: bytes):
    async def lines() -> AsyncIterator[bytes]:
        yield line + b"\n"

    async def handle(_: Request) -> Response:
        return Response(200, stream=lines())

    with pytest.raises(ApiError) as raised:
        async for _ in Client(handle).watch(LEASES, "b"):
            pass
    assert raised.value.message
