"""A dashboard on an API server of its own, in a thread: for tests with a browser, which wait in the foreground."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from serinus.api.resources import BY_KIND
from serinus.dashboard.process import bound, served
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.dashboard import scenes

Json = dict[str, Any]
T = TypeVar("T")

TOKEN = "a-token-for-the-tests"


class _Clock(SystemClock):
    """The API server's; `behind`: seconds, so that objects can be older than the test."""

    behind = 0.0

    def now(self) -> float:
        return super().now() - self.behind


class Stage:
    """`url`: the dashboard's plain address; `tokened`: the one that it prints. `writes`: the dashboard's writes except Events."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(token=TOKEN, **settings)
        self.writes: list[tuple[str, str]] = []
        self.before: Callable[[Request], Response | None] = lambda _: None
        """May answer a request of the dashboard in the API server's place."""
        self.port = 0
        self.clock = _Clock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stop: asyncio.Event | None = None
        self._serving: Future[None] | None = None
        self.do(self._start_api())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it on the stage's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def open(self) -> None:
        """Starts the dashboard, on the same port as before."""
        listening = bound(self.port)
        self.port = listening.getsockname()[1]
        ready = threading.Event()
        self._serving = asyncio.run_coroutine_threadsafe(self._serve(listening, ready), self._loop)
        assert ready.wait(20)

    def shut(self) -> None:
        """Stop the dashboard; the API server keeps running."""
        if self._stop is not None and self._serving is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._serving.result(20)
            self._stop = None

    def end(self) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._api.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.settings.root}/"

    @property
    def tokened(self) -> str:
        return f"{self.url}?token={TOKEN}"

    def put(self, obj: Json) -> Json:
        """Creates an object with its status."""
        return self.do(put(self.client, obj))

    def get(self, kind: str, name: str, namespace: str = "default") -> Json:
        return self.do(self.client.get(BY_KIND[kind], name, namespace))

    def patch(self, kind: str, name: str, patch: Json, *, status: bool = False, namespace: str = "default") -> Json:
        sub = "status" if status else ""
        return self.do(self.client.patch(BY_KIND[kind], name, patch, namespace, subresource=sub))

    def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        self.do(self.client.delete(BY_KIND[kind], name, namespace))

    async def _start_api(self) -> None:
        self._api = ApiServer(MemoryStore(), Schemas(), self.clock, rng=random.Random(1))
        await self._api.start()
        self.client = Client(self._api.handle, user_agent="test")

    async def _handle(self, request: Request) -> Response:
        instead = self.before(request)
        if instead is not None:
            return instead
        if request.method != "GET" and not request.path.endswith(("selfsubjectaccessreviews", "/events")):
            self.writes.append((request.method, request.path.partition("/namespaces/")[2]))
        return await self._api.handle(request)

    async def _serve(self, listening: socket.socket, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        service = Service(Client(self._handle, user_agent="serinus-dashboard"), SystemClock(), random.Random(1))
        async with served(service, self.settings, listening):
            ready.set()
            await self._stop.wait()


def refusing(code: int, reason: str, message: str, *words: str) -> Callable[[Request], Response | None]:
    """Answers requests whose path has one of `words` with this Status."""
    body = json.dumps({"kind": "Status", "code": code, "reason": reason, "message": message}).encode()

    def answer(request: Request) -> Response | None:
        return Response(code, body) if any(word in request.path for word in words) else None

    return answer


async def put(client: Client, obj: Json) -> Json:
    resource = BY_KIND[obj["kind"]]
    namespace = str(obj["metadata"].get("namespace") or ("default" if resource.namespaced else ""))
    made = await client.create(resource, {"apiVersion": resource.api_version, **obj}, namespace)
    # Experiments and AnalysisRuns have no subresource: their status is part of the object.
    if "status" in obj and "status" in resource.subresources:
        status = {"status": obj["status"]}
        made = await client.patch(resource, obj["metadata"]["name"], status, namespace, subresource="status")
    return made


async def put_revisions(client: Client, made: Json) -> Json:
    """As `scenes.with_revisions`, on a loop: owners get the UIDs that the API server gave."""
    later: list[Json] = []

    def noted(obj: Json) -> Json:
        later.append(obj)
        return {**obj, "metadata": {**obj["metadata"], "uid": f"uid-{obj['metadata']['name']}"}}

    stored = await put(client, made)
    scenes.with_revisions(lambda obj: stored if obj is made else noted(obj), made)
    uids: dict[str, str] = {}
    for obj in later:
        for owner in obj["metadata"].get("ownerReferences", []):
            owner["uid"] = uids.get(owner["uid"], owner["uid"])
        uids[f"uid-{obj['metadata']['name']}"] = (await put(client, obj))["metadata"]["uid"]
    return stored
