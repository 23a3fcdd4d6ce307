"""Decodes and evaluates large responses in a thread. So the event loop, with leases, watches and all other
measurements, is not blocked.

Work that holds the GIL without a pause is limited: the number of values in one decoding step (decoding.py), and the
pieces of text. One thread does all: two would only share the GIL. Namespaces take turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serinus.analysis.providers.current import CURRENT
from serinus.analysis.providers.lanes import Lanes

T = TypeVar("T")

SMALL = 32 * 1024
"""Most bytes of a response that the event loop decodes: some milliseconds."""


class ResponseReader:
    """A thread for one event loop. The owner closes it at the end."""

    def __init__(self) -> None:
        self._turns = Lanes(at_once=1, of_one=1, patience=float("inf"))
        self._thread: ThreadPoolExecutor | None = None

    async def apart(self, work: Callable[[], T]) -> T:
        """The result of the work in the thread. The work must limit itself: it continues if the caller is cancelled."""
        current = CURRENT.get()
        async with self._turns.slot(current.namespace if current else "") as slot:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
            doing = self._thread.submit(work)
            self._turns.keep(slot, doing)
            return await asyncio.wrap_future(doing)

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
