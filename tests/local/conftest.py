"""A whole system in virtual time: the real API server in memory, the real controllers and node, and a runtime that runs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serinus.api.resources import PODS, Resource
from serinus.kube.client import Client
from serinus.kube.errors import NotFound
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.node.node import Node
from serinus.local.schema.kinds import Schemas
from serinus.local.workloads.controllers import run_workloads
from tests.support.kube.loop_clock import LoopClock
from tests.support.local.fake_node import FakeRuntime

Json = dict[str, Any]


class World:
    """`runtime.script` defines the behaviour of images. `calls`: (method, path) of each request of the controllers and the node.
    `lag`: seconds by which each event of watches begun from now on is late.
    """

    def __init__(self, directory: Path) -> None:
        self.clock = LoopClock()
        self.api = ApiServer(MemoryStore(), Schemas(), self.clock, rng=Random(1))
        self.client = Client(self.api.handle, user_agent="test")
        self.calls: list[tuple[str, str]] = []
        self.runtime = FakeRuntime(self.clock)
        self.lag = 0.0
        self._directory = directory
        self._tasks: list[asyncio.Task[None]] = []

    async def _handle(self, request: Request) -> Response:
        self.calls.append((request.method, request.path))
        response = await self.api.handle(request)
        if response.stream is not None and self.lag:
            response.stream = self._late(response.stream)
        return response

    async def _late(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in stream:
            await asyncio.sleep(self.lag)
            yield piece

    def start(self) -> None:
        client = Client(self._handle, user_agent="serinus")
        node = Node(client, self.runtime, self.clock, Random(2), data_dir=self._directory)
        self._tasks = [
            asyncio.create_task(node.run()),
            asyncio.create_task(run_workloads(client, self.clock, Random(3))),
        ]

    async def stop(self) -> None:
        """As a crash: whatever was under way stays undone."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def until(self, true: Callable[[], Any], seconds: float = 120) -> Any:
        """Wait, in virtual time, until the result of `true` (awaited if needed) is true; return it."""
        async with asyncio.timeout(seconds):
            while True:
                found = true()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.01)

    async def pods(self, namespace: str = "default") -> list[Json]:
        return (await self.client.list(PODS, namespace)).items

    async def ready(self, namespace: str = "default") -> list[Json]:
        return [p for p in await self.pods(namespace) if is_ready(p)]

    async def gone(self, resource: Resource, name: str, namespace: str = "default") -> bool:
        try:
            await self.client.get(resource, name, namespace)
        except NotFound:
            return True
        return False


def is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def deployment(name: str = "web", replicas: int = 3, image: str = "x:1", **spec: Any) -> Json:
    container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def service(name: str = "web") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def pod(name: str = "p", image: str = "x:1", **spec: Any) -> Json:
    container = {"name": "c", "image": image, **spec.pop("container", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


class Make:
    deployment = staticmethod(deployment)
    service = staticmethod(service)
    pod = staticmethod(pod)
    is_ready = staticmethod(is_ready)


@pytest.fixture
def make() -> type[Make]:
    return Make


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.api.start()
    made.start()
    yield made
    await made.stop()
