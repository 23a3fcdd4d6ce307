"""How long an address may still get traffic after it has left the EndpointSlices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from serinus.kube.informer import Informer
from serinus.local.node.probing.traffic import TrafficState
from serinus.local.workloads.objects import EndpointSlice

pytestmark = pytest.mark.looptime(start=0)
ADDRESS = "127.77.0.1"


class Slices:
    """Acts as the informer: passes changes on."""

    def __init__(self) -> None:
        self.seen: EndpointSlice | None = None
        self.told: list[Callable[..., None]] = []

    def on_change(self, callback: Callable[..., None]) -> None:
        self.told.append(callback)

    def now(self, *endpoints: dict[str, Any]) -> None:
        new = msgspec.convert({"metadata": {"name": "web"}, "endpoints": list(endpoints)}, EndpointSlice)
        old, self.seen = self.seen, new
        for callback in self.told:
            callback(old, new)


def endpoint(*, ready: bool) -> dict[str, Any]:
    return {"addresses": [ADDRESS], "conditions": {"ready": ready}}


def traffic() -> tuple[Slices, TrafficState]:
    slices = Slices()
    return slices, TrafficState(cast(Informer[EndpointSlice], slices), drain=1.0)


async def took(there: TrafficState, timeout: float = 30) -> float:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await there.left(ADDRESS, timeout)
    return loop.time() - begun


@pytest.mark.parametrize("after", [(), (endpoint(ready=False),)])
async def test_a_pod_that_has_just_left_the_slices_serves_until_gateways_have_followed(after: tuple[Any, ...]):
    """Also one whose Service moved to other pods before it was deleted: nothing lists it, and gateways still call it."""
    slices, there = traffic()
    slices.now(endpoint(ready=True))
    slices.now(*after)
    await asyncio.sleep(0.25)
    assert await took(there) == pytest.approx(0.75)


async def test_a_pod_that_is_still_in_the_slices_waits_for_that_first():
    slices, there = traffic()
    slices.now(endpoint(ready=True))
    waiting = asyncio.create_task(took(there))
    await asyncio.sleep(2)
    assert not waiting.done()
    slices.now()
    assert await waiting == pytest.approx(3)


async def test_nobody_waits_for_a_pod_that_gets_no_traffic():
    slices, there = traffic()
    assert await took(there) == 0
    slices.now(endpoint(ready=True))
    slices.now()
    await asyncio.sleep(60)
    assert await took(there) == 0


async def test_the_grace_period_is_the_longest_wait():
    slices, there = traffic()
    slices.now(endpoint(ready=True))
    assert await took(there, 5) == pytest.approx(5)
