"""What the cache keeps of what it hears."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from serinus.controller.cache import Cache
from serinus.kube.client import Client
from serinus.kube.clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)
WEB = ("a", "web")


async def test_a_write_of_the_status_keeps_what_was_worked_out_from_the_spec(store: Any) -> None:
    woken: asyncio.Queue[Any] = asyncio.Queue()
    cache = Cache(Client(store), LoopClock(), Random(1), woken.put_nowait, namespace="", instance_id="")
    running = asyncio.create_task(cache.run())
    rollout: dict[str, Any] = {"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 3}}
    await store.put("rollouts", rollout)
    await woken.get()
    spec = cache.rollouts.items[WEB].spec
    await store.put("rollouts", {**rollout, "status": {"phase": "Healthy"}})
    while cache.rollouts.items[WEB].status.phase != "Healthy":
        await woken.get()
    assert cache.rollouts.items[WEB].spec is spec
    await store.put("rollouts", {"metadata": {"name": "web", "generation": 2}, "spec": {"replicas": 4}})
    while cache.rollouts.items[WEB].spec.replicas != 4:
        await woken.get()
    running.cancel()


async def test_a_controller_of_one_namespace_does_not_wait_for_what_it_may_not_read(store: Any) -> None:
    """A Role gives no right to read ClusterAnalysisTemplates: each Rollout with an analysis would wait for ever."""
    woken: asyncio.Queue[Any] = asyncio.Queue()
    cache = Cache(Client(store), LoopClock(), Random(1), woken.put_nowait, namespace="a", instance_id="")
    running = asyncio.create_task(cache.run())
    canary = {"analysis": {"templates": [{"templateName": "verdict"}]}}
    await store.put("rollouts", {"metadata": {"name": "web"}, "spec": {"strategy": {"canary": canary}}})
    await woken.get()
    await cache.synced()
    assert [i.resource.kind for i in cache.others.values()] == ["AnalysisTemplate"]
    assert cache.missing(cache.rollouts.items[WEB]) == ""
    running.cancel()
