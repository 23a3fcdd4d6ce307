"""Healthy means: the desired version has its own available pods, and all requests go to it. This holds for the phase, the
conditions, the metric and the clients' output alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serinus.api.meta import Json
from serinus.controller.monitoring.metrics import phase as metric_phase
from serinus.view.rollout_info import phase_and_message
from tests.support.engine.blue_green import blue_green
from tests.support.engine.restarts import basic
from tests.support.engine.world import World, release, routed

GATE: list[Json] = [{"setWeight": 70}, {"pause": {}}]


def without_pods(world: World, image: str) -> None:
    """Every pod of a version fails, and none recovers yet."""
    name = world.set_of(image).metadata.name
    status = {"availableReplicas": 0, "readyReplicas": 0}
    world.objects["ReplicaSet", name]["status"].update(status)


def promoted_then_broken(world: World) -> World:
    release(world, "green")
    world.settle()
    if world.rollout.status.phase == "Paused":
        world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
        world.settle()
    assert world.rollout.status.phase == "Healthy"
    without_pods(world, "green")
    return world


def gone_back(world: World) -> World:
    release(world, "green")
    world.settle()
    world.after(5)  # with dynamicStableScale the stable version has become smaller
    assert world.rollout.status.phase == "Paused"
    release(world, "blue")
    return world


def routed_breaks() -> World:
    world = promoted_then_broken(routed(replicas=4, steps=GATE))
    assert world.set_of("blue").status.available_replicas == 4, "the old version is in its scale-down delay"
    return world


def blue_green_breaks() -> World:
    world = promoted_then_broken(blue_green(replicas=2))
    assert world.set_of("blue").status.available_replicas == 2, "the old version is in its scale-down delay"
    return world


def threshold() -> World:
    """Half of the pods are enough to promote; Healthy is more than promoted."""
    world = routed(replicas=4, steps=[], replicaProgressThreshold={"type": "Percent", "value": 50})
    release(world, "green")
    world.settle(ready=False)
    name = world.set_of("green").metadata.name
    world.objects["ReplicaSet", name]["status"].update({"availableReplicas": 2, "readyReplicas": 2})
    world.settle(ready=False)
    assert world.rollout.status.stable_rs == world.rollout.status.current_pod_hash
    return world


SITUATIONS: dict[str, Callable[[], World]] = {
    "dynamic stable scale, gone back": lambda: gone_back(
        routed(replicas=4, steps=GATE, dynamicStableScale=True, scaleDownDelaySeconds=None)
    ),
    "pods alone, gone back": lambda: gone_back(basic(replicas=4, steps=GATE)),
    "a router's canary loses its pods in the scale-down delay": routed_breaks,
    "pods alone lose their pods": lambda: promoted_then_broken(basic(replicas=2)),
    "blue-green loses its pods in the scale-down delay": blue_green_breaks,
    "promoted at a threshold": threshold,
}


def told(world: World) -> tuple[str, str, str, str]:
    """(phase, the phase in clients, the metric's phase, the Healthy condition)"""
    conditions = {c.type: c.status for c in world.rollout.status.conditions}
    shown, _ = phase_and_message(world.objects["Rollout", "web"])
    return world.rollout.status.phase, shown, metric_phase(world.rollout), conditions["Healthy"]


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_it_is_not_healthy_before_its_own_pods_have_the_traffic(situation: Callable[[], World]):
    world = situation()
    world.settle(ready=False)
    assert told(world) == ("Progressing", "Progressing", "Progressing", "False"), world.rollout.status.message
    assert world.rollout.status.message
    world.settle()
    for _ in range(4):
        world.after(5)
    assert told(world) == ("Healthy", "Healthy", "Completed", "True")


@pytest.mark.parametrize("situation", [routed_breaks, blue_green_breaks])
def test_pods_that_no_request_reaches_keep_nothing_available(situation: Callable[[], World]):
    world = situation()
    world.settle(ready=False)
    assert {c.type: c.status for c in world.rollout.status.conditions}["Available"] == "False"


def test_going_back_is_healthy_when_the_traffic_is_back_not_when_the_pods_are():
    world = gone_back(routed(replicas=4, steps=GATE, dynamicStableScale=True, scaleDownDelaySeconds=None))
    seen: list[tuple[str, int | None]] = []
    for _ in range(12):
        world.once()
        weights = world.rollout.status.canary.weights
        assert weights is not None
        on_old = (
            weights.canary.weight
            if world.selected("web-canary") == world.set_of("green").metadata.labels["rollouts-pod-template-hash"]
            else 0
        )
        seen.append((world.rollout.status.phase, on_old))
        world.pods()
    assert ("Healthy", 0) in seen
    assert all(on_old == 0 for phase, on_old in seen if phase == "Healthy"), seen
    assert any(phase == "Progressing" and on_old for phase, on_old in seen)
