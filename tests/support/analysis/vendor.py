"""A monitoring system that answers from a script, and a cluster of plain objects: the test environment of providers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from serinus.analysis.limits import limits_of
from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.measuring import measure
from serinus.analysis.providers.provider import MeasurementRequest, ProviderContext
from serinus.analysis.resolution import ResolvedMetric
from serinus.analysis.schedule import Task
from serinus.api.analysis import AnalysisRun, AnalysisRunStatus, Measurement, Metric
from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import Resource

NOW = 1_790_000_000.25
UID = "11111111-2222-3333-4444-555555555555"
CONTROLLER = "serinus-system"


@dataclass(frozen=True)
class Reply:
    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_query: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Vendor:
    """`replies`: path -> its answers, one after the other; the last one for ever. Text, bytes, JSON or a Reply."""

    url: str = ""
    replies: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    asked: list[Asked] = field(default_factory=list[Asked])

    def says(self, path: str, *replies: Any) -> None:
        self.replies[path] = list(replies)

    def answers(self, path: str, reply: Callable[[Asked], Any]) -> None:
        """Each answer follows from its request."""
        self.replies[path] = [reply]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {k.lower(): v for k, v in request.headers.items()}
        raw = request.raw_path.partition("?")[2]
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), headers, body, raw))
        script = self.replies.get(request.path)
        if not script:
            return web.Response(status=404, text="nothing here")
        found = script[0] if len(script) == 1 else script.pop(0)
        found = found(self.asked[-1]) if callable(found) else found
        reply = found if isinstance(found, Reply) else Reply(found)
        content = reply.body if isinstance(reply.body, str | bytes) else json.dumps(reply.body)
        data = content if isinstance(content, bytes) else content.encode()
        return web.Response(status=reply.status, body=data, headers=dict(reply.headers))


@asynccontextmanager
async def started_vendor() -> AsyncGenerator[Vendor]:
    vendor = Vendor()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", vendor.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


class ClusterError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Found:
    items: list[Json]


@dataclass
class Cluster:
    """Objects by (plural, namespace, name). `broken`: the error of every call."""

    objects: dict[tuple[str, str, str], Json] = field(default_factory=dict[tuple[str, str, str], Json])
    deleted: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    broken: Exception | None = None

    def secret(self, namespace: str, name: str, **data: str) -> None:
        encoded = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.objects["secrets", namespace, name] = {"data": encoded}

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json:
        self._check()
        found = self.objects.get((resource.plural, namespace, name))
        if found is None:
            raise ClusterError(404, f'{resource.plural} "{name}" not found')
        return found

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "") -> Found:
        self._check()
        wanted = dict(part.split("=") for part in labels.split(",") if part)
        return Found(
            [
                obj
                for (plural, space, _), obj in self.objects.items()
                if (plural, space) == (resource.plural, namespace)
                and wanted.items() <= (obj["metadata"].get("labels") or {}).items()
            ]
        )

    async def create(self, resource: Resource, obj: Any, namespace: str = "") -> Json:
        self._check()
        key = (resource.plural, namespace, str(obj["metadata"]["name"]))
        if key in self.objects:
            raise ClusterError(409, f'{resource.plural} "{key[2]}" already exists')
        self.objects[key] = obj
        return obj

    async def delete(
        self, resource: Resource, name: str, namespace: str = "", *, uid: str = "", propagation: str = "Background"
    ) -> None:
        self._check()
        if self.objects.pop((resource.plural, namespace, name), None) is None:
            raise ClusterError(404, "not found")
        self.deleted.append((name, propagation))

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken


@dataclass
class World:
    """All that one measurement needs. `now` is the clock."""

    vendor: Vendor
    http: Http
    cluster: Cluster = field(default_factory=Cluster)
    environment: dict[str, str] = field(default_factory=dict[str, str])
    now: float = NOW
    run: AnalysisRun = field(
        default_factory=lambda: AnalysisRun(
            ObjectMeta(name="run", namespace="ns", uid=UID), status=AnalysisRunStatus(started_at="2026-09-21T13:33:00Z")
        )
    )

    @property
    def url(self) -> str:
        return self.vendor.url

    def reach(self) -> ProviderContext:
        return ProviderContext(self.http, self.cluster, lambda: self.now, CONTROLLER, self.environment)

    def metric(self, provider: str, config: Any, **fields: Any) -> Metric:
        return msgspec.convert({"name": "value", "provider": {provider: config}, **fields}, Metric)

    def call(self, metric: Metric, number: int = 1) -> MeasurementRequest:
        return MeasurementRequest(self.run, metric, self.reach(), number)

    async def measured(self, provider: str, config: Any, **fields: Any) -> Measurement:
        """A new measurement, through the same door as the controller's."""
        return await self.task(self.metric(provider, config, **fields), None)

    async def task(self, metric: Metric, before: Measurement | None, call: Any = "run", number: int = 1) -> Measurement:
        resolved = ResolvedMetric(metric, limits_of(metric))
        (found,) = await measure(self.run, [Task(resolved, call, before, number)], self.reach())
        return found.measurement
