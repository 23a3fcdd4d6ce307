"""Rollouts without pods: updates go through, and wait for nothing that never appears."""

from __future__ import annotations

from typing import Any

from tests.support.engine.world import World, release, rollout, service

Json = dict[str, Any]


def blue_green(replicas: int, **options: Any) -> World:
    made = rollout(replicas=replicas)
    made["spec"]["strategy"] = {"blueGreen": {"activeService": "web", "previewService": "web-preview", **options}}
    world = World(service("web"), service("web-preview"), made)
    world.settle()
    return world


def test_a_blue_green_rollout_without_pods_is_healthy_and_leaves_a_service_that_leads_to_no_revision_alone():
    """Found by the simulation: it waited for a switch until its deadline, and was Degraded."""
    world = blue_green(0)
    assert world.rollout.status.phase == "Healthy"
    assert world.selected("web") == ""


def test_an_update_of_a_blue_green_rollout_without_pods_goes_through():
    """Found by the simulation: scaled to zero, it could never be updated; a full promotion and its deadline took turns."""
    world = blue_green(2, scaleDownDelaySeconds=1)
    world.patch("Rollout", "web", {"spec": {"replicas": 0}})
    world.settle()
    release(world, "green")
    world.settle()
    status = world.rollout.status
    assert (status.phase, status.stable_rs) == ("Healthy", status.current_pod_hash)
    assert world.selected("web") == status.stable_rs


def test_a_first_switch_does_not_wait_for_the_preview_of_few_pods():
    """Found by the simulation: where the active Service selects no revision, previewReplicaCount was never outgrown."""
    world = blue_green(0, previewReplicaCount=1)
    world.patch("Rollout", "web", {"spec": {"replicas": 2}})
    release(world, "green")
    world.settle()
    status = world.rollout.status
    assert (status.phase, status.stable_rs) == ("Healthy", status.current_pod_hash)


def test_a_full_promotion_that_is_stuck_is_taken_back_once():
    world = blue_green(2)
    world.patch("Rollout", "web", {"spec": {"progressDeadlineAbort": True, "progressDeadlineSeconds": 30}})
    world.settle()
    release(world, "green")
    world.once()
    world.objects["Rollout", "web"]["status"]["promoteFull"] = True
    world.now += 40
    world.settle(ready=False)
    for _ in range(2):
        world.now += 40
        world.settle(ready=False)
        status = world.rollout.status
        assert (status.abort, status.promote_full, status.phase) == (True, False, "Degraded")


def test_a_preview_that_nobody_wants_any_more_goes_also_when_no_pods_are_wanted():
    """Found by the simulation (26042): rolled back after scaling to zero, its preview pods stayed for ever."""
    world = blue_green(2, previewReplicaCount=1, autoPromotionEnabled=False, scaleDownDelaySeconds=5)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"spec": {"replicas": 0}})
    world.settle()
    release(world, "blue")
    world.settle()
    world.after(10)
    assert (world.set_of("green").spec.replicas, world.rollout.status.phase) == (0, "Healthy")
    assert world.selected("web-preview") == world.rollout.status.stable_rs
