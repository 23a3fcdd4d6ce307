"""Handlers that wait for another system do not delay other keys."""

from __future__ import annotations

import asyncio

import pytest

from serinus.kube.hands import Hands
from serinus.kube.queue import WorkQueue, work
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)


class Place:
    """`slow` keys wait outside for a long time; `most`: handlers that worked at once."""

    def __init__(self, hands: Hands) -> None:
        self.hands, self.queue = hands, WorkQueue[str](LoopClock())
        self.ended: dict[str, float] = {}
        self.working = self.most = 0

    async def __call__(self, key: str) -> None:
        await self._works()
        if key.startswith("slow"):
            async with self.hands.away():
                await asyncio.sleep(1000)
            await self._works()
        self.ended[key] = asyncio.get_running_loop().time()
        if key.startswith("broken"):
            async with self.hands.away():
                raise OSError(key)

    async def _works(self) -> None:
        self.working += 1
        self.most = max(self.most, self.working)
        await asyncio.sleep(1)
        self.working -= 1


async def test_a_key_waits_for_no_handler_that_is_away() -> None:
    place = Place(Hands(2))
    working = asyncio.create_task(work(place.queue, place, workers=place.hands, failed=lambda *_: None))
    for number in range(20):
        place.queue.add(f"slow{number}")
    place.queue.add("broken")
    await asyncio.sleep(11)
    place.queue.add("quick")
    await asyncio.sleep(3)
    assert place.ended["quick"] <= 13
    await asyncio.sleep(1100)
    assert place.most == 2
    assert len(place.ended) == 22
    tasks = len(asyncio.all_tasks())
    assert tasks <= 6, "workers that are no longer needed have ended"
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert place.hands.away_now == 0


async def test_workers_that_are_away_end_with_the_rest() -> None:
    place = Place(Hands(1))
    working = asyncio.create_task(work(place.queue, place, workers=place.hands))
    for number in range(5):
        place.queue.add(f"slow{number}")
    await asyncio.sleep(7)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert len(asyncio.all_tasks()) == 1


async def test_who_comes_back_needs_no_new_key_to_go_on() -> None:
    place = Place(Hands(1))
    working = asyncio.create_task(work(place.queue, place, workers=place.hands))
    place.queue.add("slow")
    await asyncio.sleep(1003)
    assert "slow" in place.ended
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
