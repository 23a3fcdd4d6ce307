"""A dashboard and an API server in the test's own loop, and requests to it as any program may send them."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from serinus.dashboard.process import bound, served
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.transport import Handler
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.dashboard.dashboard_stage import TOKEN, put

Json = dict[str, Any]
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    json: Any


class Serving:
    def __init__(self, port: int, client: Client, service: Service, http: aiohttp.ClientSession) -> None:
        self.port, self.client, self.service, self.http = port, client, service, http

    async def put(self, obj: Json) -> Json:
        return await put(self.client, obj)

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.http.request(method, url, allow_redirects=False, **options) as answer:
            text = await answer.text()
            json = await answer.json() if answer.content_type == "application/json" else None
            return Answer(answer.status, dict(answer.headers), text, json)


@asynccontextmanager
async def serving(wrap: Any = None, **settings: Any) -> AsyncGenerator[Serving]:
    """`wrap`: a Handler around that of the API server."""
    api = ApiServer(MemoryStore(), Schemas(), SystemClock(), rng=random.Random(1))
    await api.start()
    handler: Handler = wrap(api.handle) if wrap else api.handle
    service = Service(Client(handler, user_agent="serinus-dashboard"), SystemClock(), random.Random(1))
    try:
        async with (
            served(service, Settings(token=TOKEN, **settings), bound(0)) as server,
            aiohttp.ClientSession() as http,
        ):
            yield Serving(server.port, Client(api.handle, user_agent="test"), service, http)
    finally:
        api.close()


async def shown(stage: Serving, *names: str) -> None:
    """Once the dashboard has these Rollouts of namespace default, and nothing is left to be shown."""
    page = stage.service.hub.open()
    try:
        while not all(("default", name) in stage.service.hub.lines for name in names) or not stage.service.hub.quiet:
            await page.wake.wait()
            page.wake.clear()
    finally:
        stage.service.hub.close(page)
