"""A part of `up` ends when it is stopped, also one that loses a cancellation."""

from __future__ import annotations

import asyncio
import logging

import pytest

from serinus.local.kept import STOP_SECONDS, kept

pytestmark = pytest.mark.looptime


async def test_a_part_that_fails_begins_again_and_ends_with_the_block():
    begun: list[float] = []

    async def part() -> None:
        begun.append(asyncio.get_running_loop().time())
        if len(begun) < 3:
            raise RuntimeError("a flaw")
        await asyncio.Event().wait()

    async with kept("a part", part):
        await asyncio.sleep(5)
    assert len(begun) == 3


@pytest.mark.parametrize("losses", [1, 3])
async def test_a_cancellation_that_is_lost_is_repeated(losses: int):
    lost: list[int] = []

    async def part() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(lost) == losses:
                    raise
                lost.append(1)

    async with asyncio.timeout(STOP_SECONDS + 1):
        async with kept("a part", part):
            await asyncio.sleep(0)
    assert len(lost) == losses


async def test_one_that_never_ends_is_left_behind_and_named(caplog: pytest.LogCaptureFixture):
    free = asyncio.Event()

    async def part() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    async with asyncio.timeout(STOP_SECONDS + 1):
        async with kept("the stubborn part", part):
            await asyncio.sleep(0)
    assert [r.levelno for r in caplog.records if "the stubborn part does not end" in r.message] == [logging.ERROR]
    free.set()
