"""A blue-green Rollout at its first version."""

from __future__ import annotations

from typing import Any

from tests.support.engine.world import World, rollout, service


def blue_green(replicas: int = 2, *, preview: bool = True, **options: Any) -> World:
    strategy = {"activeService": "web", **({"previewService": "web-preview"} if preview else {}), **options}
    obj = rollout(replicas=replicas)
    obj["spec"]["strategy"] = {"blueGreen": {"scaleDownDelaySeconds": 4, **strategy}}
    world = World(service("web"), service("web-preview"), obj)
    world.settle()
    return world
