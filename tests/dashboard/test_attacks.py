"""Other pages in the user's browser, other programs on the machine: actions that are denied to them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from serinus.dashboard.hub import PIECE
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import TOKEN
from tests.support.dashboard.serving import BEARER, Serving, serving, shown

ROWS = 2 * PIECE

CHANGE = "/rollouts/api/ui/v1/rollouts/default/web/promote"
OLD_CHANGES = [
    ("PUT", "/rollouts/api/v1/rollouts/default/web/promote"),
    ("PUT", "/rollouts/api/v1/rollouts/default/web/abort"),
    ("PUT", "/rollouts/api/v1/rollouts/default/web/undo/1"),
    ("PUT", "/rollouts/api/v1/rollouts/default/web/set/web/web/3"),
]


async def cookie(stage: Serving) -> dict[str, str]:
    """The session cookie that the tokened URL sets."""
    answer = await stage.ask("GET", f"/rollouts/?token={TOKEN}")
    name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
    return {"Cookie": f"{name}={value}"}


async def untouched(stage: Serving) -> bool:
    from serinus.api.resources import ROLLOUTS

    found = await stage.client.get(ROLLOUTS, "web", "default")
    return bool(found["status"].get("pauseConditions"))


@pytest.mark.parametrize(("method", "path"), [("POST", CHANGE), *OLD_CHANGES])
async def test_nothing_is_changed_without_the_token(method: str, path: str) -> None:
    async with serving() as stage:
        await stage.put(scenes.rollout())
        wrong = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}]
        forged = [{"Cookie": f"serinus_{stage.port}={value}"} for value in ("", "x" * 64, TOKEN)]
        for headers in [*wrong, *forged]:
            answer = await stage.ask(method, path, headers={"Origin": f"http://127.0.0.1:{stage.port}", **headers})
            assert answer.status == 401
            assert "token" in answer.json["error"]
        assert await untouched(stage)


async def test_a_foreign_page_cannot_use_the_session() -> None:
    """A browser sends cookies of 127.0.0.1 with requests from any of its ports: only the Origin separates them."""
    async with serving() as stage:
        await stage.put(scenes.rollout())
        session = await cookie(stage)
        for origin in (
            "http://evil.example",
            "http://127.0.0.1:1",
            f"http://localhost:{stage.port}",
            "null",
            "file://",
        ):
            answer = await stage.ask("POST", CHANGE, headers={**session, "Origin": origin})
            assert answer.status == 403, origin
        assert (await stage.ask("POST", CHANGE, headers=session)).status == 403, "a form or a link sends no Origin"
        assert await untouched(stage)
        own = {**session, "Origin": f"http://127.0.0.1:{stage.port}"}
        assert (await stage.ask("POST", CHANGE, headers=own, json={})).status == 200
        assert not await untouched(stage)


@pytest.mark.parametrize("path", ["/rollouts/", "/rollouts/api/ui/v1/stream", "/rollouts/api/v1/rollouts/default/info"])
async def test_a_name_that_is_not_ours_gets_nothing(path: str) -> None:
    """DNS rebinding: the attacker's name resolves to 127.0.0.1, and its page then has our Origin."""
    async with serving() as stage:
        for host in (
            "evil.example",
            f"evil.example:{stage.port}",
            "127.0.0.1",
            "",
            f"127.0.0.1.evil.example:{stage.port}",
        ):
            answer = await stage.ask("GET", path, headers={"Host": host})
            assert answer.status in (400, 421), host
        answer = await stage.ask(
            "POST", CHANGE, headers={"Host": "evil.example", "Origin": "http://evil.example", **BEARER}
        )
        assert answer.status == 421


async def test_a_further_name_is_allowed_when_asked_for() -> None:
    async with serving(hosts=("rollouts.example",)) as stage:
        assert (await stage.ask("GET", "/rollouts/", headers={"Host": "rollouts.example"})).status == 200


async def test_no_answer_may_be_read_by_another_origin() -> None:
    async with serving() as stage:
        answer = await stage.ask("GET", "/rollouts/api/ui/v1/rollouts", headers={"Origin": "http://evil.example"})
        assert answer.status == 403
        own = await stage.ask("GET", "/rollouts/api/ui/v1/rollouts")
        assert own.status == 200
        assert not [name for name in own.headers if name.lower().startswith("access-control")]


