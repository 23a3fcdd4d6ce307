"""Real processes, real requests: a client that follows the EndpointSlices loses no request while pods come and go."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from serinus.api.resources import DEPLOYMENTS, ENDPOINT_SLICES, PODS, SERVICES
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.informer import Informer
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.node.containers.process import ProcessRuntime
from serinus.local.node.containers.runtime import HttpCheck
from serinus.local.node.node import Node
from serinus.local.node.probing.checks import ask
from serinus.local.node.probing.traffic import TrafficState
from serinus.local.schema.kinds import Schemas
from serinus.local.workloads.controllers import run_workloads
from serinus.local.workloads.objects import EndpointSlice

LAG = 0.2
"""Seconds that the client of this test is behind the slices, as a gateway may be."""


async def test_an_update_of_real_processes_loses_no_request(tmp_path: Path, make: Any) -> None:
    clock = SystemClock()
    api = ApiServer(MemoryStore(), Schemas(), clock, rng=Random(1))
    await api.start()
    client = Client(api.handle)
    node = Node(client, ProcessRuntime(tmp_path / "pods", clock), clock, Random(2), data_dir=tmp_path)
    slices = Informer(client, ENDPOINT_SLICES, EndpointSlice, clock=clock)
    answers: Counter[str] = Counter()
    tasks = [
        asyncio.create_task(part)
        for part in (
            node.run(),
            run_workloads(client, clock, Random(3)),
            slices.run(),
            load(slices, answers),
        )
    ]
    try:
        await client.create(SERVICES, make.service(), "default")
        await client.create(DEPLOYMENTS, make.deployment(replicas=2, image="argoproj/rollouts-demo:blue"), "default")
        async with asyncio.timeout(20):
            while answers["ok"] < 20:  # noqa: ASYNC110 - requests send no event
                await asyncio.sleep(0.01)
            patch = make.deployment(replicas=2, image="argoproj/rollouts-demo:green")["spec"]["template"]
            await client.patch(DEPLOYMENTS, "web", {"spec": {"template": patch}}, "default")
            while not await only(client, "argoproj/rollouts-demo:green"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await node.stop_all(1)
    assert answers["failed"] == 0
    assert answers["ok"] > 100


async def only(client: Client, image: str) -> bool:
    return {p["spec"]["containers"][0]["image"] for p in (await client.list(PODS, "default")).items} == {image}


async def load(slices: Informer[EndpointSlice], answers: Counter[str]) -> None:
    """A request every few milliseconds to one of the addresses that were ready `LAG` seconds ago."""
    chance, seen, loop = Random(4), list[tuple[float, list[str]]](), asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()

    async def one(address: str) -> None:
        result = await ask(HttpCheck(address, 8080, "/color"), 2)
        answers["ok" if result.ok else "failed"] += 1

    while True:
        ready = [
            a
            for s in slices.items.values()
            for e in s.endpoints or []
            if e["conditions"]["ready"]
            for a in e["addresses"]
        ]
        seen.append((loop.time(), ready))
        while len(seen) > 1 and seen[1][0] <= loop.time() - LAG:
            seen.pop(0)
        if seen[0][1] and seen[0][0] <= loop.time() - LAG:
            task = asyncio.create_task(one(chance.choice(seen[0][1])))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.sleep(0.005)


async def test_a_slice_that_a_real_api_server_empties_lets_its_pods_end() -> None:
    """It answers `endpoints: null` where the last one has gone."""
    changes: list[Any] = []
    slices = SimpleNamespace(on_change=changes.append)
    traffic = TrafficState(cast(Any, slices), drain=0)
    (changed,) = changes
    full, empty = (
        msgspec.json.decode(
            json.dumps({"metadata": {"name": "web-x", "namespace": "default"}, "endpoints": endpoints}),
            type=EndpointSlice,
        )
        for endpoints in ([{"addresses": ["10.200.0.2"], "conditions": {"ready": True}}], None)
    )
    changed(None, full)
    assert traffic.reaches("10.200.0.2")
    changed(full, empty)
    assert not traffic.reaches("10.200.0.2")
