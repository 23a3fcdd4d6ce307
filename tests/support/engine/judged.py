"""A canary with an analysis step, and verdicts of its runs."""

from __future__ import annotations

from typing import Any

from tests.support.engine.world import World, ingress, release, rollout, service

Json = dict[str, Any]
CHECK: Json = {"templates": [{"templateName": "check"}]}
METRIC: Json = {"name": "value", "count": 1, "provider": {"web": {"url": "http://metrics/{{args.of}}"}}}


def template(name: str = "check", **metric: Any) -> Json:
    spec = {"args": [{"name": "of", "value": "all"}], "metrics": [{**METRIC, **metric}]}
    return {"kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": spec}


def judged(steps: list[Json] | None = None, **canary: Any) -> World:
    """At blue, with a template, and about to release green."""
    steps = steps or [{"setWeight": 50}, {"analysis": CHECK}, {"pause": {}}]
    world = World(service("web"), service("web-canary"), ingress(), template(), rollout(steps=steps, **canary))
    world.settle()
    release(world, "green")
    world.settle()
    return world


def say(world: World, name: str, phase: str, message: str = "") -> None:
    """The run's verdict."""
    world.patch("AnalysisRun", name, {"status": {"phase": phase, "message": message}})
    world.settle()


RUN = "web-77f97bbcbf-2-1"
