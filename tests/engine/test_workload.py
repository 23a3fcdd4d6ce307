"""A Rollout that takes over from a Deployment, from its user's view."""

from __future__ import annotations

import pytest

from tests.support.engine.world import World, ingress, rollout, service


def takes_over(scale_down: str) -> World:
    """A Deployment with two pods, and a Rollout that refers to it."""
    obj = rollout(replicas=2)
    template = obj["spec"].pop("template")
    obj["spec"]["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": scale_down}
    work = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    return World(service("web"), service("web-canary"), ingress(), work, obj)


def left(world: World) -> int:
    return world.objects["Deployment", "web"]["spec"]["replicas"]


@pytest.mark.parametrize(("mode", "pods"), [("never", 2), ("onsuccess", 0), ("progressively", 0)])
def test_the_deployment_is_emptied_as_was_asked_once_the_rollout_serves(mode: str, pods: int):
    world = takes_over(mode)
    world.settle(ready=False)
    assert left(world) == 2, "no pod goes before another one serves"
    world.settle()
    assert (world.rollout.status.phase, left(world)) == ("Healthy", 2)
    world.after(2)
    assert left(world) == 2, "gateways may still ask them"
    world.after(2)
    assert left(world) == pods


def test_the_generation_that_is_followed_can_be_read():
    world = takes_over("never")
    world.settle()
    assert world.rollout.metadata.annotations["rollout.argoproj.io/workload-generation"] == "1"
    assert world.rollout.status.workload_observed_generation == "1"


def test_a_new_image_in_the_deployment_is_a_new_revision_of_the_rollout():
    world = takes_over("onsuccess")
    world.settle()
    containers = world.objects["Deployment", "web"]["spec"]["template"]["spec"]["containers"]
    green = [{**containers[0], "image": "argoproj/rollouts-demo:green"}]
    world.patch("Deployment", "web", {"spec": {"template": {"spec": {"containers": green}}}})
    world.settle()
    assert (world.weight, world.rollout.status.phase) == (20, "Paused")
