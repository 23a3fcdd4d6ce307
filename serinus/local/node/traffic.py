"""Whether an address may still get traffic: asked before a pod is ended."""

from __future__ import annotations

import asyncio
from collections import Counter

from serinus.kube.informer import Informer
from serinus.local.workloads.objects import EndpointSlice


class Traffic:
    """`drain`: seconds that a gateway gets to follow once an address has left the slices."""

    def __init__(self, slices: Informer[EndpointSlice], *, drain: float = 1.0) -> None:
        self._slices, self._drain = slices, drain
        self._ready: Counter[str] = Counter()
        self._listed: Counter[str] = Counter()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        slices.on_change(self._changed)

    def _changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        touched: set[str] = set()
        for obj, step in ((old, -1), (new, 1)):
            for endpoint in obj.endpoints if obj is not None else []:
                ready = (endpoint.get("conditions") or {}).get("ready") is not False
                for address in endpoint.get("addresses") or []:
                    touched.add(address)
                    self._listed[address] += step
                    if ready:
                        self._ready[address] += step
        for address in touched:
            if self._ready[address] <= 0:
                del self._ready[address]
                for event in self._waiting.get(address, ()):
                    event.set()
            if self._listed[address] <= 0:
                del self._listed[address]

    def reaches(self, address: str) -> bool:
        """Whether a slice names this address as ready."""
        return self._ready[address] > 0

    async def left(self, address: str, timeout: float) -> None:
        """Returns once no slice names the address as ready and gateways had time to follow, at most after `timeout`
        seconds; at once for one that no slice names at all."""
        if not self._listed[address]:
            return
        if self.reaches(address):
            event = asyncio.Event()
            self._waiting.setdefault(address, set()).add(event)
            try:
                await asyncio.wait_for(event.wait(), timeout)
            except TimeoutError:
                return
            finally:
                self._waiting[address].discard(event)
                if not self._waiting[address]:
                    del self._waiting[address]
        await asyncio.sleep(min(self._drain, timeout))
