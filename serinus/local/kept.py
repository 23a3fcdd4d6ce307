"""A part of `serinus up` that runs beside the others until it is stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)

STOP_SECONDS = 5.0
"""How long a part may take to end once it is cancelled."""
ASK_AGAIN = 0.5


@asynccontextmanager
async def kept(name: str, start: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Runs a part beside the block. One that fails is a flaw of ours: it is logged and begins again from what is there."""

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

    A cancellation can be lost, to a library or a flaw of ours. Then it is repeated; after `seconds` the task is left
    behind with an error in the log, so that nothing keeps the rest from being stopped.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not task.done() and loop.time() < end:
        task.cancel()
        await asyncio.wait([task], timeout=ASK_AGAIN)
    if not task.done():
        log.error("%s does not end and is left behind", name)
