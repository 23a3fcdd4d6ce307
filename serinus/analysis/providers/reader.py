"""Reads and judges large answers in a thread, so that the event loop goes on meanwhile: it has the controller's leases, watches
and all other measurements.

What holds the interpreter without a pause is bounded as well: the number of values that are decoded at once (decoding.py), and the
pieces of text. One thread does all: two would only share the interpreter. Namespaces take turns.
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
"""Bytes of an answer that is read at once: some milliseconds."""


class Reader:
    """To be used in one event loop, and closed at the end."""

    def __init__(self) -> None:
        self._turns = Lanes(at_once=1, of_one=1, patience=float("inf"))
        self._thread: ThreadPoolExecutor | None = None

    async def apart(self, work: Callable[[], T]) -> T:
        """What the work gives, done in the thread. It has to be bounded by itself: it goes on when the caller is cancelled."""
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
