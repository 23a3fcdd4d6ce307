"""A background part of `serinus up` that runs until it is stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)

STOP_SECONDS = 5.0
"""Seconds that a part may take to end after its cancellation."""
ASK_AGAIN = 0.5


@asynccontextmanager
async def kept(name: str, start: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Runs a part beside the block. A failure is a bug: it is logged, and the part restarts."""

    async def keep() -> None:
        delay = 0.1
        while True:
            try:
                await start()
                return
            except Exception:
                log.exception("%s failed and starts again in %.1f s", name, delay)
                await asyncio.sleep(delay)
                delay = min(10.0, delay * 2)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        await stopped(name, task)


async def stopped(name: str, task: asyncio.Task[None], seconds: float = STOP_SECONDS) -> None:
    """Cancels the task and returns when it has ended.

    A library or a bug can lose a cancellation, so it is repeated. After `seconds` the task is abandoned and an error is
    logged, so that the other parts can still stop.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not task.done() and loop.time() < end:
        task.cancel()
        await asyncio.wait([task], timeout=ASK_AGAIN)
    if not task.done():
        log.error("%s does not end and is left behind", name)
