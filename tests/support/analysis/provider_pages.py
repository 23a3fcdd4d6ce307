"""The pages of docs/providers: their samples, and the tests that each provider's page defines.

A provider needs no row in a table of tests: its page lists its query fields, and the credentials that it reads.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from serinus.analysis.providers.provider import configured
from serinus.analysis.providers.registry import provider_of, providers
from serinus.analysis.resolution import resolve
from serinus.analysis.templates import run_spec
from serinus.api.analysis import AnalysisTemplate, Argument, Metric
from tests.support.analysis.provoking import OWN, Place, Q
from tests.support.analysis.vendor import CONTROLLER, World

FOLDER = Path(__file__).parents[3] / "docs" / "providers"
NOT_PROVIDERS = ("README.md", "adding.md")
PAGES = {page.stem: page.read_text() for page in sorted(FOLDER.glob("*.md")) if page.name not in NOT_PROVIDERS}
ELSEWHERE = {"serinus.dev/sequential"}
"""Providers whose page is not in that folder: docs/verdicts.md."""
HOST = re.compile(r"https?://[^/\s\"':]+(:\d+)?")


def page_of(key: str) -> str:
    """The name of the page of the provider with this key."""
    return key.rpartition("/")[2]


KEYS = {page_of(key): key for key in providers() if key not in ELSEWHERE}
"""Name of a page -> the key of its provider."""


def blocks(text: str, *languages: str) -> list[str]:
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, re.DOTALL)


def with_hosts(text: str, url: str) -> str:
    """The text with this server in place of every host."""
    return HOST.sub(url, text)


def sample(world: World, page: str, *, url: str) -> Metric:
    """The metric of the page, with its Secret, its ConfigMap and its environment in place."""
    text = PAGES[page]
    template, *others = yaml.safe_load_all(with_hosts(blocks(text, "yaml")[0], url))
    for obj in others:
        name = obj["metadata"]["name"]
        if obj["kind"] == "Secret":
            world.cluster.secret(CONTROLLER, name, **obj["stringData"])
        else:
            world.cluster.objects["configmaps", CONTROLLER, name] = obj
    for line in "".join(blocks(text, "sh")).splitlines():
        key, _, value = with_hosts(line, url).partition("=")
        world.environment[key] = value
    spec = run_spec([msgspec.convert(template, AnalysisTemplate)], [Argument("service", "web")])
    (metric,) = resolve(spec, {}).metrics
    assert provider_of(metric.metric).key == KEYS[page]
    return metric.metric


def provider_part(key: str, config: Any) -> dict[str, Any]:
    """The `provider` of a metric whose provider has this key."""
    return {"plugin": {key: config}} if "/" in key else {key: config}


def place_of(page: str) -> Place:
    """The page's sample with a secret argument in every text, and marked values in every Secret and variable."""
    template, *others = yaml.safe_load_all(blocks(PAGES[page], "yaml")[0])
    metric = msgspec.convert(template["spec"]["metrics"][0], Metric)
    marks = iter([*OWN.values()] * 3)

    def marked(value: str) -> str:
        return HOST.sub("URL", value) if HOST.search(value) else next(marks)

    secrets = {
        obj["metadata"]["name"]: {HOST.sub("URL", k): marked(str(v)) for k, v in obj["stringData"].items()}
        for obj in others
        if obj["kind"] == "Secret"
    }
    lines = (line.partition("=") for line in "".join(blocks(PAGES[page], "sh")).splitlines())
    return Place(
        _secret_everywhere(configured(metric, KEYS[page])), secrets, {key: marked(value) for key, _, value in lines}
    )


def _secret_everywhere(value: Any) -> Any:
    if isinstance(value, str):
        return HOST.sub("URL", value) + "/{{args.plain}}" if HOST.search(value) else Q
    if isinstance(value, dict):
        return {key: _secret_everywhere(one) for key, one in value.items()}
    return [_secret_everywhere(one) for one in value] if isinstance(value, list) else value
