"""A whole system in virtual time for one play: API server, workload controllers, a node that runs nothing, the controller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from serinus.analysis.providers.provider import ProviderContext
from serinus.api.resources import CRDS, Resource
from serinus.controller.manager import Options, run_controller
from serinus.kube.client import Client
from serinus.kube.transport import Handler, Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.node.node import Node
from serinus.local.schema.kinds import Schemas
from serinus.local.workloads.controllers import run_workloads
from tests.support.kube.loop_clock import LoopClock
from tests.support.plays.monitoring import Monitoring
from tests.support.plays.programs import Programs
from tests.support.plays.recordings import ROUTERS


@dataclass(frozen=True, slots=True)
class Write:
    """A write request of the controller. `t` in seconds of the loop's time."""

    t: float
    method: str
    path: str
    body: Any
    status: int

    @property
    def is_event(self) -> bool:
        return "/events" in self.path


@cache
def definitions() -> list[dict[str, Any]]:
    """Of the kinds of all routers, with open schemas."""
    return list(yaml.safe_load_all((ROUTERS / "crds.yaml").read_text()))


def resource_of(crd: dict[str, Any]) -> Resource:
    """The kind in the first version that its definition serves."""
    spec, names = crd["spec"], crd["spec"]["names"]
    return Resource(
        spec["group"], spec["versions"][0]["name"], names["plural"], names["kind"], singular=names["singular"]
    )


class Stage:
    """`client` is the user's. `writes`: the controller's write requests, in order.

    `monitoring`: the system that all analyses query.
    """

    def __init__(self, directory: Path, kinds: Sequence[str] = ()) -> None:
        """`kinds`: `plural.group` of the kinds of routers that the play needs; their definitions are installed before the controller
        starts."""
        self._definitions = [crd for crd in definitions() if crd["metadata"]["name"] in kinds]
        self.kinds = tuple(resource_of(crd) for crd in self._definitions)
        self.clock = LoopClock()
        self.api = ApiServer(MemoryStore(), Schemas(), self.clock, rng=Random(1))
        self.client = Client(self.api.handle, user_agent="kubectl")
        self.writes: list[Write] = []
        self.monitoring = Monitoring()
        self._directory = directory
        self.refuses: tuple[str, str] | None = None
        """(method, part of the path) of the controller's requests that it has no right to make."""
        self.through: Callable[[Handler], Handler] = lambda handler: handler
        """What the controller's requests pass before they reach the API server."""
        self._controller: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        await self.api.start()
        inside = Client(self.api.handle)
        for crd in self._definitions:
            await inside.create(CRDS, crd)
        runtime = Programs(self.clock, Random(5))
        node = Node(inside, runtime, self.clock, Random(2), data_dir=self._directory)
        parts = (node.run(), run_workloads(inside, self.clock, Random(3)))
        tasks = [asyncio.create_task(part) for part in parts]
        self.start_controller()
        try:
            yield
        finally:
            tasks += [self._controller] if self._controller else []
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            self.api.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def start_controller(self) -> None:
        controller = Client(self.through(self._noted), user_agent="rollouts-controller")
        options = Options(leader_elect=False, self_service_notifications=True)
        reach = ProviderContext(self.monitoring, controller, self.clock.now)
        work = run_controller(controller, self.clock, Random(4), options=options, reach=reach)
        self._controller = asyncio.create_task(work)

    async def stop_controller(self) -> None:
        """Ends the controller, which forgets everything that it has not written."""
        assert self._controller is not None
        self._controller.cancel()
        await asyncio.gather(self._controller, return_exceptions=True)
        self._controller = None

    async def _noted(self, request: Request) -> Response:
        if self.refuses and request.method == self.refuses[0] and self.refuses[1] in request.path:
            text = f'{request.path} is forbidden: User "serinus" cannot {request.method} it'
            return Response(
                403, json.dumps({"kind": "Status", "reason": "Forbidden", "code": 403, "message": text}).encode()
            )
        answer = await self.api.handle(request)
        if request.method != "GET":
            now = asyncio.get_running_loop().time()
            body = json.loads(request.body) if request.body else None
            self.writes.append(Write(now, request.method, request.path, body, answer.status))
        return answer
