"""Metrics and Events of notifications: their names and labels, each exactly as often as a message was sent or given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serinus.api.resources import ANALYSIS_RUNS, ROLLOUTS
from serinus.controller.manager import Controller
from tests.support.controller.notification_scene import METRIC, NAP, Scene

pytestmark = pytest.mark.looptime(start=0)

HOUR = 3600
WEB = {"namespace": "default", "name": "web"}
CONFIG = {
    "service.slack": "apiURL: http://slack.test/api/\ntoken: t\n",
    "template.told": "message: '{{.rollout.status.phase}}'\n",
    "trigger.on-phase": "- when: rollout.status.phase == 'Healthy'\n  oncePer: rollout.metadata.annotations.n\n  send: [told]\n",
    "trigger.on-rollout-added-to-informer": "- send: [told]\n",
    "trigger.on-rollout-deleted": "- send: [told]\n",
    "trigger.on-analysis-run-successful": "- send: [told]\n",
}
ADDED = {f"{NAP}/subscribe.on-rollout-added-to-informer.slack": "ch"}
PHASE = {f"{NAP}/subscribe.on-phase.slack": "ch"}


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    made = Scene()
    yield made
    made.api.close()


def samples(controller: Controller, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(controller.metrics.text().decode())
    return [
        (dict(one.labels), one.value)
        for family in families
        for one in family.samples
        if one.name.removesuffix("_total") == name
    ]


async def test_the_labels_are_those_of_argo_rollouts(scene: Scene) -> None:
    """Section 3 of the specification: namespace, name, type, reason; the histogram has namespace and name."""
    await scene.begin(CONFIG)
    async with scene.controller() as controller:
        await scene.rollout(n="1", **ADDED, **PHASE)
        await asyncio.sleep(5)
        assert samples(controller, "notification_send_success") == [
            ({**WEB, "reason": "RolloutAddedToInformer", "type": "Normal"}, 1.0),
            ({**WEB, "reason": "on-phase", "type": "Normal"}, 1.0),
        ]
        assert samples(controller, "notification_send_error") == []
        buckets = samples(controller, "notification_send_bucket")
        assert [float(labels.pop("le")) for labels, _ in buckets] == [0.01, 0.15, 0.25, 0.5, 1, float("inf")]
        assert all(labels == WEB for labels, _ in buckets)
        assert samples(controller, "notification_send_count") == [(WEB, 1.0)]
        scene.slack.answer = "channel_not_found"
        await scene.annotate(n="2")
        await asyncio.sleep(5)
        assert samples(controller, "notification_send_error") == [
            ({**WEB, "reason": "on-phase", "type": "Normal"}, 1.0)
        ]
    assert len(await scene.failures()) == 1


async def test_an_outage_is_one_event_and_each_lost_message_one_more(scene: Scene) -> None:
    await scene.begin(CONFIG)
    async with scene.controller() as controller:
        scene.slack.answer = 503
        await scene.rollout(n="1", **PHASE)
        for number in ("2", "3"):
            await asyncio.sleep(60)
            await scene.annotate(n=number)
        await asyncio.sleep(60)
        (outage,) = await scene.failures()
        assert outage.startswith("on-phase could not be sent to slack:ch yet: slack.test answered 503")
        assert samples(controller, "notification_send_error") == []
        assert samples(controller, "notification_waiting") == [({}, 3.0)]
        await asyncio.sleep(HOUR + 400)
        lost = [text for text in await scene.failures() if "was not sent" in text]
        assert lost == ["on-phase was not sent to slack:ch: slack.test answered 503"]
        ((_, errors),) = samples(controller, "notification_send_error")
        assert errors == 3
        assert samples(controller, "notification_waiting") == [({}, 0.0)]
        assert scene.slack.told == []


async def test_the_series_of_objects_that_are_gone_are_gone(scene: Scene) -> None:
    await scene.begin(CONFIG)
    deleted = {f"{NAP}/subscribe.on-rollout-deleted.slack": "ch"}
    own = {f"{NAP}/subscribe.on-analysis-run-successful.slack": "ch"}
    async with scene.controller() as controller:
        await scene.rollout(n="1", **deleted)
        run = {"metadata": {"name": "check", "annotations": own}, "spec": {"metrics": [METRIC]}}
        await scene.client.create(ANALYSIS_RUNS, run, "default")
        await asyncio.sleep(5)
        assert {labels["name"] for labels, _ in samples(controller, "notification_send_count")} == {"web", "check"}
        scene.slack.answer = 503
        await scene.client.delete(ANALYSIS_RUNS, "check", "default")
        await scene.client.delete(ROLLOUTS, "web", "default")
        await asyncio.sleep(100)
        assert samples(controller, "notification_send_count") == []
        scene.slack.answer = 200
        await asyncio.sleep(301)
        assert scene.slack.told[-1][0] == "postMessage"
        for name in ("notification_send_count", "notification_send_success", "notification_send_error"):
            assert samples(controller, name) == []
