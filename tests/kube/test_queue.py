"""The guarantees of a work queue: no key is lost, none is handled twice at once, failures wait longer and longer."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from serinus.kube.errors import Unavailable
from serinus.kube.queue import WorkQueue, work
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)


@pytest.fixture
async def queue() -> WorkQueue[str]:
    return WorkQueue(LoopClock(), Random(1))


async def test_a_key_added_often_is_worked_on_once(queue: WorkQueue[str]) -> None:
    for _ in range(5):
        queue.add("a")
    queue.add("b")
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    queue.done("a")
    queue.done("b")
    assert queue.idle()


async def test_a_key_added_while_it_is_worked_on_comes_again_afterwards(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert len(queue) == 0, "it would be worked on twice at once"
    queue.done("a")
    assert await queue.get() == "a"


async def test_the_earliest_of_several_appointments_stands(queue: WorkQueue[str]) -> None:
    clock = LoopClock()
    start = clock.now()
    for after in (500.0, 20.0, 900.0):
        queue.add_at("a", start + after)
    queue.add_at("b", start + 30)
    assert await queue.get() == "a"
    assert 20.0 <= clock.now() - start < 20.01
    queue.done("a")
    assert await queue.get() == "b"
    queue.done("b")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10_000):
            await queue.get()


async def test_a_key_never_comes_before_its_time(queue: WorkQueue[str]) -> None:
    """A handler called early would decide that it is too early and request the same time again, in a busy loop."""
    clock = LoopClock()
    for step in range(50):
        when = clock.now() + 0.1 + step / 7
        queue.add_at("a", when)
        await queue.get()
        assert clock.now() >= when
        queue.done("a")


async def test_failures_wait_longer_each_time_up_to_a_bound_and_success_forgets_them(queue: WorkQueue[str]) -> None:
    delays = [queue.retry("a") for _ in range(40)]
    assert 0.025 <= delays[0] <= 0.05
    assert 0.05 <= delays[1] <= 0.1
    assert all(5.0 <= delay <= 10.0 for delay in delays[10:])
    queue.forget("a")
    assert queue.retry("a") <= 0.05


async def test_an_event_does_not_wait_for_the_back_off(queue: WorkQueue[str]) -> None:
    """The obstacle may be gone: a user who fixed it must not wait out an old failure."""
    for _ in range(12):
        queue.retry("a")
    start = asyncio.get_running_loop().time()
    queue.add("a")
    assert await queue.get() == "a"
    assert asyncio.get_running_loop().time() == start


async def test_a_getter_that_gives_up_loses_no_key(queue: WorkQueue[str]) -> None:
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add("a")
    getters[0].cancel()
    assert await getters[1] == "a"
    getters[2].cancel()


async def test_a_handler_that_fails_is_called_again_and_one_failing_key_does_not_hold_up_others() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock(), Random(1))
    seen: list[str] = []
    finished = asyncio.Event()

    async def handler(key: str) -> None:
        seen.append(key)
        if seen.count("bad") == 1 and key == "bad":
            raise Unavailable(503, "", "down", retry_after=7)
        if key == "bad" and seen.count("bad") == 2:
            raise ZeroDivisionError
        if key == "bad":
            finished.set()

    worker = asyncio.create_task(work(queue, handler, workers=2))
    queue.add("bad")
    queue.add("good")
    await finished.wait()
    assert seen == ["bad", "good", "bad", "bad"]
    assert asyncio.get_running_loop().time() >= 7, "the server said when to come again"
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def test_changes_of_mind_do_not_make_the_queue_grow(queue: WorkQueue[str]) -> None:
    clock = LoopClock()
    for step in range(20_000):
        queue.add_at("a", clock.now() + 1e6 - step)
    assert len(queue._heap) < 200  # pyright: ignore[reportPrivateUsage]
