"""`restartAt` completes in any state of an update, removes no more pods at a time than may be missing, and promises no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.meta import Json
from serinus.engine.core import wait_reasons
from tests.support.engine.blue_green import blue_green
from tests.support.engine.restarts import AT, YOUNG, basic
from tests.support.engine.world import World, release, routed

OLD = "2026-01-01T00:00:00Z"


class Pods:
    """Pods of a world's ReplicaSets: each pass they come, young and ready, or go as planned."""

    def __init__(self, world: World) -> None:
        self.world, self.made, self.fewest, self.most = world, 0, 10**6, 0
        self.fewest_of: dict[str, int] = {}
        self.follow(born=OLD)

    def of(self, rs: str) -> list[str]:
        pods = [o for (kind, _), o in self.world.objects.items() if kind == "Pod"]
        return [p["metadata"]["name"] for p in pods if p["metadata"]["ownerReferences"][0]["name"] == rs]

    def follow(self, born: str = YOUNG) -> None:
        """Every ReplicaSet has as many pods as it is to have; of those that are too many the youngest go."""
        for name, rs in self.world.of("ReplicaSet").items():
            owner = {"kind": "ReplicaSet", "name": name, "uid": rs.metadata.uid, "controller": True}
            for pod in self.of(name)[rs.spec.replicas :]:
                del self.world.objects["Pod", pod]
            for _ in range(rs.spec.replicas - len(self.of(name))):
                self.made += 1
                meta = {"name": f"{name}-{self.made}", "creationTimestamp": born, "ownerReferences": [owner]}
                status = {"conditions": [{"type": "Ready", "status": "True"}]}
                self.world.add({"kind": "Pod", "metadata": {**meta, "labels": rs.metadata.labels}, "status": status})
        self.world.pods()

    def evict(self) -> None:
        for action in self.world.last.actions:
            if action.verb == "evict":
                del self.world.objects["Pod", action.name]
        counts = {name: len(self.of(name)) for name in self.world.of("ReplicaSet")}
        self.fewest, self.most = min(self.fewest, sum(counts.values())), max(self.most, sum(counts.values()))
        for name, rs in self.world.of("ReplicaSet").items():
            status = {"readyReplicas": counts[name], "availableReplicas": counts[name], "replicas": counts[name]}
            self.world.objects["ReplicaSet", name]["status"].update(status)
            if rs.spec.replicas:
                self.fewest_of[name] = min(self.fewest_of.get(name, 10**6), counts[name])

    def old(self) -> list[str]:
        pods = {name: o for (kind, name), o in self.world.objects.items() if kind == "Pod"}
        return [name for name, pod in pods.items() if pod["metadata"]["creationTimestamp"] < AT]


def at_gate(world: World, **spec: Any) -> World:
    release(world, "green")
    world.settle()
    assert world.rollout.status.phase == "Paused"
    if spec:
        world.patch("Rollout", "web", {"spec": spec})
        world.settle()
    return world


def aborted(world: World) -> World:
    at_gate(world)
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    return world


def weight(percent: int) -> list[Json]:
    return [{"setWeight": percent}, {"pause": {}}]


def dynamic(replicas: int) -> World:
    return routed(replicas=replicas, steps=weight(50), dynamicStableScale=True, scaleDownDelaySeconds=None)


def preview(replicas: int, **options: Any) -> World:
    return blue_green(replicas=replicas, autoPromotionEnabled=False, **options)


