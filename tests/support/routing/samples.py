"""The samples of docs/routers: the objects and the strategy that a user copies. Every router has a page with one.

A test that takes its objects from here has a new router without being told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from serinus.api.resources import CRDS
from serinus.api.served_kind import ServedKind
from serinus.local.traefik.gateway_kinds import GATEWAY_API, TRAEFIK, definitions
from serinus.routing import registry
from tests.support.plays.stage import Stage
from tests.support.routing.plain import rollout

Json = dict[str, Any]
PAGES = Path(__file__).parents[3] / "docs" / "routers"
PAUSE = 40
"""Seconds of each pause in the steps of a sample."""
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


def every_definition() -> list[Json]:
    """The definitions of Gateway API and Traefik as on `serinus up`, and open ones of the other routers' kinds."""
    real = [each for kinds in (GATEWAY_API, TRAEFIK) for each in definitions(kinds)]
    names = {each["metadata"]["name"] for each in real}
    return [*real, *(crd(kind) for kind in registry.kinds().values() if kind.group_resource not in names)]


async def install(stage: Stage) -> None:
    for each in every_definition():
        await stage.client.create(CRDS, each)


def release(image: str, canary: Json, name: str = "web") -> Json:
    """A Rollout of one pod with this canary."""
    pod = {"containers": [{"name": "web", "image": f"argoproj/rollouts-demo:{image}"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"metadata": {"name": name}, "spec": {**spec, "strategy": {"canary": canary}}}
