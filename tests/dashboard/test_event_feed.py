"""The Events of the Rollouts that pages show: one watch for all pages, nothing lost and nothing of other Rollouts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from serinus.api.resources import EVENTS, NAMESPACES
from serinus.dashboard.event_feed import EventFeed
from serinus.kube.client import Client
from serinus.kube.errors import Forbidden, Gone, Unavailable
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

WEB, SHOP, OTHER = ("default", "web"), ("default", "shop"), ("closed", "web")


class Cluster:
    """`cut()` ends all watches; `closed` is a namespace whose Events are not listed."""

    def __init__(self, api: ApiServer) -> None:
        self._api, self.client = api, Client(api.handle)
        self.lists = self.watches = 0
        self.away = self.too_old = False
        self.closed = ""
        self._cut = asyncio.Event()
        self.changed: list[tuple[str, str]] = []
        self.feed = EventFeed(Client(self._handle), LoopClock(), random.Random(1), self.changed.append, "")

    async def _handle(self, request: Request) -> Response:
        if self.away:
            raise Unavailable(0, "", "connection refused")
        if self.closed and f"/{self.closed}/" in request.path:
            raise Forbidden(403, "Forbidden", "no")
        if "watch" not in request.query:
            self.lists += 1
            return await self._api.handle(request)
        self.watches += 1
        if self.too_old:
            self.too_old = False
            raise Gone(410, "Expired", "too old resource version")
        answer = await self._api.handle(request)
        assert answer.stream is not None
        answer.stream = self._until_cut(answer.stream)
        return answer

    async def _until_cut(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        pieces = asyncio.Queue[bytes]()

        async def read() -> None:
            async for piece in stream:
                pieces.put_nowait(piece)

        reading, cut = asyncio.ensure_future(read()), self._cut
        try:
            while True:
                getting, cutting = asyncio.ensure_future(pieces.get()), asyncio.ensure_future(cut.wait())
                done, waiting = await asyncio.wait((getting, cutting), return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
                if cutting in done:
                    raise Unavailable(0, "", "the connection is cut")
                yield getting.result()
        finally:
            reading.cancel()

    def cut(self) -> None:
        self._cut.set()
        self._cut = asyncio.Event()

    async def happens(self, key: tuple[str, str], reason: str) -> None:
        namespace, name = key
        about = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "namespace": namespace, "name": name}
        event = {"apiVersion": "v1", "kind": "Event", "involvedObject": about, "type": "Normal", "reason": reason}
        meta = {"name": f"{name}.{reason.lower()}", "namespace": namespace}
        await self.client.create(EVENTS, {**event, "metadata": meta, "message": reason}, namespace)

    def reasons(self, key: tuple[str, str]) -> list[str]:
        return sorted(event.reason for event in self.feed.of(key))


@asynccontextmanager
async def cluster() -> AsyncGenerator[Cluster]:
    api = ApiServer(MemoryStore(), Schemas(), LoopClock(), rng=random.Random(1))
    await api.start()
    made = Cluster(api)
    await made.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "closed"}})
    try:
        yield made
    finally:
        api.close()


async def test_all_pages_share_one_watch_and_each_rollout_is_listed_once() -> None:
    """A watch of its own for each page would be a TLS connection for each page."""
    async with cluster() as made:
        await made.happens(WEB, "Before")
        with made.feed.looking_at(WEB), made.feed.looking_at(WEB), made.feed.looking_at(SHOP):
            await asyncio.sleep(1)
            await made.happens(WEB, "After")
            await made.happens(SHOP, "Sold")
            await asyncio.sleep(1)
            assert (made.reasons(WEB), made.reasons(SHOP)) == (["After", "Before"], ["Sold"])
            assert (made.lists, made.watches) == (2, 1)


async def test_a_page_is_told_of_the_events_of_its_rollout_alone() -> None:
    async with cluster() as made:
        with made.feed.looking_at(WEB):
            await asyncio.sleep(1)
            made.changed.clear()
            await made.happens(SHOP, "Sold")
            await made.happens(OTHER, "Elsewhere")
            await asyncio.sleep(1)
            assert made.changed == []
            assert made.reasons(SHOP) == made.reasons(OTHER) == made.reasons(WEB) == []
            await made.happens(WEB, "Here")
            await asyncio.sleep(1)
            assert made.changed == [WEB]


async def test_a_deleted_event_goes() -> None:
    async with cluster() as made:
        await made.happens(WEB, "Old")
        with made.feed.looking_at(WEB):
            await asyncio.sleep(1)
            await made.client.delete(EVENTS, "web.old", "default")
            await asyncio.sleep(1)
            assert made.reasons(WEB) == []


async def test_events_of_an_interruption_come_when_the_watch_is_back() -> None:
    async with cluster() as made:
        with made.feed.looking_at(WEB):
            await asyncio.sleep(1)
            made.away = True
            made.cut()
            await made.happens(WEB, "Meanwhile")
            await asyncio.sleep(20)
            assert made.reasons(WEB) == []
            made.away = False
            await asyncio.sleep(60)
            assert made.reasons(WEB) == ["Meanwhile"]
            assert made.lists == 1, "the watch goes on where it was cut"


async def test_what_a_watch_can_no_longer_tell_is_listed_again() -> None:
    async with cluster() as made:
        await made.happens(WEB, "Gone")
        with made.feed.looking_at(WEB), made.feed.looking_at(SHOP):
            await asyncio.sleep(1)
            made.away = made.too_old = True
            made.cut()
            await made.client.delete(EVENTS, "web.gone", "default")
            await made.happens(SHOP, "Sold")
            made.away = False
            await asyncio.sleep(60)
            assert (made.reasons(WEB), made.reasons(SHOP)) == ([], ["Sold"])
            await made.happens(WEB, "Later")
            await asyncio.sleep(1)
            assert made.reasons(WEB) == ["Later"]


async def test_a_namespace_that_cannot_be_listed_holds_up_no_other() -> None:
    async with cluster() as made:
        made.closed = "closed"
        await made.happens(WEB, "Here")
        await made.happens(OTHER, "There")
        with made.feed.looking_at(OTHER), made.feed.looking_at(WEB):
            await asyncio.sleep(1)
            assert (made.reasons(OTHER), made.reasons(WEB)) == ([], ["Here"])
            made.closed = ""
            await asyncio.sleep(60)
            assert made.reasons(OTHER) == ["There"]


async def test_who_looks_again_later_gets_what_happened_meanwhile() -> None:
    async with cluster() as made:
        with made.feed.looking_at(WEB):
            await asyncio.sleep(1)
        await made.happens(WEB, "Unseen")
        await asyncio.sleep(600)
        assert (made.lists, made.watches) == (1, 1), "nobody looks: nothing is read"
        with made.feed.looking_at(WEB):
            await asyncio.sleep(1)
            assert made.reasons(WEB) == ["Unseen"]
