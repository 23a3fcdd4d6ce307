"""Kayenta's canaries, from the start to the score."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.analysis.providers.kayenta import PROVIDER
from serinus.api.analysis import Measurement
from serinus.api.values.times import format_time
from tests.support.analysis.vendor import Reply, World

EXECUTION = {"canaryExecutionId": "e1"}
SCOPE = {"scope": "web", "region": "eu", "step": 60}


def config(world: World, **fields: Any) -> dict[str, Any]:
    return {
        "address": world.url,
        "application": "app",
        "canaryConfigName": "mine",
        "metricsAccountName": "metrics",
        "configurationAccountName": "configs",
        "storageAccountName": "storage",
        "threshold": {"pass": 90, "marginal": 75},
        "scopes": [{"name": "default", "controlScope": SCOPE, "experimentScope": {**SCOPE, "scope": "web-canary"}}],
        **fields,
    }


@pytest.fixture
def kayenta(world: World) -> World:
    world.vendor.says("/canaryConfig", [{"name": "other", "id": "c0"}, {"name": "mine", "id": "c1"}])
    world.vendor.says("/canary/c1", EXECUTION)
    return world


async def test_a_canary_is_started_with_its_scopes(kayenta: World) -> None:
    measured = await kayenta.measured("kayenta", config(kayenta), interval="5m")
    assert (measured.phase, measured.metadata) == ("Running", EXECUTION)
    assert measured.resume_at == format_time(kayenta.now + 15)
    listed, started = kayenta.vendor.asked
    assert listed.query == {"application": "app", "configurationAccountName": "storage"}
    assert started.query == {
        "application": "app",
        "metricsAccountName": "metrics",
        "configurationAccountName": "configs",
        "storageAccountName": "storage",
    }
    times = {"start": format_time(kayenta.now - 300), "end": format_time(kayenta.now)}
    scope = {"location": "eu", "step": 60, **times}
    assert started.json == {
        "scopes": {
            "default": {
                "controlScope": {"scope": "web", **scope},
                "experimentScope": {"scope": "web-canary", **scope},
            }
        },
        "thresholds": {"pass": 90, "marginal": 75},
    }


async def test_looking_back_begins_with_the_run(kayenta: World) -> None:
    await kayenta.measured("kayenta", config(kayenta, lookback=True))
    scope = kayenta.vendor.asked[1].json["scopes"]["default"]["controlScope"]
    assert scope["start"] == kayenta.run.status.started_at


@pytest.mark.parametrize(
    ("score", "phase"),
    [(100, "Successful"), (90, "Successful"), (89.9, "Inconclusive"), (75, "Inconclusive"), (74.9, "Failed")],
)
async def test_the_score_is_the_verdict(kayenta: World, score: float, phase: str) -> None:
    done = {"complete": True, "result": {"judgeResult": {"score": {"score": score}}}}
    kayenta.vendor.says("/canary/e1", {"complete": False}, done)
    metric = kayenta.metric("kayenta", config(kayenta))
    before = Measurement("Running", started_at="x", metadata=EXECUTION)
    waiting = await kayenta.task(metric, before, "resume")
    assert (waiting.phase, waiting.finished_at) == ("Running", None)
    assert waiting.resume_at == format_time(kayenta.now + 15.75)
    measured = await kayenta.task(metric, waiting, "resume")
    assert (measured.phase, measured.value) == (phase, str(int(score)))
    assert measured.finished_at == format_time(kayenta.now)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply("", 500), "Invalid Response"),
        ({}, "Missing Complete Status"),
        ({"complete": True}, "Missing Score"),
        ({"complete": True, "result": {"judgeResult": {"score": {"score": "x"}}}}, "Missing Score"),
    ],
)
async def test_answers_without_a_verdict_are_told(kayenta: World, reply: Any, message: str) -> None:
    kayenta.vendor.says("/canary/e1", reply)
    metric = kayenta.metric("kayenta", config(kayenta))
    measured = await kayenta.task(metric, Measurement("Running", metadata=EXECUTION), "resume")
    assert (measured.phase, measured.message) == ("Error", message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"canaryConfigName": "none"}, "Canary config not found"),
        (
            {"scopes": [{"name": "x", "controlScope": {**SCOPE, "start": "s"}, "experimentScope": SCOPE}]},
            "controlScope.start and experimentScope.start must both be set or be empty",
        ),
        (
            {"scopes": [{"name": "x", "controlScope": SCOPE, "experimentScope": {**SCOPE, "end": "e"}}]},
            "controlScope.end and experimentScope.end must both be set or be empty",
        ),
        ({}, "an interval is needed where a scope has no start: "),
    ],
)
async def test_canaries_that_cannot_start_are_told(kayenta: World, fields: dict[str, Any], message: str) -> None:
    measured = await kayenta.measured("kayenta", config(kayenta, **fields))
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


async def test_a_server_that_refuses_is_told(kayenta: World) -> None:
    kayenta.vendor.says("/canary/c1", Reply("", 503))
    assert (await kayenta.measured("kayenta", config(kayenta), interval="1m")).message == "Invalid Response: HTTP 503"


async def test_a_canary_cannot_be_ended_and_stays_as_it_is(kayenta: World) -> None:
    before = Measurement("Running", metadata=EXECUTION)
    metric = kayenta.metric("kayenta", config(kayenta))
    assert await kayenta.task(metric, before, "terminate") == before
    await PROVIDER.clean_up(kayenta.call(metric), 1)
