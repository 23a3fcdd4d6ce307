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
        self._gone: dict[str, float] = {}
        """Address → when it stopped being named as ready (seconds of the loop's clock); only the latest ones."""
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
        """Whether a slice names this address as ready."""
        return self._ready[address] > 0

    async def left(self, address: str, timeout: float) -> None:
        """Returns once no slice names the address as ready and gateways had time to follow, at most after `timeout`
        seconds; at once for one that was not named for so long already.

        A selector that moves takes an address out of the slices before its pod is deleted: it is the time since then
        that counts, and not whether the address is still listed.
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
