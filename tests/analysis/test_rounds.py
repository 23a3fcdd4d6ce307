"""Metrics of one run that were queried together stay together, however long each query took."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serinus.analysis.limits import limits_of
from serinus.analysis.providers.measuring import measure
from serinus.analysis.providers.web import Web
from serinus.analysis.resolution import Resolved, ResolvedMetric
from serinus.analysis.run_status import assess
from serinus.analysis.schedule import Task
from tests.support.analysis.vendor import World


async def test_a_slow_metric_and_a_quick_one_are_due_at_the_same_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each would have a pass and a status write of its own from the second round on."""
    world.vendor.says("/value", 1)
    query = Web.query

    async def slow_for_the_second(self: Web, config: Any, call: Any) -> Any:
        reading = await query(self, config, call)
        if call.metric.name == "slow":
            await asyncio.sleep(0)
            world.now += 0.75
        return reading

    monkeypatch.setattr(Web, "query", slow_for_the_second)
    metrics = [
        world.metric("web", {"url": f"{world.url}/value"}, name=name, interval="5s") for name in ("quick", "slow")
    ]
    resolved = Resolved(tuple(ResolvedMetric(metric, limits_of(metric)) for metric in metrics))
    began = world.now
    measured = await measure(world.run, [Task(metric, "run") for metric in resolved.metrics], world.reach())
    due = assess(world.run, resolved, measured, world.now).due
    assert due == {"quick": began + 5.75, "slow": began + 5.75}
