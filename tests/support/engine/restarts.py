"""Rollouts whose pods are being restarted."""

from __future__ import annotations

from typing import Any

from tests.support.engine.world import World
from tests.support.engine.world import rollout as a_rollout

AT = "2026-06-01T00:00:00Z"
YOUNG = "2026-06-01T00:00:01Z"


def add_pod(
    world: World, name: str, *, born: str = "2026-01-01T00:00:00Z", ready: bool = True, image: str = "blue"
) -> None:
    owned = world.set_of(image)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owned.metadata.name, "uid": owned.metadata.uid}
    meta = {
        "name": name,
        "creationTimestamp": born,
        "ownerReferences": [{**owner, "controller": True}],
        "labels": owned.metadata.labels,
    }
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    world.add({"kind": "Pod", "metadata": meta, "status": {"conditions": [condition]}})


def restarting(world: World) -> World:
    for name in ("a", "b"):
        add_pod(world, name)
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    return world


def basic(**options: Any) -> World:
    bare = {"trafficRouting": None, "canaryService": "", "stableService": "", "steps": [], "replicas": 2}
    given: dict[str, Any] = {**bare, "scaleDownDelaySeconds": None, **options}
    world = World(a_rollout(**given))
    world.settle()
    return world
