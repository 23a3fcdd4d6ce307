"""Tracks whether an address may still receive traffic, for the end of pods."""

from __future__ import annotations

import asyncio
from collections import Counter

from serinus.kube.informer import Informer
from serinus.local.workloads.objects import EndpointSlice


class TrafficState:
    """`drain`: seconds for gateways to follow after an address has left the slices."""

    def __init__(self, slices: Informer[EndpointSlice], *, drain: float = 1.0) -> None:
        self._slices, self._drain = slices, drain
        self._ready: Counter[str] = Counter()
        self._gone: dict[str, float] = {}
        """Address -> when it was last dropped as ready (seconds of the loop's clock); only recent ones."""
        self._waiting: dict[str, set[asyncio.Event]] = {}
        slices.on_change(self._changed)

    def _changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        touched: set[str] = set()
        for obj, step in ((old, -1), (new, 1)):
            for endpoint in (obj.endpoints or []) if obj is not None else []:
                if (endpoint.get("conditions") or {}).get("ready") is not False:
                    for address in endpoint.get("addresses") or []:
                        touched.add(address)
                        self._ready[address] += step
        for address in touched:
            if self._ready[address] <= 0:
                del self._ready[address]
                self._note_gone(address)
                for event in self._waiting.get(address, ()):
                    event.set()

    def _note_gone(self, address: str) -> None:
        now = asyncio.get_running_loop().time()
        self._gone = {a: at for a, at in self._gone.items() if at > now - self._drain and a != address}
        self._gone[address] = now

    def reaches(self, address: str) -> bool:
        """Whether a slice lists this address as ready."""
        return self._ready[address] > 0

    async def left(self, address: str, timeout: float) -> None:
        """Returns once no slice lists the address as ready and `drain` seconds have passed, at most after `timeout`
        seconds.

        A selector change removes an address from the slices before its pod is deleted. So the time since the removal
        counts: if `drain` has already passed, this returns at once.
        """
        if self.reaches(address):
            event = asyncio.Event()
            self._waiting.setdefault(address, set()).add(event)
            try:
                async with asyncio.timeout(timeout):
                    await event.wait()
            except TimeoutError:
                return
            finally:
                self._waiting[address].discard(event)
                if not self._waiting[address]:
                    del self._waiting[address]
        gone = self._gone.get(address)
        if gone is not None and not self.reaches(address):
            rest = gone + self._drain - asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, min(rest, timeout)))
