"""A controller that is killed at any of its writes, while the receiver is down: each message arrives once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from serinus.api.resources import ROLLOUTS
from serinus.engine.core.plan import Event, Plan, Snapshot
from serinus.kube.client import Client
from serinus.kube.transport import Request, Response
from tests.support.controller.mortal import Mortal
from tests.support.controller.notification_scene import NAP, Scene

pytestmark = pytest.mark.looptime(start=0)

CONFIG = {
    "service.slack": "apiURL: http://slack.test/api/\ntoken: t\n",
    "template.told": "message: '{{.event.reason}} in {{.rollout.status.phase}}'\n",
    **{f"trigger.on-rollout-{what}": "- send: [told]\n" for what in ("paused", "resumed", "completed")},
}
SUBSCRIBED = {f"{NAP}/subscribe.on-rollout-{what}.slack": "ch" for what in ("paused", "resumed", "completed")}
PAUSED = Event("RolloutPaused", "it is paused")
RESUMED = Event("RolloutResumed", "it goes on")
COMPLETED = Event("RolloutCompleted", "update to version v2 is completed")
MESSAGES = ["RolloutCompleted in Healthy", "RolloutPaused in Paused", "RolloutResumed in Progressing"]
WRITES = 5
"""Annotation, status, annotation, status, status: in each of the two passes and at the end."""


def plan(snapshot: Snapshot) -> Plan:
    """Paused, then resumed and completed at once, then available."""
    phase = snapshot.rollout.status.phase
    if phase == "Waiting":
        return Plan(status={"phase": "Paused", "currentPodHash": "v2"}, events=(PAUSED,))
    if phase == "Paused":
        return Plan(status={"phase": "Progressing"}, events=(RESUMED, COMPLETED))
    if phase == "Progressing":
        return Plan(status={"phase": "Healthy"})
    return Plan()


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    made = Scene()
    yield made
    made.api.close()


@pytest.mark.parametrize("done", [False, True], ids=["before the write", "before its answer"])
@pytest.mark.parametrize("dies_at", range(WRITES))
async def test_each_message_arrives_once(scene: Scene, dies_at: int, done: bool) -> None:
    await scene.begin(CONFIG)
    await scene.rollout("Waiting", **SUBSCRIBED)
    scene.slack.answer = 500
    mortal = Mortal(scene, dies_at, done=done)
    async with scene.controller(plan, Client(mortal.handle)):
        async with asyncio.timeout(60):
            await mortal.dead.wait()
    scene.slack.answer = 200
    async with scene.controller(plan):
        await asyncio.sleep(60)
    found = await scene.client.get(ROLLOUTS, "web", "default")
    assert found["status"]["phase"] == "Healthy"
    assert sorted(text.partition(" in ")[0] for text in scene.slack.texts()) == [
        text.partition(" in ")[0] for text in MESSAGES
    ]
    assert "notifications.serinus.dev/pending" not in found["metadata"]["annotations"]


async def test_what_does_not_happen_is_not_sent(scene: Scene) -> None:
    """The status by which the Event would have happened is refused each time."""
    await scene.begin(CONFIG)
    await scene.rollout("Waiting", **SUBSCRIBED)

    async def handle(request: Request) -> Response:
        if request.method == "PATCH" and request.path.endswith("/rollouts/web/status"):
            return Response(403, b'{"kind":"Status","code":403,"message":"no"}')
        return await scene.api.handle(request)

    async with scene.controller(plan, Client(handle)):
        await asyncio.sleep(60)
    async with scene.controller():
        await asyncio.sleep(60)
    assert scene.slack.told == []
    assert "notifications.serinus.dev/pending" not in await scene.annotations()
