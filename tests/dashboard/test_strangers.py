"""Every user of the machine may open the dashboard. A read-only user cannot keep its owner out."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from serinus.dashboard.hub import MOST_STRANGERS
from tests.support.dashboard.serving import BEARER, serving

STREAMS = [
    "/rollouts/api/ui/v1/stream",
    "/rollouts/api/ui/v1/stream?rollout=default/web",
    "/rollouts/api/v1/rollouts/default/info/watch",
    "/rollouts/api/v1/rollouts/default/web/info/watch",
]


@pytest.mark.parametrize("path", STREAMS)
async def test_open_streams_of_strangers_leave_places_for_the_owner(path: str) -> None:
    async with serving() as stage, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        url = f"http://127.0.0.1:{stage.port}{path}"
        opened = await asyncio.gather(*(http.get(url) for _ in range(MOST_STRANGERS)))
        assert {answer.status for answer in opened} == {200}
        while stage.service.hub.pages < MOST_STRANGERS:  # noqa: ASYNC110 - the old API opens its page with the first read
            await asyncio.sleep(0)
        refused = await stage.ask("GET", path)
        assert (refused.status, "not signed in" in refused.json["message"]) == (503, True)
        async with http.get(url, headers=BEARER) as own:
            assert own.status == 200
        for answer in opened:
            answer.close()


async def test_silent_connections_keep_nobody_out() -> None:
    async with serving() as stage:
        silent = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(400)]
        assert (await stage.ask("GET", "/rollouts/")).status == 200
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize("revision", ["²", "9" * 5000, "-1", "1.5", "%D9%A3"])
async def test_a_revision_that_is_no_number_is_named(revision: str) -> None:
    async with serving() as stage:
        answer = await stage.ask("PUT", f"/rollouts/api/v1/rollouts/default/web/undo/{revision}", headers=BEARER)
        assert answer.status == 500  # as every failure of the old API
        assert "is no revision" in answer.json["message"]
