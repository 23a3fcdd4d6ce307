"""Metrics that do not answer delay nothing else, and end with their runs. The whole controller, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.measuring import LONGEST_CALL
from serinus.api.resources import ANALYSIS_RUNS, NAMESPACES
from tests.support.controller.analysis_stage import Json, Metrics, Stage

pytestmark = pytest.mark.looptime(start=0)


class Hanging(Metrics):
    """A monitoring system that never answers for `slow`. `under_way`: requests that it has not answered."""

    under_way = most = 0

    async def request(self, method: str, url: str, **more: Any) -> HttpResponse:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if "slow" in url:
                await asyncio.sleep(1e6)
            return await super().request(method, url, **more)
        finally:
            self.under_way -= 1


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    made.metrics = Hanging(made.clock)
    await made.api.start()
    made.begin(analysis_workers=5)
    yield made
    await made.end()
    made.api.close()


async def run(stage: Stage, space: str, name: str, **metric: Any) -> None:
    web = {"web": {"url": f"http://metrics/{name}", "jsonPath": "{$.value}", "timeoutSeconds": 100_000}}
    spec: Json = {"metrics": [{"name": "value", "provider": web, **metric}]}
    await stage.client.create(ANALYSIS_RUNS, {"metadata": {"name": name}, "spec": spec}, space)


async def spaces(stage: Stage, *names: str) -> None:
    for name in names:
        await stage.client.create(NAMESPACES, {"metadata": {"name": name}})


async def until(true: Any, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.1)


async def test_slow_metrics_of_some_namespaces_keep_no_other_waiting(stage: Stage) -> None:
    await spaces(stage, "a", "b", "c", "quick")
    for space in ("a", "b", "c"):
        for number in range(40):
            await run(stage, space, f"slow{number}")
    await asyncio.sleep(5)
    began = stage.clock.now()
    await run(stage, "quick", "check", count=5, interval="2s")

    async def done() -> bool:
        found = await stage.client.get(ANALYSIS_RUNS, "check", "quick")
        return found.get("status", {}).get("phase") == "Successful"

    await until(done, 20)
    assert stage.clock.now() - began < 10
    assert isinstance(stage.metrics, Hanging)
    assert stage.metrics.most <= 91, "each namespace has a bounded number under way"


async def test_a_metric_that_never_answers_has_its_time(stage: Stage) -> None:
    await run(stage, "default", "slow", consecutiveErrorLimit=0)

    async def failed() -> bool:
        status = (await stage.client.get(ANALYSIS_RUNS, "slow", "default")).get("status") or {}
        return status.get("phase") == "Error"

    await until(failed, LONGEST_CALL + 20)


@pytest.mark.parametrize("how", ["deleted", "terminated", "deleted with a finalizer", "replaced"])
async def test_the_calls_of_a_run_end_with_it(stage: Stage, how: str) -> None:
    assert isinstance(stage.metrics, Hanging)
    await run(stage, "default", "slow")
    if how == "deleted with a finalizer":
        held = {"metadata": {"finalizers": ["example.com/own"]}}
        await stage.client.patch(ANALYSIS_RUNS, "slow", held, "default")
    await asyncio.sleep(2)
    assert stage.metrics.under_way == 1
    if how == "terminated":
        await stage.client.patch(ANALYSIS_RUNS, "slow", {"spec": {"terminate": True}}, "default")
    else:
        await stage.client.delete(ANALYSIS_RUNS, "slow", "default")
    if how == "replaced":
        await run(stage, "default", "slow")
        await asyncio.sleep(2)
        assert stage.metrics.under_way == 1, "that of the new run"
        return
    await asyncio.sleep(7)
    assert stage.metrics.under_way == 0
    if how == "terminated":
        status = (await stage.client.get(ANALYSIS_RUNS, "slow", "default"))["status"]
        assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")


async def test_the_calls_end_with_the_controller(stage: Stage) -> None:
    assert isinstance(stage.metrics, Hanging)
    await run(stage, "default", "slow")
    await asyncio.sleep(2)
    await stage.end()
    assert stage.metrics.under_way == 0
    stage.begin()
