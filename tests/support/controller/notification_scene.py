"""A controller that only watches, a receiver, and a Rollout of the test's own, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from serinus.analysis.providers.http.client import Http, HttpResponse
from serinus.analysis.providers.provider import ProviderContext
from serinus.api.resources import CONFIG_MAPS, EVENTS, NAMESPACES, ROLLOUTS, SECRETS
from serinus.controller.manager import Controller, Options
from serinus.engine.core.plan import Plan, Snapshot
from serinus.kube.client import Client
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.kube.loop_clock import LoopClock

NAP = "notifications.argoproj.io"
METRIC: dict[str, Any] = {
    "name": "ok",
    "successCondition": "result == true",
    "provider": {"web": {"url": "http://metrics.test/", "jsonPath": "{$.ok}"}},
}
"""A metric that succeeds at once."""
CONFIG = {
    "service.slack": "apiURL: http://slack.test/api/\ntoken: $slack-token\n",
    "template.told": "message: '{{.rollout.status.phase}} {{.rollout.metadata.annotations.n}}'\n",
    "template.thread": "message: m\nslack: {groupingKey: '{{.rollout.metadata.uid}}'}\n",
    "trigger.on-phase": "- when: rollout.status.phase == 'Healthy'\n  send: [told]\n",
    "trigger.on-thread": "- when: \"rollout.metadata.annotations.n == '2'\"\n  send: [thread]\n"
    "- when: \"rollout.metadata.annotations.n == '1'\"\n  send: [thread]\n",
}


class Slack(Http):
    """`answer`: status, or an error of Slack. The host metrics.test is a metric that is always true."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: int | str = 200
        self.told: list[tuple[str, dict[str, str]]] = []

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 30.0,
        insecure: bool = False,
        shown: str | None = None,
        follow: bool = True,
    ) -> HttpResponse:
        if "//metrics.test/" in url:
            return HttpResponse(200, {}, b'{"ok": true}')
        if isinstance(self.answer, int) and self.answer != 200:
            return HttpResponse(self.answer, {}, b"")
        if isinstance(self.answer, str):
            return HttpResponse(200, {}, json.dumps({"ok": False, "error": self.answer}).encode())
        self.told.append((urlsplit(url).path.rpartition(".")[2], dict(parse_qsl((body or b"").decode()))))
        return HttpResponse(200, {}, json.dumps({"ok": True, "channel": "C1", "ts": f"{len(self.told)}.0"}).encode())

    def texts(self) -> list[str]:
        return [form["text"] for _, form in self.told]


class Scene:
    def __init__(self) -> None:
        self.clock, self.slack = LoopClock(), Slack()
        self.api = ApiServer(MemoryStore(), Schemas(), self.clock, rng=Random(1))
        self.client = Client(self.api.handle)

    async def begin(self, config: dict[str, str] | None = None) -> None:
        await self.api.start()
        await self.client.create(NAMESPACES, {"metadata": {"name": "argo-rollouts"}})
        await self.client.create(
            CONFIG_MAPS,
            {"metadata": {"name": "argo-rollouts-notification-configmap"}, "data": config or CONFIG},
            "argo-rollouts",
        )
        secret = {
            "metadata": {"name": "argo-rollouts-notification-secret"},
            "stringData": {"slack-token": "xoxb-secret"},
        }
        await self.client.create(SECRETS, secret, "argo-rollouts")

    async def rollout(self, phase: str = "Healthy", **annotations: str) -> None:
        body: dict[str, Any] = {
            "metadata": {"name": "web", "annotations": annotations},
            "spec": {"replicas": 0, "paused": True},
        }
        made = await self.client.create(ROLLOUTS, body, "default")
        await self.phase(phase, str(made["metadata"]["generation"]))

    async def phase(self, phase: str, generation: str = "1") -> None:
        status = {"status": {"phase": phase, "observedGeneration": generation}}
        await self.client.patch(ROLLOUTS, "web", status, "default", subresource="status")

    async def annotate(self, **annotations: str) -> None:
        await self.client.patch(ROLLOUTS, "web", {"metadata": {"annotations": annotations}}, "default")

    async def annotations(self) -> dict[str, str]:
        return (await self.client.get(ROLLOUTS, "web", "default"))["metadata"]["annotations"]

    @asynccontextmanager
    async def controller(
        self, plan: Callable[[Snapshot], Plan] = lambda _: Plan(), client: Client | None = None
    ) -> AsyncGenerator[Controller]:
        """By default it plans nothing, so that the test sets the status."""
        client = client or self.client
        options = Options(leader_elect=False, workers=1)
        reach = ProviderContext(self.slack, client, self.clock.now)
        controller = Controller(client, self.clock, Random(2), options=options, reach=reach, plan=plan)
        task = asyncio.create_task(controller.run())
        try:
            await asyncio.sleep(1)
            yield controller
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def failures(self) -> list[str]:
        found = await self.client.list(EVENTS, "default")
        return [str(event["message"]) for event in found.items if event["reason"] == "NotificationFailed"]
