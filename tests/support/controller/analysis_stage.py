"""The whole controller with a monitoring system, in virtual time."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

from serinus.analysis.providers.http.client import Http, HttpResponse
from serinus.analysis.providers.provider import ProviderContext
from serinus.api.resources import ANALYSIS_RUNS
from serinus.controller.manager import Options, run_controller
from serinus.kube.client import Client
from serinus.kube.transport import Handler
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.kube.loop_clock import LoopClock

Json = dict[str, Any]
SPACE = "default"


class Metrics(Http):
    """A monitoring system: `value` is its answer, `asked` its queries and their times."""

    def __init__(self, clock: LoopClock) -> None:
        super().__init__()
        self.clock, self.value, self.asked = clock, 0.99, list[tuple[float, str]]()
        self.takes = 0.0

    async def request(self, method: str, url: str, **more: Any) -> HttpResponse:
        self.asked.append((self.clock.now(), url))
        await asyncio.sleep(self.takes)
        return HttpResponse(200, {"content-type": "application/json"}, json.dumps({"value": self.value}).encode())


class Stage:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.api = ApiServer(MemoryStore(), Schemas(), self.clock, rng=Random(1))
        self.client = Client(self.api.handle, user_agent="user")
        self.metrics = Metrics(self.clock)
        self.controller: asyncio.Task[None] | None = None

    def begin(self, *, jobs: Client | None = None, handle: Handler | None = None, **options: Any) -> None:
        """`jobs`: of the cluster where Jobs are made, if it is another. `handle`: answers the controller's requests."""
        client = Client(handle or self.api.handle, user_agent="controller")
        reach = ProviderContext(self.metrics, client, self.clock.now, job_cluster=jobs)
        self.controller = asyncio.create_task(
            run_controller(
                client,
                self.clock,
                Random(2),
                options=Options(leader_elect=False, **options),
                reach=reach,
                job_cluster=jobs,
            )
        )

    async def end(self) -> None:
        assert self.controller is not None
        self.controller.cancel()
        await asyncio.gather(self.controller, return_exceptions=True)

    async def run(self, **metric: Any) -> None:
        web = {"web": {"url": "http://metrics/value?key={{args.key}}", "jsonPath": "{$.value}"}}
        spec: Json = {
            "metrics": [{"name": "value", "provider": web, "successCondition": "result > 0.9", **metric}],
            "args": [{"name": "key", "value": "all"}],
        }
        await self.client.create(ANALYSIS_RUNS, {"metadata": {"name": "check"}, "spec": spec}, SPACE)

    async def status(self, name: str = "check") -> Json:
        return (await self.client.get(ANALYSIS_RUNS, name, SPACE)).get("status") or {}

    async def until(self, phase: str, name: str = "check") -> Json:
        async with asyncio.timeout(600):
            while (status := await self.status(name)).get("phase") != phase:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)
        return status
