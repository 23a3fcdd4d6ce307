"""No namespace waits long for another's slow measurements, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future

import pytest

from serinus.analysis.providers.lanes import PATIENCE, Lanes

pytestmark = pytest.mark.looptime(start=0)


def now() -> float:
    return asyncio.get_running_loop().time()


async def call(lanes: Lanes, lane: str, seconds: float) -> float:
    """When it got its place."""
    async with lanes.slot(lane):
        began = now()
        await asyncio.sleep(seconds)
    return began


@pytest.mark.parametrize("namespaces", [1, 5, 20])
async def test_a_place_is_free_within_the_patience_however_many_namespaces_are_slow(namespaces: int) -> None:
    lanes = Lanes()
    slow = [asyncio.create_task(call(lanes, f"slow{n}", 300)) for n in range(namespaces) for _ in range(50)]
    await asyncio.sleep(1)
    began = [asyncio.create_task(call(lanes, "quick", 0.1)) for _ in range(10)]
    waited = [at - 1 for at in await asyncio.gather(*began)]
    rounds = 1 + namespaces * 30 // 100
    assert max(waited) <= PATIENCE * rounds
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    assert len(lanes) == 0


async def test_a_namespace_has_a_bounded_number_under_way_and_keeps_its_order() -> None:
    lanes = Lanes(at_once=10, of_one=3)
    began = await asyncio.gather(*(call(lanes, "a", 5) for _ in range(9)))
    assert began == [0, 0, 0, 5, 5, 5, 10, 10, 10]


async def test_who_waits_is_served_in_turns() -> None:
    lanes = Lanes(at_once=1, of_one=1)
    order: list[str] = []

    async def one(lane: str) -> None:
        async with lanes.slot(lane):
            order.append(lane)
            await asyncio.sleep(1)

    await asyncio.gather(*(one(lane) for lane in ["a", "a", "a", "b", "c"]))
    assert order == ["a", "b", "c", "a", "a"] or order == ["a", "a", "b", "c", "a"]


async def test_beside_the_places_there_is_a_bound_as_well() -> None:
    lanes = Lanes(at_once=2, of_one=10, patience=1, beside=3)
    tasks = [asyncio.create_task(call(lanes, str(n), 100)) for n in range(8)]
    began = await asyncio.gather(*tasks)
    assert sum(at < 50 for at in began) == 5, "two have places, three have given theirs away"


async def test_a_thread_that_goes_on_keeps_the_place() -> None:
    lanes = Lanes(at_once=1, of_one=1)
    work: Future[None] = Future()
    async with lanes.slot("a") as slot:
        lanes.keep(slot, work)
    waiting = asyncio.create_task(call(lanes, "a", 1))
    await asyncio.sleep(100)
    assert not waiting.done()
    work.set_result(None)
    assert await waiting >= 100
    assert len(lanes) == 0


async def test_who_gives_up_leaves_no_place_taken() -> None:
    lanes = Lanes(at_once=1, of_one=1)
    async with lanes.slot("a"):
        for lane in ("a", "b"):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1), lanes.slot(lane):
                    pass
    assert len(lanes) == 0
    assert await call(lanes, "b", 0) == 2
