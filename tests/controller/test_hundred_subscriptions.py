"""A hundred subscriptions of one Rollout: each destination gets its messages once and in order, with bounded memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from serinus.engine.core.plan import Event, Plan, Snapshot
from tests.support.controller.notification_scene import CONFIG, NAP, Scene

pytestmark = pytest.mark.looptime(start=0)
HUNDRED = [f"r{n:03}" for n in range(100)]


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    made = Scene()
    yield made
    made.api.close()


@pytest.mark.parametrize("trigger", ["on-phase", "on-changed"], ids=["a condition", "an Event"])
async def test_a_hundred_subscriptions_are_told_once_in_order(scene: Scene, trigger: str) -> None:
    config = {**CONFIG, "trigger.on-changed": "- send: [told]\n"}
    await scene.begin(config)
    await scene.rollout("Paused", n="1", **{f"{NAP}/subscribe.{trigger}.slack": ";".join(HUNDRED)})

    def plan(snapshot: Snapshot) -> Plan:
        phase = snapshot.rollout.status.phase
        if phase != "Degraded":
            return Plan()
        return Plan(status={"phase": "Healthy"}, events=(Event("Changed", "now"),))

    async def turn(number: int) -> None:
        await scene.annotate(n=str(number))
        await scene.phase("Degraded")
        await asyncio.sleep(30)
        found = await scene.annotations()
        for name in (f"notified.{NAP}", "notifications.serinus.dev/pending"):
            assert len(found.get(name, "")) <= 4096
        assert len(json.loads(found.get(f"notified.{NAP}", "{}"))) <= 30

    async with scene.controller(plan):
        await turn(1)
        await turn(2)
    async with scene.controller(plan):
        await asyncio.sleep(30)
        assert len(scene.slack.told) == 200
        await turn(3)
    for channel in HUNDRED:
        texts = [form["text"] for _, form in scene.slack.told if form["channel"] == channel]
        assert texts == ["Healthy 1", "Healthy 2", "Healthy 3"]
