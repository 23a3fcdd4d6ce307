"""Canaries without a router: pods alone divide the traffic, and removing one before another serves costs requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine.world import World, release, rollout, service


def alone(**options: Any) -> World:
    """A settled Rollout at blue without a router or Services."""
    bare = {"trafficRouting": None, "canaryService": "", "stableService": "", "steps": [], "replicas": 5}
    given: dict[str, Any] = {**bare, "scaleDownDelaySeconds": None, **options}
    world = World(rollout(**given))
    world.settle()
    return world


def serving(world: World) -> int:
    """Pods that still answer once the written sizes take effect."""
    return sum(min(rs.spec.replicas, rs.status.available_replicas) for rs in world.of("ReplicaSet").values())


def least_serving(world: World) -> int:
    """The fewest pods that serve on the way to the settled state."""
    least = serving(world)
    for _ in range(40):
        done = world.once()
        least = min(least, serving(world))
        if not world.pods() and not done.actions and done.status is None:
            return least
    raise AssertionError("it never settles")


def unschedulable(world: World) -> None:
    """A pod of the new version that no node has room for."""
    new = world.set_of("green")
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": new.metadata.name,
        "uid": new.metadata.uid,
        "controller": True,
    }
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    world.add(
        {
            "kind": "Pod",
            "metadata": {"name": "stuck", "ownerReferences": [owner]},
            "status": {"phase": "Pending", "conditions": [condition]},
        }
    )


def test_where_surge_is_allowed_no_pod_goes_before_another_serves():
    world = alone()  # the default 25 % of 5: two more, one less
    release(world, "green")
    assert least_serving(world) == 5
    assert world.rollout.status.phase == "Healthy"


def test_a_third_revision_replaces_the_second_without_a_pod_missing():
    world = alone(steps=[{"setWeight": 40}, {"pause": {}}])
    release(world, "green")
    world.settle()
    release(world, "red")
    assert least_serving(world) == 5
    assert (world.set_of("green").spec.replicas, world.set_of("red").spec.replicas) == (0, 2)


def test_without_surge_pods_go_first_as_far_as_was_allowed():
    world = alone(maxSurge=0, maxUnavailable=2)
    release(world, "green")
    assert least_serving(world) == 3
    assert world.rollout.status.phase == "Healthy"


def test_a_cluster_without_room_for_surge_gets_it_from_what_may_be_missing():
    world = alone()
    release(world, "green")
    world.once()
    assert world.set_of("blue").spec.replicas == 5
    unschedulable(world)
    world.once()
    assert world.set_of("blue").spec.replicas == 4


@pytest.mark.parametrize("steps", [[], [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]])
def test_an_abort_gives_every_pod_back_before_one_is_taken(steps: list[dict[str, Any]]):
    world = alone(steps=steps)
    release(world, "green")
    world.once()
    world.pods()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    assert least_serving(world) == 5
    assert (world.set_of("blue").spec.replicas, world.rollout.status.phase) == (5, "Degraded")


def test_a_service_does_not_go_back_to_pods_that_are_going():
    """Found by the simulation (27323): the emptied stable version's status still listed a pod."""
    services = [service("web"), service("web-canary")]
    given: dict[str, Any] = {"trafficRouting": None, "scaleDownDelaySeconds": None, "maxSurge": 0, "maxUnavailable": 1}
    world = World(*services, rollout(replicas=4, steps=[{"setWeight": 25}], **given))
    world.settle()
    release(world, "green")
    for _ in range(40):
        world.once()
        if world.set_of("blue").spec.replicas == 0:
            break
        world.pods()
    assert world.set_of("blue").status.available_replicas == 1, "its last pod is going"
    release(world, "red")
    world.once()
    assert world.selected("web") == world.set_of("green").metadata.labels["rollouts-pod-template-hash"]


def test_a_third_revision_gets_room_from_stable_pods_that_do_not_serve():
    """Found by the simulation (29659): a stable version that never served and a canary that did left no room for a third."""
    world = alone(replicas=1, steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    blue = world.objects["ReplicaSet", world.set_of("blue").metadata.name]
    release(world, "red")
    for _ in range(12):
        blue["status"].update(readyReplicas=0, availableReplicas=0)
        world.once()
        for name, rs in world.of("ReplicaSet").items():
            serving = rs.spec.replicas if rs.spec.template["spec"]["containers"][0]["image"][-4:] != "blue" else 0
            status = {"replicas": rs.spec.replicas, "readyReplicas": serving, "availableReplicas": serving}
            world.objects["ReplicaSet", name]["status"] = {**status, "observedGeneration": rs.metadata.generation}
    assert (world.set_of("red").spec.replicas, world.set_of("green").spec.replicas) == (1, 0)


def test_stable_pods_that_serve_make_no_room_whatever_min_ready_seconds_waits_for():
    """Found by the simulation (1723): a pod that was ready, and would have counted a second later, went."""
    world = alone(replicas=1, steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    release(world, "red")
    world.objects["ReplicaSet", world.set_of("blue").metadata.name]["status"].update(availableReplicas=0)
    for _ in range(3):
        world.once()
    assert world.set_of("blue").spec.replicas == 1


def test_a_version_that_was_just_made_smaller_is_not_promoted_on_what_its_status_told_before():
    world = alone(steps=[{"setWeight": 100}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.patch("ReplicaSet", world.set_of("green").metadata.name, {"spec": {"replicas": 4}})
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    before = world.rollout.status.stable_rs
    world.once()
    assert world.rollout.status.stable_rs == before
    world.settle()
    assert world.rollout.status.stable_rs == world.rollout.status.current_pod_hash
