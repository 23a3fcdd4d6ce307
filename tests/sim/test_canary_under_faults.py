"""The real parts in virtual time: API server, workload controllers, a node that runs nothing, and the controller.

The histories of `test_simulation.py` run on lean models of all but the controller; this one runs on nothing lean.

Faults are injected between the controller and the API, and from time to time the controller is killed. Each write to the
API is checked as it happens. A failing run names its seed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serinus.api.resources import BY_KIND, INGRESSES, REPLICA_SETS, ROLLOUTS, SERVICES
from serinus.controller.manager import Options, run_controller
from serinus.kube.client import Client
from serinus.kube.errors import NotFound
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.node.node import Node
from serinus.local.schema.kinds import Schemas
from serinus.local.workloads.controllers import run_workloads
from tests.support.kube.faults import Faults, Rates
from tests.support.kube.loop_clock import LoopClock
from tests.support.local.fake_node import FakeProgram, FakeRuntime
from tests.support.long import few

pytestmark = pytest.mark.looptime(start=0)

Json = dict[str, Any]
SPACE = "default"
REPLICAS = 5
HASH = "rollouts-pod-template-hash"
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


def container(colour: str) -> Json:
    return {
        "name": "web",
        "image": f"argoproj/rollouts-demo:{colour}",
        "ports": [{"name": "http", "containerPort": 8080}],
    }


def manifests() -> list[Json]:
    labels = {"app": "web"}
    ports = [{"port": 80, "targetPort": "http", "name": "http"}]
    services = [
        {"kind": "Service", "apiVersion": "v1", "metadata": {"name": n}, "spec": {"selector": labels, "ports": ports}}
        for n in ("web", "web-canary")
    ]
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    rule = {"host": "web.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress: Json = {"kind": "Ingress", "metadata": {"name": "web"}, "spec": {"rules": [rule]}}
    canary: Json = {
        "canaryService": "web-canary",
        "stableService": "web",
        "trafficRouting": {"nginx": {"stableIngress": "web"}},
        "steps": [{"setWeight": 20}, {"pause": {"duration": 20}}, {"setWeight": 60}, {"pause": {"duration": 20}}],
    }
    spec: Json = {
        "replicas": REPLICAS,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container("blue")]}},
        "strategy": {"canary": canary},
    }
    return [*services, ingress, {"kind": "Rollout", "metadata": {"name": "web"}, "spec": spec}]


class World:
    """`client` is the user's: without faults."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.rng, self.clock = Random(seed), LoopClock()
        self.api = ApiServer(MemoryStore(), Schemas(), self.clock, rng=Random(seed))
        self.client = Client(self.api.handle, user_agent="user")
        rates = Rates(
            slow=0.2, failed=0.05, conflict=0.05, lost=0.05, lost_answer=0.08, broken_watch=0.05, late_events=0.1
        )
        self.faults = Faults(self._watched, Random(seed), rates)
        self.runtime = FakeRuntime(
            self.clock, lambda image, attempt: FakeProgram(listens_after=self.rng.uniform(0.1, 4))
        )
        self.directory = directory
        self.tasks: list[asyncio.Task[None]] = []
        self.controller: asyncio.Task[None] | None = None
        self.broken: list[str] = []
        """Promises that a write broke."""
        self.created: list[str] = []

    async def start(self) -> None:
        await self.api.start()
        inside = Client(self.api.handle)
        node = Node(inside, self.runtime, self.clock, Random(1), data_dir=self.directory)
        for part in (run_workloads(inside, self.clock, Random(2)), node.run(), self._murders()):
            self.tasks.append(asyncio.create_task(part))
        self.begin()
        for obj in manifests():
            await self.client.create(BY_KIND[obj["kind"]], obj, SPACE)

    def begin(self) -> None:
        client, options = Client(self.faults, user_agent="rollouts-controller"), Options(leader_elect=False)
        self.controller = asyncio.create_task(run_controller(client, self.clock, Random(3), options=options))

    async def _murders(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(5, 40))
            await self.end_controller()
            self.begin()

    async def end_controller(self) -> None:
        if self.controller is not None:
            self.controller.cancel()
            await asyncio.gather(self.controller, return_exceptions=True)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.end_controller()
        self.api.close()

    async def show(self, colour: str) -> None:
        patch = {"spec": {"template": {"spec": {"containers": [container(colour)]}}}}
        await self.client.patch(ROLLOUTS, "web", patch, SPACE)

    async def status(self) -> Json:
        return (await self.client.get(ROLLOUTS, "web", SPACE)).get("status") or {}

    async def sizes(self) -> dict[str, int]:
        found = (await self.client.list(REPLICA_SETS, SPACE)).items
        return {
            rs["spec"]["template"]["spec"]["containers"][0]["image"].split(":")[1]: rs["spec"]["replicas"]
            for rs in found
        }

    async def until(self, true: Callable[[Json, dict[str, int]], bool]) -> None:
        async with asyncio.timeout(1200):
            while not true(await self.status(), await self.sizes()):  # noqa: ASYNC110 - the API has the state, no event does
                await asyncio.sleep(0.5)

    async def settled(self, colour: str) -> None:
        def done(status: Json, sizes: dict[str, int]) -> bool:
            alone = {name: n for name, n in sizes.items() if n} == {colour: REPLICAS}
            return alone and status.get("phase") == "Healthy" and status["stableRS"] == status["currentPodHash"]

        await self.until(done)

    # Promises

    async def _watched(self, request: Request) -> Response:
        answer = await self.api.handle(request)
        if request.method in ("POST", "PATCH") and answer.status < 300:
            if request.method == "POST" and "/events" not in request.path:
                self.created.append(json.loads(answer.body)["metadata"]["name"])
            if "/ingresses" in request.path or "/services" in request.path:
                await self._check()
        return answer

    async def _check(self) -> None:
        sets = {rs["metadata"]["labels"][HASH]: rs for rs in (await self.client.list(REPLICA_SETS, SPACE)).items}
        ready = {h: rs.get("status", {}).get("readyReplicas", 0) for h, rs in sets.items()}
        selected = {
            s["metadata"]["name"]: s["spec"]["selector"].get(HASH)
            for s in (await self.client.list(SERVICES, SPACE)).items
        }
        for name, found in selected.items():
            if found and not ready.get(found):
                self.broken.append(f"Service {name} leads to {found}, which has no ready pods")
        try:
            canary = await self.client.get(INGRESSES, "web-web-canary", SPACE)
        except NotFound:
            return
        weight = int(canary["metadata"]["annotations"][WEIGHT])
        able = 100 * ready.get(selected["web-canary"] or "", 0) / REPLICAS
        if weight > able and selected["web"] != selected["web-canary"]:
            self.broken.append(f"weight {weight} for {able} % of the pods")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
async def world(seed: int, tmp_path: Path) -> AsyncIterator[World]:
    made = World(seed, tmp_path)
    yield made
    await made.stop()


@pytest.mark.parametrize("seed", few(range(20), range(3)), indirect=True)
async def test_there_back_in_the_middle_and_aborted_it_ends_as_asked_and_nothing_breaks(world: World) -> None:
    await world.start()
    await world.settled("blue")
    await world.show("green")
    await world.settled("green")
    await world.show("red")
    await world.until(lambda _, sizes: sizes.get("red", 0) > 0)
    await world.show("green")  # a change of mind
    await world.settled("green")
    await world.show("blue")
    await world.until(lambda status, sizes: sizes.get("blue", 0) > 0 and status["phase"] != "Healthy")
    await world.client.patch(ROLLOUTS, "web", {"status": {"abort": True}}, SPACE, subresource="status")
    await world.until(
        lambda status, sizes: status["phase"] == "Degraded" and {n for n, s in sizes.items() if s} == {"green"}
    )
    assert world.broken == []
    assert len(world.created) == len(set(world.created)), "a thing was made twice"
