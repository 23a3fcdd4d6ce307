"""The samples of docs/routers: applied as they are, a canary gets its first weight from the router of the page."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from serinus.api.resources import NAMESPACES, ROLLOUTS, SERVICES
from serinus.api.served_kind import ServedKind
from serinus.routing import registry
from tests.support.plays.kubectl import Kubectl
from tests.support.plays.player import in_virtual_time
from tests.support.plays.stage import Stage, Write
from tests.support.routing.samples import PAUSE, SAMPLES, install, parts, release, routers

Json = dict[str, Any]
SPACE = "the-page"
MOMENT, DELAYS, QUIET = 5, 35, 60
"""Seconds: until everything about a step is written; of the longest delay; of the watch for late writes."""


def test_every_router_has_a_sample():
    keys = {used.router.key for text in SAMPLES.values() for used in routers(parts(text)[1])}
    assert keys == set(registry.routers())


class Played(NamedTuple):
    """Requests of the controller in a canary of a sample: until its first weight, in its pause, and long after its end."""

    rising: list[Write]
    paused: list[Write]
    settled: list[Write]


@functools.cache
def played(page: str) -> Played:
    with tempfile.TemporaryDirectory() as directory:
        return in_virtual_time(scene(Stage(Path(directory)), *parts(SAMPLES[page])))


async def scene(stage: Stage, objects: list[Json], canary: Json) -> Played:
    (used,) = routers(canary)
    kinds = [kind.resource(kind.versions[0]) for kind in used.router.kinds if isinstance(kind, ServedKind)]
    async with stage.running():
        await install(stage)
        await stage.client.create(NAMESPACES, {"metadata": {"name": SPACE}})
        for name in sorted({canary.get("canaryService", "web"), canary.get("stableService", "web"), "web"}):
            spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
            await stage.client.create(SERVICES, {"metadata": {"name": name}, "spec": spec}, SPACE)
        await Kubectl(stage.client, SPACE, kinds).apply(objects)
        await stage.client.create(ROLLOUTS, release("blue", canary), SPACE)
        await until(stage, lambda status: status.get("phase") == "Healthy")
        marks = [len(stage.writes)]
        await stage.client.patch(ROLLOUTS, "web", release("green", canary), SPACE)
        await until(stage, lambda status: weight(status) == 20)
        for seconds in (MOMENT, PAUSE - 2 * MOMENT):
            marks.append(len(stage.writes))
            await asyncio.sleep(seconds)
        marks.append(len(stage.writes))
        await until(stage, lambda status: status.get("phase") == "Healthy")
        await asyncio.sleep(DELAYS)
        marks.append(len(stage.writes))
        await asyncio.sleep(QUIET)
    first, rose, began, ended, over = marks
    return Played(stage.writes[first:rose], stage.writes[began:ended], stage.writes[over:])


@pytest.mark.parametrize("page", SAMPLES)
def test_a_canary_of_the_sample_gets_its_first_weight_from_its_router(page: str):
    (used,) = routers(parts(SAMPLES[page])[1])
    written = {write.path for write in played(page).rising}
    assert any(f"/{kind.plural}" in path for kind in used.router.kinds for path in written), written


@pytest.mark.parametrize("page", SAMPLES)
def test_a_canary_of_the_sample_writes_nothing_in_its_pause_and_once_it_is_settled(page: str):
    there = played(page)
    assert [(write.method, write.path, write.body) for write in (*there.paused, *there.settled)] == []


def weight(status: Json) -> Any:
    return ((status.get("canary") or {}).get("weights") or {}).get("canary", {}).get("weight")


async def until(stage: Stage, holds: Callable[[Json], bool]) -> None:
    """Waits for at most a minute. A Rollout that becomes InvalidSpec ends the wait with its message."""
    status: Json = {}
    for _ in range(600):
        status = (await stage.client.get(ROLLOUTS, "web", SPACE)).get("status") or {}
        wrong = [c["message"] for c in status.get("conditions") or [] if c["type"] in ("InvalidSpec", "WriteRefused")]
        assert wrong == []
        if holds(status):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within a minute: {status}")
