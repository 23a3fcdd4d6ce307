"""docs/providers: the sample of each page, carried out against a server that answers as the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from vendor import CONTROLLER, World

from serinus.analysis.providers.registry import PROVIDERS
from serinus.analysis.resolved import resolve
from serinus.analysis.templates import run_spec
from serinus.api.analysis import AnalysisTemplate, Argument

FOLDER = Path(__file__).parents[2] / "docs" / "providers"
PAGES = {page.stem: page.read_text() for page in sorted(FOLDER.glob("*.md")) if page.name != "README.md"}
ASKS = re.compile(r"It asks `(?P<method>[A-Z]+) (?P<path>[^`]+)`")
SHOWS = re.compile(r"is (?P<phase>[A-Z][a-z]+), and the status shows `(?P<value>[^`]+)`")


def block(text: str, *languages: str) -> str:
    found = re.search(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def documents(text: str, url: str) -> list[dict[str, Any]]:
    """The YAML of a page, with every host in it this one."""
    return list(yaml.safe_load_all(re.sub(r"http://[^/\s]+", url, block(text, "yaml"))))


@pytest.mark.parametrize("provider", PAGES)
async def test_the_sample_of_a_page_does_what_the_page_says(world: World, provider: str) -> None:
    text = PAGES[provider]
    asks, shows = ASKS.search(text), SHOWS.search(text)
    assert asks is not None
    assert shows is not None
    template, *secrets = documents(text, world.url)
    for secret in secrets:
        world.cluster.secret(CONTROLLER, secret["metadata"]["name"], **secret["stringData"])
    answer = block(text, "json", "csv")
    world.vendor.says(asks["path"], answer.replace("\n", "\r\n") if "```csv" in text else answer)
    spec = run_spec([msgspec.convert(template, AnalysisTemplate)], [Argument("service", "web")])
    (metric,) = resolve(spec, {}).metrics
    assert provider in metric.metric.provider
    measured = await world.task(metric.metric, None)
    assert (measured.phase, measured.value, measured.message) == (shows["phase"], shows["value"], "")
    assert [(asked.method, asked.path) for asked in world.vendor.asked] == [(asks["method"], asks["path"])]


def test_every_provider_is_led_to() -> None:
    index = (FOLDER / "README.md").read_text()
    assert set(PAGES) == set(re.findall(r"\]\((\w+)\.md\)", index))
    assert all(re.search(rf"\b{name}\b", index) for name in PROVIDERS)
