"""Steps whose weight, or whose size, is smaller than that of the step before."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH
from tests.support.engine.world import release, routed

WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


def test_a_step_with_a_smaller_weight_is_reached_and_the_canary_follows():
    """Found by the simulation: the pods that the old weight needs made the smaller step unreachable."""
    steps: list[dict[str, Any]] = [{"setWeight": 75}, {"pause": {}}, {"setWeight": 25}, {"pause": {}}]
    world = routed(replicas=4, steps=steps)
    release(world, "green")
    world.settle()
    assert (world.weight, world.set_of("green").spec.replicas) == (75, 3)
    world.objects["Rollout", "web"]["status"].pop("pauseConditions")
    world.settle()
    assert (world.weight, world.set_of("green").spec.replicas) == (25, 1)
    assert world.rollout.status.current_step_index == 3


def test_a_smaller_weight_is_reached_beside_a_canary_scale_with_dynamic_stable_scale():
    """Found by the simulation (ALB, 55): the stable version kept the size for the canary's scale, and the canary 34 % of
    the requests for ever."""
    scale: dict[str, Any] = {"setCanaryScale": {"weight": 50}}
    steps = [{"setWeight": 20}, scale, {"setWeight": 75}, {"pause": {"duration": 20}}, {"setWeight": 10}, {"pause": {}}]
    world = routed(replicas=3, steps=steps, dynamicStableScale=True, scaleDownDelaySeconds=None)
    release(world, "green")
    world.settle()
    for seconds, weight, pods in ((3, 75, 2), (20, 10, 3)):
        world.now += seconds
        world.settle()
        assert (world.weight, world.set_of("blue").spec.replicas) == (weight, pods)


def test_no_pod_goes_in_the_pass_that_gives_it_traffic():
    """Found by the simulation: the next, smaller step shrank the canary in the pass that raised its weight."""
    world = routed(replicas=4, steps=[{"setWeight": 50}, {"setWeight": 25}, {"pause": {}}])
    release(world, "green")
    for _ in range(20):
        world.once()
        weight = world.weight or 0
        assert world.set_of("green").spec.replicas * 100 >= weight * 4
        world.pods()
    assert (world.weight, world.set_of("green").spec.replicas) == (25, 1)


def test_a_smaller_canary_scale_does_not_take_pods_that_the_weight_needs():
    """Found by the simulation: the update stopped, for the planned size was never reached."""
    world = routed(replicas=4, steps=[{"setWeight": 50}, {"setCanaryScale": {"replicas": 1}}, {"pause": {}}])
    release(world, "green")
    world.settle()
    assert world.rollout.status.current_step_index == 2
    assert (world.weight, world.set_of("green").spec.replicas) == (50, 2)


def test_a_smaller_canary_scale_takes_no_pods_of_a_version_that_the_canary_service_moves_to():
    """Found by the simulation (1101858): the status recorded 100 % of the version before, and the new one lost half of
    its pods in the pass that gave it 90 %."""
    steps: list[dict[str, Any]] = [{"setWeight": 90}, {"setCanaryScale": {"weight": 50}}, {"pause": {}}]
    world = routed(replicas=2, steps=steps)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    world.settle()
    green = world.rollout.status.stable_rs
    assert (world.weight, green) == (0, world.set_of("green").metadata.labels["rollouts-pod-template-hash"])
    # The write of weight 0 to the status is lost, and so is all until the pods of the next version are ready.
    weights = {"canary": {"weight": 100, "podTemplateHash": green}, "stable": {"weight": 0}}
    world.patch("Rollout", "web", {"status": {"canary": {"weights": weights}}})
    release(world, "red")
    stored = world.objects["Rollout", "web"]["status"]
    world.once()
    world.objects["Rollout", "web"]["status"] = stored
    world.pods()
    world.once()
    red = world.set_of("red")
    assert (world.weight, world.selected("web-canary")) == (90, red.metadata.labels["rollouts-pod-template-hash"])
    assert red.spec.replicas == 2
    world.settle()
    assert world.set_of("red").spec.replicas == 2


@pytest.mark.parametrize("aborted", [False, True])
def test_a_weight_recorded_for_the_version_before_raises_no_weight_of_the_new_one(aborted: bool):
    """Found by the simulation (1009415): the API server refused the status, which recorded 100 % of the version before.
    The Rollout was scaled, and a canary with 2 of 8 pods at 25 % got 38 %, and then 50 %."""
    steps: list[dict[str, Any]] = [{"setWeight": 25}, {"pause": {}}]
    world = routed(replicas=5, steps=steps, dynamicStableScale=True, scaleDownDelaySeconds=None)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    for _ in range(3):
        world.after(3)
    green = world.rollout.status.stable_rs
    weights = {"canary": {"weight": 100, "podTemplateHash": green}, "stable": {"weight": 0}}
    world.patch("Rollout", "web", {"status": {"canary": {"weights": weights}}})
    release(world, "red")
    for _ in range(6):  # the write of the weight to the status is lost each time
        world.once()
        world.pods()
        world.patch("Rollout", "web", {"status": {"canary": {"weights": weights}}})
    red = world.set_of("red")
    assert (world.weight, world.selected("web-canary"), red.spec.replicas) == (25, red.metadata.labels[HASH], 2)
    world.patch("Rollout", "web", {"spec": {"replicas": 8}, "status": {"abort": aborted}})
    world.once()
    assert world.weight == 25


def test_a_stable_version_that_the_canary_service_still_selects_keeps_its_pods():
    """Found by the simulation (1115145): another version was released before the weight had returned to 0. The stable one
    lost 2 of 5 pods with all requests, and the new one never got any."""
    steps: list[dict[str, Any]] = [{"setCanaryScale": {"weight": 50}}, {"setWeight": 100}, {"pause": {}}]
    world = routed(replicas=5, steps=steps, dynamicStableScale=True, scaleDownDelaySeconds=None)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    world.settle()
    world.after(5)
    green = world.rollout.status.stable_rs
    assert world.selected("web-canary") == green
    release(world, "red")
    world.once()  # its ReplicaSet is created; the other writes fail
    weights = {"canary": {"weight": 100, "podTemplateHash": green}, "stable": {"weight": 0, "podTemplateHash": green}}
    before = {"canary": {"weights": weights}, "currentPodHash": green, "currentStepIndex": 3}
    world.patch("Rollout", "web", {"status": before})
    world.patch("Ingress", "web-web-canary", {"metadata": {"annotations": {WEIGHT: "100"}}})
    for _ in range(10):
        world.pods()
        world.once()
        world.now += 5
        if world.selected("web-canary") == green:
            assert world.set_of("green").spec.replicas * 100 >= 5 * (world.weight or 0)
    red = world.set_of("red")
    assert (world.weight, world.selected("web-canary")) == (100, red.metadata.labels["rollouts-pod-template-hash"])
    assert red.spec.replicas == 3, "as the steps say"