Case = tuple[Callable[[], World], int, int | None]
CASES: dict[str, Case] = {
    # name: (its state, the fewest pods that may serve, the most pods there may be)
    "pods alone, settled, one replica": (lambda: basic(replicas=1), 1, 2),
    "pods alone, at a gate, one replica": (lambda: at_gate(basic(replicas=1, steps=weight(50))), 1, 2),
    "pods alone, at a gate, two replicas": (lambda: at_gate(basic(replicas=2, steps=weight(50))), 2, 3),
    "pods alone, at a gate without room for another": (lambda: at_gate(basic(replicas=2, steps=weight(33))), 2, 3),
    "pods alone, at a gate, ten replicas": (
        lambda: at_gate(basic(replicas=10, steps=weight(20), maxUnavailable=0)),
        10,
        13,
    ),
    "pods alone, at a gate, none may be missing": (
        lambda: at_gate(basic(replicas=3, steps=weight(50), maxSurge=1, maxUnavailable=0)),
        3,
        4,
    ),
    "pods alone, at a gate, no surge": (
        lambda: at_gate(basic(replicas=2, steps=weight(50), maxSurge=0, maxUnavailable=1)),
        1,
        2,
    ),
    "pods alone, paused by hand": (lambda: at_gate(basic(replicas=2, steps=weight(50)), paused=True), 1, 3),
    "pods alone, aborted": (lambda: aborted(basic(replicas=2, steps=weight(50))), 2, 3),
    "pods alone, aborted, one replica": (lambda: aborted(basic(replicas=1, steps=weight(50))), 1, 2),
    "router, at a gate, one replica": (lambda: at_gate(routed(replicas=1, steps=weight(50))), 2, None),
    "router, at a gate": (lambda: at_gate(routed(replicas=2, steps=weight(50))), 3, None),
    "router, aborted": (lambda: aborted(routed(replicas=1, steps=weight(50))), 1, None),
    "router, dynamic stable scale, at a gate": (lambda: at_gate(dynamic(2)), 2, None),
    "router, dynamic stable scale, aborted, one replica": (lambda: aborted(dynamic(1)), 1, None),
    "blue-green, preview": (lambda: at_gate(preview(2)), 4, None),
    "blue-green, small preview": (lambda: at_gate(preview(2, previewReplicaCount=1)), 3, None),
    "blue-green, preview, one replica": (lambda: at_gate(preview(1)), 2, None),
    "blue-green, aborted, one replica": (lambda: aborted(preview(1)), 1, None),
}


@pytest.mark.parametrize("name", CASES)
def test_every_pod_is_replaced_and_enough_serve_meanwhile(name: str):
    make, fewest, most = CASES[name]
    world = make()
    world.after(40)  # delays have passed
    pods = Pods(world)
    before = world.rollout.status.current_step_index
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    for _ in range(40):
        plan = world.once()
        assert all(wait.until is None for wait in plan.waits if wait.reason == wait_reasons.RESTARTING.code), (
            "a promised moment"
        )
        pods.evict()
        if world.rollout.status.restarted_at == AT and not plan.actions:
            break
        pods.follow()
    assert (world.rollout.status.restarted_at, pods.old()) == (AT, []), world.last.waits
    assert pods.fewest >= fewest
    assert most is None or pods.most <= most
    # Pods alone: if one version lacks a pod for a moment, another answers.
    assert name.startswith("pods alone") or all(pods.fewest_of.values())
    assert world.rollout.status.current_step_index == before


def test_the_last_pod_that_a_service_leads_to_stays_and_it_is_said_until_when():
    services = {"canaryService": "web-canary", "stableService": "web"}
    world = routed(replicas=1, steps=weight(50), trafficRouting=None, scaleDownDelaySeconds=None, **services)
    at_gate(world)
    pods = Pods(world)
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    plan = world.once()
    assert not any(action.verb == "evict" for action in plan.actions)
    (said,) = [wait.message for wait in plan.waits if wait.reason == wait_reasons.RESTARTING.code]
    assert (
        said
        == "2 pods are older than restartAt: the last one of a version that a Service leads to goes when the update has ended"
    )
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    for _ in range(20):
        plan = world.once()
        pods.evict()
        pods.follow()
    assert (world.rollout.status.restarted_at, pods.old(), world.rollout.status.phase) == (AT, [], "Healthy")
