"""Steps whose weight, or whose size, is smaller than that of the step before."""

from __future__ import annotations

from typing import Any

from tests.support.engine.world import release, routed


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
