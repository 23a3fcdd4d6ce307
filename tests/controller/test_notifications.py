"""Notifications of a running controller, in virtual time: restarts, receivers that are down, one message for one thing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import yaml

from serinus.api.resources import CONFIG_MAPS, EVENTS, ROLLOUTS
from tests.support.controller.notification_scene import CONFIG, NAP, Scene

pytestmark = pytest.mark.looptime(start=0)
INSTALLED = Path(__file__).parents[2] / "install" / "notifications" / "notifications.yaml"


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    made = Scene()
    yield made
    made.api.close()


async def test_a_condition_is_told_once_over_restarts(scene: Scene) -> None:
    await scene.begin()
    await scene.rollout(n="1", **{f"{NAP}/subscribe.on-phase.slack": "ch"})
    for _ in range(3):
        async with scene.controller():
            await asyncio.sleep(5)
    assert scene.slack.texts() == ["Healthy 1"]
    state = json.loads((await scene.annotations())[f"notified.{NAP}"])
    assert list(state) == ["on-phase:[0].qYwPqtSSDQgdyGN38qWobdZi5qc:slack:ch"]
    async with scene.controller():
        await scene.phase("Paused")
        await asyncio.sleep(5)
        assert f"notified.{NAP}" not in await scene.annotations()
        await scene.phase("Healthy")
        await asyncio.sleep(5)
    assert scene.slack.texts() == ["Healthy 1", "Healthy 1"]


async def test_the_state_of_the_reference_repeats_nothing(scene: Scene) -> None:
    await scene.begin()
    old = '{"on-phase:[0].qYwPqtSSDQgdyGN38qWobdZi5qc:slack:ch":1700000000}'
    await scene.rollout(n="1", **{f"{NAP}/subscribe.on-phase.slack": "ch", f"notified.{NAP}": old})
    async with scene.controller():
        await asyncio.sleep(5)
    assert scene.slack.told == []


async def test_what_a_receiver_did_not_take_is_told_after_a_restart(scene: Scene) -> None:
    await scene.begin()
    scene.slack.answer = 500
    await scene.rollout(n="1", **{f"{NAP}/subscribe.on-phase.slack": "ch"})
    async with scene.controller():
        await asyncio.sleep(100)
        await scene.phase("Paused")  # the condition is false again, and its message is still pending
        await asyncio.sleep(5)
    assert "notifications.serinus.dev/pending" in await scene.annotations()
    (said,) = await scene.failures()
    assert said.startswith(
        "on-phase could not be sent to slack:ch yet: slack.test answered 500. It is tried again until"
    )
    scene.slack.answer = 200
    async with scene.controller():
        await asyncio.sleep(5)
    assert scene.slack.texts() == ["Paused 1"]
    assert "notifications.serinus.dev/pending" not in await scene.annotations()


async def test_an_hour_is_the_limit_and_no_secret_is_shown(scene: Scene) -> None:
    await scene.begin()
    scene.slack.answer = "invalid_token_xoxb-secret"
    await scene.rollout(n="1", **{f"{NAP}/subscribe.on-phase.slack": "ch"})
    async with scene.controller():
        await asyncio.sleep(30)
        await scene.annotate(other="x")
        await asyncio.sleep(30)
    (said,) = await scene.failures()
    assert said.startswith("on-phase was not sent to slack:ch: Slack answered: invalid_token_")
    assert "xoxb-secret" not in said


async def test_slack_threads_outlive_a_restart(scene: Scene) -> None:
    await scene.begin()
    await scene.rollout(n="1", **{f"{NAP}/subscribe.on-thread.slack": "ch"})
    async with scene.controller():
        await asyncio.sleep(5)
    async with scene.controller():
        await scene.annotate(n="2")
        await asyncio.sleep(5)
    assert [form.get("thread_ts") for _, form in scene.slack.told] == [None, "1.0"]


async def test_nothing_is_told_of_a_spec_that_was_not_looked_at(scene: Scene) -> None:
    await scene.begin()
    await scene.rollout("Progressing", n="1", **{f"{NAP}/subscribe.on-phase.slack": "ch"})
    async with scene.controller():
        await scene.client.patch(ROLLOUTS, "web", {"spec": {"replicas": 1}}, "default")
        await scene.phase("Healthy", "1")
        await asyncio.sleep(5)
        assert scene.slack.told == []
        await scene.phase("Healthy", "2")
        await asyncio.sleep(5)
    assert scene.slack.texts() == ["Healthy 1"]


async def test_others_annotations_stay(scene: Scene) -> None:
    await scene.begin()
    await scene.rollout(n="1", **{f"{NAP}/subscribe.on-phase.slack": "ch"})
    async with scene.controller():
        await scene.annotate(theirs="kept", n="9")
        await asyncio.sleep(5)
    found = await scene.annotations()
    assert (found["theirs"], found["n"]) == ("kept", "9")


async def test_a_broken_key_is_an_event_of_the_config_map(scene: Scene) -> None:
    await scene.begin({**CONFIG, "template.bad": "message: '{{.a[0]}}'"})
    await scene.rollout(n="1", **{f"{NAP}/subscribe.on-phase.slack": "ch"})
    async with scene.controller():
        await asyncio.sleep(5)
    (event,) = (await scene.client.list(EVENTS, "argo-rollouts")).items
    assert event["involvedObject"]["kind"] == "ConfigMap"
    assert event["reason"] == "NotificationConfigInvalid"
    assert event["message"].startswith("template.bad: message: line 1: bad character U+005B '['")
    assert scene.slack.texts() == ["Healthy 1"]


async def test_a_configuration_that_is_not_read_has_an_event(scene: Scene) -> None:
    await scene.begin()
    await scene.client.create(
        CONFIG_MAPS, {"metadata": {"name": "argo-rollouts-notification-configmap"}, "data": CONFIG}, "default"
    )
    async with scene.controller():
        await asyncio.sleep(5)
    found = (await scene.client.list(EVENTS, "default")).items
    (event,) = [event for event in found if event["reason"] == "NotificationConfigIgnored"]
    assert event["involvedObject"]["kind"] == "ConfigMap"
    assert event["message"].startswith(
        "the controller reads the configuration of notifications in namespace argo-rollouts only"
    )
    assert (await scene.client.list(EVENTS, "argo-rollouts")).items == []


def test_the_shipped_catalog_has_the_names_of_the_reference() -> None:
    from serinus.notifications.configuration import read_configuration

    found = read_configuration("", yaml.safe_load(INSTALLED.read_text())["data"], {})
    assert found.problems == ()
    names = (
        "rollout-updated rollout-paused rollout-completed rollout-aborted rollout-step-completed scaling-replica-set"
    )
    assert set(found.triggers) == {
        f"on-{name}" for name in (*names.split(), *(f"analysis-run-{s}" for s in ("running", "failed", "error")))
    }
