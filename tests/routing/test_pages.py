"""The samples of docs/routers: applied as they are, a canary gets its first weight from the router of the page."""

from __future__ import annotations

import asyncio
import functools
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from serinus.api.resources import CRDS, NAMESPACES, ROLLOUTS, SERVICES
from serinus.api.served_kind import ServedKind
from serinus.local.traefik.gateway_kinds import GATEWAY_API, TRAEFIK, definitions
from serinus.routing import registry
from tests.support.plays.kubectl import Kubectl
from tests.support.plays.player import in_virtual_time
from tests.support.plays.stage import Stage, Write
from tests.support.routing.plain import rollout

Json = dict[str, Any]
PAGES = Path(__file__).parents[2] / "docs" / "routers"
SPACE = "the-page"
MOMENT, PAUSE, DELAYS, QUIET = 5, 40, 35, 60
"""Seconds: until everything about a step is written; of the pause; of the longest delay; of the watch for late writes."""
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.M | re.S)


def samples() -> Iterator[tuple[str, str]]:
    """(page with the number of the sample, text) of each sample that has a strategy. Recorded differences are none."""
    for page in sorted(PAGES.glob("*.md")):
        for number, text in enumerate(BLOCK.findall(page.read_text().partition("<details>")[0])):
            if re.search(r"^strategy:", text, re.M):
                yield f"{page.stem} {number}", text


SAMPLES = dict(samples())


def parts(text: str) -> tuple[list[Json], Json]:
    """(objects, canary) of a sample, the canary with a first step of 20 % and a pause if it has no steps."""
    documents = [each for each in yaml.safe_load_all(text) if each]
    canary: Json = next(each["strategy"]["canary"] for each in documents if "strategy" in each)
    steps: list[Json] = canary.get("steps") or [{"setWeight": 20}, {"pause": {}}]
    canary["steps"] = [{"pause": {"duration": PAUSE}} if "pause" in step else step for step in steps]
    return [each for each in documents if "kind" in each], canary


def routers(canary: Json) -> tuple[registry.Used, ...]:
    return registry.routers_of(rollout(canary["trafficRouting"]).spec)


def crd(kind: ServedKind) -> Json:
    """An open definition, for a kind of which `serinus up` installs none."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()}
    versions = [{"name": v, "served": True, "storage": v == kind.versions[0], "schema": schema} for v in kind.versions]
    spec = {"group": kind.group, "names": names, "scope": "Namespaced", "versions": versions}
    return {"metadata": {"name": kind.group_resource}, "spec": spec}


async def install(stage: Stage) -> None:
    """The definitions of Gateway API and Traefik as on `serinus up`, and open ones of the other routers' kinds."""
    real = [each for kinds in (GATEWAY_API, TRAEFIK) for each in definitions(kinds)]
    names = {each["metadata"]["name"] for each in real}
    open_ones = [crd(kind) for kind in registry.kinds().values() if kind.group_resource not in names]
    for each in (*real, *open_ones):
        await stage.client.create(CRDS, each)


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


def release(image: str, canary: Json) -> Json:
    pod = {"containers": [{"name": "web", "image": f"argoproj/rollouts-demo:{image}"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"metadata": {"name": "web"}, "spec": {**spec, "strategy": {"canary": canary}}}


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
