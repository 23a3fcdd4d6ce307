"""docs/providers: the sample of each page, run against a server that answers as on the page."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.api.analysis import Measurement
from tests.support.analysis.provider_pages import KEYS, PAGES, blocks, sample
from tests.support.analysis.vendor import CONTROLLER, UID, World

ASKED = [page for page, key in KEYS.items() if key not in ("job", "plugin")]
ASKS = re.compile(r"asks `(?P<method>[A-Z]+) (?P<path>[^`]+)`")
SHOWS = re.compile(r"is (?P<phase>[A-Z][a-z]+), and the status shows `(?P<value>[^`]+)`")


def assert_shown(measured: Measurement, text: str) -> None:
    shows = SHOWS.search(text)
    assert shows is not None
    assert (measured.phase, measured.value, measured.message) == (shows["phase"], shows["value"], "")


@pytest.mark.parametrize("provider", ASKED)
async def test_the_sample_of_a_page_does_what_the_page_says(world: World, provider: str) -> None:
    text, metric = PAGES[provider], sample(world, provider, url=world.url)
    asks, answers = list(ASKS.finditer(text)), blocks(text, "json", "csv", "xml")
    assert len(asks) == len(answers) > 0
    for asked, answer in zip(asks, answers, strict=True):
        world.vendor.says(asked["path"], answer.replace("\n", "\r\n") if "```csv" in text else answer)
    measured = await world.task(metric, None)
    if measured.phase == "Running":
        measured = await world.task(metric, measured, "resume")
    assert_shown(measured, text)
    assert [(asked.method, asked.path) for asked in world.vendor.asked] == [(a["method"], a["path"]) for a in asks]


async def test_the_job_of_its_page_is_made_and_is_the_verdict(world: World) -> None:
    metric = sample(world, "job", url="http://shop")
    begun = await world.task(metric, None)
    assert begun.phase == "Running"
    job = world.cluster.objects["jobs", "ns", f"{UID}.smoke-test.1"]
    assert job["metadata"]["labels"]["team"] == "shop"
    (condition,) = blocks(PAGES["job"], "json")
    job["status"] = {"conditions": [yaml.safe_load(condition)]}
    assert (await world.task(metric, begun, "resume")).phase == "Successful"


async def test_the_plugin_of_its_page_answers(world: World, tmp_path: Path) -> None:
    metric = sample(world, "plugin", url="")
    script = tmp_path / "queue-depth"
    (program,) = blocks(PAGES["plugin"], "python")
    script.write_text(program.replace("/usr/bin/env python3", sys.executable))
    script.chmod(0o755)
    rows: dict[str, Any] = world.cluster.objects["configmaps", CONTROLLER, "argo-rollouts-config"]["data"]
    rows["metricProviderPlugins"] = rows["metricProviderPlugins"].replace("/plugins/queue-depth", str(script))
    assert_shown(await world.task(metric, None), PAGES["plugin"])


def test_every_provider_has_a_page() -> None:
    assert set(PAGES) == set(KEYS)
