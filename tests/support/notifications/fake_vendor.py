"""An HTTP server that answers as a test configures it and records its requests."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

Answer = tuple[int, Any]


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Vendor:
    """Answers in order, the last again and again. `url`: where it listens."""

    answers: list[Answer]
    seen: list[Seen] = field(default_factory=list[Seen])
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), await request.read()))
        status, body = self.answers[min(len(self.seen), len(self.answers)) - 1]
        text = body if isinstance(body, str) else json.dumps(body)
        place = {"Location": body["location"]} if isinstance(body, dict) and "location" in body else {}
        return web.Response(status=status, text=text, content_type="application/json", headers=place)


@asynccontextmanager
async def vendor(*answers: Answer) -> AsyncGenerator[Vendor]:
    made = Vendor(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
