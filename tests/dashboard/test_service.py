"""The stream to the pages, in virtual time: lines as they change, in the right order, no more than needed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from serinus.api.meta import ObjectMeta
from serinus.api.resources import PODS, ROLLOUTS
from serinus.dashboard.hub import Page
from serinus.dashboard.packed import packed, unpacked
from serinus.dashboard.service import Service
from serinus.dashboard.trimmed import Kept, Sent, keep_pod
from serinus.kube.client import Client
from serinus.kube.errors import Unavailable
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.dashboard import scenes
from tests.support.dashboard.dashboard_stage import put
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

Json = dict[str, Any]
WEB = ("default", "web")


class Room:
    def __init__(self, api: ApiServer, rest_after: float | None = None) -> None:
        self.requests: list[Request] = []
        self.away = False
        self.client = Client(api.handle, user_agent="test")
        self._api = api
        self.service = Service(
            Client(self._handle, user_agent="serinus-dashboard"), LoopClock(), random.Random(1), rest_after=rest_after
        )

    async def _handle(self, request: Request) -> Response:
        self.requests.append(request)
        if self.away:
            raise Unavailable(0, "", "connection refused")
        return await self._api.handle(request)

    def line(self) -> Json:
        return msgspec.json.decode(unpacked(self.service.hub.lines[WEB]))


@asynccontextmanager
async def room(rest_after: float | None = None) -> AsyncGenerator[Room]:
    api = ApiServer(MemoryStore(), Schemas(), LoopClock(), rng=random.Random(1))
    await api.start()
    made = Room(api, rest_after)
    running = asyncio.ensure_future(made.service.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])
        api.close()


async def told(page: Page) -> set[tuple[str, str]]:
    await page.wake.wait()
    page.wake.clear()
    return page.take()


async def quiet(made: Room) -> None:
    """Until nothing is under way: virtual time makes this exact."""
    await asyncio.sleep(2)
    assert made.service.hub.quiet


async def test_many_changes_at_once_are_told_once() -> None:
    async with room() as made:
        await put(made.client, scenes.rollout())
        await quiet(made)
        page = made.service.hub.open()
        await told(page)
        for number in range(50):
            patch = {"status": {"message": f"number {number}"}}
            await made.client.patch(ROLLOUTS, "web", patch, "default", subresource="status")
        assert await told(page) == {WEB}
        await quiet(made)
        assert not page.behind
        assert made.line()["message"] == "number 49"


async def test_a_change_that_nobody_would_see_is_not_told() -> None:
    async with room() as made:
        await put(made.client, scenes.rollout())
        await quiet(made)
        page = made.service.hub.open()
        await told(page)
        await made.client.patch(ROLLOUTS, "web", {"metadata": {"annotations": {"note": "x"}}}, "default")
        await quiet(made)
        assert not page.behind


async def test_a_pod_that_comes_before_its_owners_are_known_is_shown() -> None:
    """The watches of different kinds run side by side: their order is undefined."""
    async with room() as made:
        stored: list[Json] = []

        def later(obj: Json) -> Json:
            stored.append(obj)
            return {**obj, "metadata": {**obj["metadata"], "uid": "set"}}

        rollout = await put(made.client, scenes.rollout())
        scenes.replica_set(later, rollout, scenes.NEW, 2, 1)
        set_, pod = stored
        pod_stored = await put(made.client, {**pod, "metadata": {**pod["metadata"], "ownerReferences": []}})
        await quiet(made)
        set_stored = await put(made.client, set_)
        owner = {**pod["metadata"]["ownerReferences"][0], "uid": set_stored["metadata"]["uid"]}
        name = pod_stored["metadata"]["name"]
        await made.client.patch(PODS, name, {"metadata": {"ownerReferences": [owner]}}, "default")
        await quiet(made)
        assert made.line()["sets"][0]["pods"] == [["✔", "Running", name]]
        await made.client.delete(PODS, name, "default", grace=0)
        await quiet(made)
        assert made.line()["sets"][0]["pods"] == []


async def test_a_rollout_that_holds_nonsense_is_shown_with_the_reason_and_hides_no_other() -> None:
    async with room() as made:
        await put(made.client, scenes.healthy("shop"))
        await put(made.client, scenes.rollout(currentStepIndex=1))
        await quiet(made)
        kept = made.service.world.rollouts.items[WEB]
        assert isinstance(kept, Kept)
        nonsense = {**kept.json(), "status": {"currentStepIndex": "first"}}
        kept.text = packed(msgspec.json.encode(nonsense))
        made.service.hub.changed(WEB)
        await quiet(made)
        assert made.line()["status"] == "Unknown"
        assert "cannot be read" in made.line()["message"]
        assert len(made.service.hub.lines) == 2


async def test_stale_since_the_api_was_last_heard_and_ok_again() -> None:
    async with room() as made:
        await put(made.client, scenes.rollout())
        await quiet(made)
        assert made.service.state()["view"] == "ok"
        made.away = True
        made.service.world.rollouts.relist()
        await quiet(made)
        state = made.service.state()
        assert (state["view"], state["reason"]) == ("stale", "connection refused")
        assert state["since"] < state["now"]
        assert made.service.hub.lines, "what was known is still shown"
        made.away = False
        await asyncio.sleep(60)
        assert made.service.state()["view"] == "ok"


async def test_nobody_looking_costs_nothing_until_somebody_comes() -> None:
    async with room(rest_after=300) as made:
        await put(made.client, scenes.rollout())
        await asyncio.sleep(1000)
        assert not made.requests
        made.service.asked()
        await quiet(made)
        assert made.line()["name"] == "web"
        page = made.service.hub.open()
        await asyncio.sleep(1000)
        assert made.service.hub.lines, "a page that is open keeps it awake"
        made.service.hub.close(page)
        await asyncio.sleep(310)
        assert not made.service.hub.lines
        before = len(made.requests)
        await asyncio.sleep(5000)
        assert len(made.requests) == before
        made.service.asked()
        await quiet(made)
        assert made.line()["name"] == "web"


async def test_events_are_watched_only_while_somebody_looks_at_the_rollout() -> None:
    async with room() as made:
        await put(made.client, scenes.rollout())
        await quiet(made)

        def about_events() -> int:
            return sum(1 for request in made.requests if request.path.endswith("/events"))

        assert not about_events()
        with made.service.looking_at(WEB), made.service.looking_at(WEB):
            await quiet(made)
            assert about_events() == 2, "one list and one watch for two pages"
        asked = about_events()
        await asyncio.sleep(5000)
        assert about_events() == asked


def test_pods_that_look_alike_are_kept_once() -> None:
    """The dashboard keeps thousands of pods in memory while a tab is open."""
    made = [keep_pod(sent(f"web-{number}", f"2026-01-01T00:00:0{number}Z")) for number in range(3)]
    assert len({id(kept.text) for kept in made}) == 1
    whole = [kept.json()["metadata"] for kept in made]
    assert [meta["creationTimestamp"] for meta in whole] == [f"2026-01-01T00:00:0{number}Z" for number in range(3)]
    assert [meta["name"] for meta in whole] == ["web-0", "web-1", "web-2"]


def sent(name: str, created: str) -> Sent:
    meta = ObjectMeta(name=name, namespace="default", creation_timestamp=created)
    return Sent(meta, msgspec.Raw(b'{"containers":[{"name":"web"}]}'), msgspec.Raw(b'{"phase":"Running"}'))
