"""Canaries without a router whose Services follow the versions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine.world import World, release, rollout, service

Json = dict[str, Any]


def basic(replicas: int, steps: list[Json], surge: int | str, unavailable: int | str) -> World:
    made = rollout(replicas=replicas)
    made["spec"]["strategy"] = {
        "canary": {
            "stableService": "web", "canaryService": "web-canary", "steps": steps,
            "maxSurge": surge, "maxUnavailable": unavailable,
        }
    }  # fmt: skip
    world = World(service("web"), service("web-canary"), made)
    world.settle()
    return world


@pytest.mark.parametrize(("replicas", "surge", "unavailable"), [(1, 0, 1), (2, 0, 1), (10, 0, 1), (3, 1, 0), (1, 1, 0)])
def test_an_update_without_room_for_more_pods_ends(replicas: int, surge: int, unavailable: int):
    """Found by the simulation: the pod kept for the stable Service took the place of the last new one, for ever."""
    world = basic(replicas, [], surge, unavailable)
    release(world, "green")
    world.settle()
    status = world.rollout.status
    assert (status.phase, status.stable_rs) == ("Healthy", status.current_pod_hash)
    assert world.selected("web") == world.selected("web-canary") == status.stable_rs
    assert world.set_of("blue").spec.replicas == 0


def test_a_step_of_weight_100_is_reached_while_the_stable_service_keeps_a_pod():
    """Found by the simulation: the step waited for a stable version without pods, which its Service prevented."""
    world = basic(4, [{"setWeight": 100}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}], "100%", 0)
    release(world, "green")
    world.settle()
    assert world.rollout.status.current_step_index == 1
    assert (world.set_of("blue").spec.replicas, world.set_of("green").spec.replicas) == (1, 4)
    world.objects["Rollout", "web"]["status"].pop("pauseConditions")
    world.settle()
    assert world.rollout.status.current_step_index == 3


def test_the_stable_service_never_leads_to_a_version_without_pods():
    world = basic(4, [], 0, 1)
    release(world, "green")
    for _ in range(40):
        world.once()
        led = world.selected("web")
        sizes = {r.metadata.labels["rollouts-pod-template-hash"]: r for r in world.of("ReplicaSet").values()}
        assert min(sizes[led].spec.replicas, sizes[led].status.available_replicas) > 0
        world.pods()
    assert world.rollout.status.phase == "Healthy"