async def test_every_answer_carries_the_strict_policy() -> None:
    async with serving() as stage:
        for path in (
            "/rollouts/",
            "/rollouts/static/page.css",
            "/rollouts/api/ui/v1/rollouts",
            "/nowhere",
            "/rollouts/api/x",
        ):
            headers = (await stage.ask("GET", path)).headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"


async def test_the_token_is_traded_for_a_cookie_that_scripts_cannot_read() -> None:
    async with serving() as stage:
        answer = await stage.ask("GET", f"/rollouts/rollout/default/web?displayMode=table&token={TOKEN}")
        assert answer.status == 303
        assert answer.headers["Location"] == "/rollouts/rollout/default/web?displayMode=table"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert "SameSite=Lax" in answer.headers["Set-Cookie"]
        assert TOKEN not in answer.headers["Set-Cookie"]
        assert (await stage.ask("GET", "/rollouts/?token=wrong")).status == 403


async def test_private_needs_the_token_to_look() -> None:
    async with serving(private=True) as stage:
        for path in ("/rollouts/", "/rollouts/api/ui/v1/stream", "/rollouts/api/v1/rollouts/default/info"):
            assert (await stage.ask("GET", path)).status == 401
        assert (await stage.ask("GET", "/rollouts/", headers=await cookie(stage))).status == 200
        assert (await stage.ask("GET", "/rollouts/static/page.css")).status == 200


@pytest.mark.parametrize(("method", "path"), [("POST", CHANGE), *OLD_CHANGES])
async def test_read_only_refuses_even_the_token(method: str, path: str) -> None:
    async with serving(read_only=True) as stage:
        await stage.put(scenes.rollout())
        assert (await stage.ask(method, path, headers=BEARER)).status == 403
        assert await untouched(stage)


BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/rollouts/static/server.py", {}),
    ("GET", "/rollouts/static/%2e%2e%2fserver.py", {}),
    ("GET", "/rollouts/static/js/%2e%2e%2f%2e%2e%2fserver.py", {}),
    ("GET", "/etc/passwd", {}),
    ("POST", CHANGE, {"data": b"{" * 100_000}),
    ("POST", CHANGE, {"data": b"\xff\xfe"}),
    ("POST", CHANGE, {"data": b"[1]"}),
    ("POST", CHANGE, {"json": {"step": "first"}}),
    ("POST", CHANGE.replace("promote", "explode"), {}),
    ("POST", CHANGE.replace("web", "%2e%2e"), {}),
    ("POST", CHANGE.replace("promote", "set-image"), {"json": {"container": "web", "image": "a b"}}),
    ("DELETE", CHANGE, {}),
    ("PUT", "/rollouts/api/v1/rollouts/default/web/undo/x", {}),
]


@pytest.mark.parametrize(
    ("method", "path", "options"), BAD, ids=[f"{m} {p}"[:60] + str(i) for i, (m, p, _) in enumerate(BAD)]
)
async def test_bad_requests_get_an_answer_in_words(method: str, path: str, options: dict[str, Any]) -> None:
    async with serving() as stage:
        await stage.put(scenes.rollout())
        answer = await stage.ask(method, path, headers=BEARER, **options)
        assert answer.status >= 400
        assert "Traceback" not in answer.text
        assert "import" not in answer.text
        assert await untouched(stage)


async def test_a_page_that_does_not_read_holds_its_place_and_no_messages() -> None:
    """Neither the process nor the kernel holds the list for it; a page that reads gets all of it meanwhile."""
    async with serving() as stage:
        for number in range(ROWS):
            await stage.put(scenes.rollout(f"web-{number}", message="m" * 5000))
        await shown(stage, f"web-{ROWS - 1}")
        asking = f"GET /rollouts/api/ui/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{stage.port}\r\n\r\n".encode()
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", stage.port))
        deaf.sendall(asking)
        while not stage.service.hub.pages:  # noqa: ASYNC110 - nothing tells that a page was opened
            await asyncio.sleep(0)
        (page,) = stage.service.hub._pages  # pyright: ignore[reportPrivateUsage]
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, limit=1 << 24)
        writer.write(asking)
        await reader.readuntil(b'"all":true')
        assert page.read <= PIECE, "most of the list is neither in a buffer of the process nor in one of the kernel"
        deaf.close()
        writer.close()
