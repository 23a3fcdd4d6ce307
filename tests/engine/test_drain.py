"""Drain after observe: no pod that may still get traffic is removed, however it lost the traffic."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.names import HASH, SCALE_DOWN_DEADLINE
from serinus.api.values.times import format_deadline, parse_time
from tests.support.engine.blue_green import blue_green
from tests.support.engine.world import World, release, rollout, routed, service

BLUE = "68fb5766d6"


def quarters() -> World:
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
    world = routed(replicas=4, steps=steps, dynamicStableScale=True, scaleDownDelaySeconds=None)
    release(world, "green")
    world.settle()
    return world


def blue(world: World) -> int:
    return world.set_of("blue").spec.replicas


def test_a_stable_side_that_shrinks_with_its_traffic_keeps_its_pods_until_they_have_drained():
    world = quarters()
    assert (world.weight, blue(world)) == (25, 4)
    world.after(1)
    assert blue(world) == 4, "the weight was written a second ago"
    world.after(3)
    assert blue(world) == 3


def test_every_change_of_weight_begins_the_drain_anew():
    world = quarters()
    world.after(1.5)
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    assert world.weight == 75
    world.after(1)
    assert blue(world) == 4, "what moved last was a second ago"
    world.after(3)
    assert blue(world) == 1


def test_traffic_that_comes_back_finds_the_pods_that_were_about_to_go():
    world = quarters()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    world.after(10)
    assert (world.weight, blue(world), world.set_of("green").spec.replicas) == (0, 4, 0)
    assert "scale-down-deadline" not in world.set_of("blue").metadata.annotations


def test_with_dynamic_stable_scale_the_old_version_drains_after_the_switch_too():
    world = quarters()
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    world.settle()
    assert world.rollout.status.phase == "Healthy"
    assert blue(world) > 0
    world.after(4)
    assert blue(world) == 0


def test_a_version_that_the_stable_service_still_selects_keeps_its_pods_when_the_update_goes_back():
    """Found by the simulation (1205906): the switch was refused, and an undo took pods of the version with all requests."""
    steps = [{"setCanaryScale": {"weight": 50}}, {"setWeight": 100}]
    world = routed(replicas=7, steps=steps, scaleDownDelaySeconds=40)
    release(world, "green")
    while world.rollout.status.stable_rs == BLUE or world.weight != 100:
        world.once()
        world.pods()
    assert (world.selected("web"), world.weight) == (BLUE, 100)
    release(world, "blue")
    for _ in range(4):
        decided = world.plan()
        allowed = tuple(action for action in decided.actions if (action.kind, action.name) != ("Service", "web"))
        world.carry_out(msgspec.structs.replace(decided, actions=allowed, events=()), "Rollout", "web")
        world.pods()
    assert (world.selected("web"), world.weight) == (BLUE, 0)
    assert blue(world) == 7


def test_the_preview_service_leaves_an_aborted_version_before_its_pods_go():
    made = rollout()
    made["spec"]["strategy"] = {
        "blueGreen": {
            "activeService": "web",
            "previewService": "web-preview",
            "autoPromotionEnabled": False,
            "abortScaleDownDelaySeconds": 8,
        }
    }
    world = World(service("web"), service("web-preview"), made)
    world.settle()
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    assert world.selected("web-preview") != BLUE, "it can be looked at as long as it has pods"
    world.now += 9
    world.once()
    assert (world.selected("web-preview"), world.set_of("green").spec.replicas) == (BLUE, 2)
    world.settle()
    assert world.set_of("green").spec.replicas == 0


def test_with_dynamic_stable_scale_the_stable_service_always_leads_to_a_pod_and_the_gateway_hears_of_the_switch_in_time():
    """Found by the simulation: weight 0 overtook the Service's new endpoints, and requests found none at all."""
    world = routed(
        replicas=4, steps=[{"setWeight": 100}, {"pause": {}}], dynamicStableScale=True, scaleDownDelaySeconds=None
    )
    release(world, "green")
    world.settle()
    world.after(5)
    assert (world.weight, world.set_of("blue").spec.replicas) == (100, 1)
    world.objects["Rollout", "web"]["status"].pop("pauseConditions")
    world.settle()
    green = world.set_of("green").metadata.labels["rollouts-pod-template-hash"]
    assert (world.selected("web"), world.weight, world.set_of("blue").spec.replicas) == (green, 100, 1)
    world.after(5)
    world.settle()
    assert (world.weight, world.set_of("blue").spec.replicas, world.rollout.status.phase) == (0, 0, "Healthy")


def test_a_canary_whose_new_steps_begin_without_weight_keeps_its_pods_until_they_have_drained():
    """Its pods went with the weight: a gateway that received the endpoints first had no target for the canary's share."""
    world = routed(replicas=4, steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    assert (world.weight, world.set_of("green").spec.replicas) == (50, 2)
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"steps": [{"pause": {}}, {"setWeight": 50}]}}}})
    world.settle()
    assert (world.weight, world.set_of("green").spec.replicas > 0) == (0, True)
    world.after(1)
    assert world.set_of("green").spec.replicas > 0
    world.after(4)
    green = world.set_of("green")
    assert (green.spec.replicas, "scale-down-deadline" in green.metadata.annotations) == (0, False)


def test_the_old_stable_version_keeps_its_whole_delay_although_a_newer_one_comes_before_it_began():
    """Found by the simulation (5716): the controller received the moved Service after the third revision."""
    world = routed(scaleDownDelaySeconds=40, steps=[])
    release(world, "green")
    world.settle()
    name = world.set_of("blue").metadata.name
    world.patch("ReplicaSet", name, {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: None}}})
    release(world, "red")
    world.once()
    until = parse_time(world.set_of("blue").metadata.annotations[SCALE_DOWN_DEADLINE])
    assert until
    assert until - world.now >= 40


def test_an_abort_ends_although_a_step_says_a_size_that_leaves_the_stable_version_too_few_pods():
    """Found by the simulation (21428): the stable side waited for weight to come back, and the weight for its pods."""
    world = routed(
        replicas=4,
        steps=[{"setCanaryScale": {"weight": 50}}, {"setWeight": 90}, {"pause": {}}],
        dynamicStableScale=True,
        minPodsPerReplicaSet=3,
        abortScaleDownDelaySeconds=0,
        scaleDownDelaySeconds=None,
    )
    release(world, "green")
    world.settle()
    world.after(10)
    assert (world.weight, blue(world)) == (90, 3)
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    assert (world.weight, blue(world)) == (0, 4)


def test_a_version_that_came_back_during_a_pause_drains_when_another_replaces_it():
    """Its earlier scale-down delay has passed long ago: it does not cover the traffic that it had since."""
    world = routed(steps=[{"setWeight": 50}, {"pause": {}}], scaleDownDelaySeconds=40)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    for _ in range(4):
        world.after(3)
    assert world.rollout.status.phase == "Healthy"
    assert SCALE_DOWN_DEADLINE in world.set_of("blue").metadata.annotations
    world.patch("Rollout", "web", {"spec": {"paused": True}})
    release(world, "blue")
    world.settle()
    world.after(60)
    assert SCALE_DOWN_DEADLINE not in world.set_of("blue").metadata.annotations
    world.patch("Rollout", "web", {"spec": {"paused": False}})
    release(world, "red")
    world.settle()
    assert world.set_of("blue").spec.replicas, "requests may be under way still"


def test_a_version_that_was_stable_and_came_back_for_a_moment_keeps_its_whole_delay():
    """Its requests left it when the next version became stable: another release of it does not shorten the delay."""
    world = routed(steps=[{"setWeight": 50}], scaleDownDelaySeconds=40)
    release(world, "green")
    for _ in range(4):
        world.after(3)
    assert world.rollout.status.phase == "Healthy"
    release(world, "blue")
    world.once()
    world.once()
    release(world, "red")
    world.settle()
    until = parse_time(world.set_of("blue").metadata.annotations.get(SCALE_DOWN_DEADLINE))
    assert until
    assert until - world.now > 30


def back_to_blue(world: World, writes: int) -> bool:
    """Begin to go back to blue, which is in its scale-down delay. The controller dies after so many writes of a pass in
    which the requests may move, and red is released. Returns whether requests went to blue.
    """
    world.after(20)
    assert SCALE_DOWN_DEADLINE in world.set_of("blue").metadata.annotations
    release(world, "blue")
    blue_hash = world.set_of("blue").metadata.labels[HASH]
    begun = world.plan()
    world.carry_out(msgspec.structs.replace(begun, actions=begun.actions[:writes], status=None), "Rollout", "web")
    led = any(world.selected(name) == blue_hash for name in world.of("Service") if name != "web-preview")
    release(world, "red")
    return led


@pytest.mark.parametrize("blue_green_", [False, True], ids=["canary", "blue-green"])
def test_a_delay_of_the_past_does_not_cover_requests_that_came_later(blue_green_: bool):
    """Found by the simulation (1009134): the requests came back to a version in its delay, the controller died before it
    removed the deadline, and the next version came: the pods went with requests under way."""
    moved = False
    for writes in range(1, 6):
        if blue_green_:
            world = blue_green(scaleDownDelaySeconds=40)
        else:
            world = routed(scaleDownDelaySeconds=40, steps=[{"setWeight": 50}, {"pause": {}}])
        release(world, "green")
        world.settle()
        world.patch("Rollout", "web", {"status": {"promoteFull": True}})
        for _ in range(3):
            world.after(3)
        assert world.rollout.status.phase == "Healthy"
        if not back_to_blue(world, writes):
            continue
        moved = True
        world.settle()
        until = parse_time(world.set_of("blue").metadata.annotations.get(SCALE_DOWN_DEADLINE))
        assert world.set_of("blue").spec.replicas
        assert until is None or until - world.now > 30
    assert moved


def test_a_deadline_goes_before_the_canary_service_leads_to_the_version_again():
    world = routed(scaleDownDelaySeconds=40, steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    for _ in range(3):
        world.after(3)
    release(world, "blue")
    name, plan = world.set_of("blue").metadata.name, world.plan()
    switch = next(i for i, a in enumerate(plan.actions) if (a.kind, a.name) == ("Service", "web-canary"))
    gone = {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: None}}}
    drops = [i for i, a in enumerate(plan.actions) if a.name == name and a.body == gone]
    assert len(drops) == 1, "one write is enough"
    assert drops[0] < switch, "the pass may end after the switch"


def test_a_replaced_version_that_a_service_selects_keeps_no_deadline_of_its_past():
    world = routed(scaleDownDelaySeconds=40, steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    past = {SCALE_DOWN_DEADLINE: format_deadline(world.now + 1)}
    world.patch("ReplicaSet", world.set_of("green").metadata.name, {"metadata": {"annotations": past}})
    release(world, "red")
    world.once()
    assert world.selected("web-canary") == world.set_of("green").metadata.labels[HASH]
    assert SCALE_DOWN_DEADLINE not in world.set_of("green").metadata.annotations


@pytest.mark.parametrize("canary", [{"scaleDownDelayRevisionLimit": 0}, {"scaleDownDelaySeconds": 0}])
def test_a_replaced_version_of_a_subset_drains_after_its_weight_whatever_delays_are_asked(canary: dict[str, int]):
    """Found by the simulation (5000238): no Service moves away from it, so its pods went 0.1 s after its weight."""
    subset = {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}
    routing = {"istio": {"virtualService": {"name": "web"}, "destinationRule": subset}}
    to = [{"destination": {"host": "web", "subset": s}, "weight": w} for s, w in (("stable", 100), ("canary", 0))]
    virtual = {
        "kind": "VirtualService.networking.istio.io",
        "metadata": {"name": "web"},
        "spec": {"http": [{"route": to}]},
    }
    subsets = [{"name": name, "labels": {"app": "web"}} for name in ("stable", "canary")]
    rule = {"kind": "DestinationRule.networking.istio.io", "metadata": {"name": "web"}, "spec": {"subsets": subsets}}
    alone: dict[str, Any] = {"trafficRouting": routing, "canaryService": "", "stableService": "", **canary}
    subject = rollout(**alone)
    world = World(virtual, rule, subject)
    world.settle()
    release(world, "green")
    world.settle()
    release(world, "yellow")
    world.settle()
    assert world.set_of("green").spec.replicas > 0
    world.after(1)
    assert world.set_of("green").spec.replicas > 0
    world.after(3)
    assert world.set_of("green").spec.replicas == 0


def test_the_last_pod_stays_while_a_header_route_leads_to_it_whatever_size_a_step_says():
    """Found by the simulation (7001599): requests with the header were lost from the step on."""
    route = {"name": "by-team", "match": [{"headerName": "X-Team", "headerValue": {"exact": "a"}}]}
    steps: list[Any] = [{"setCanaryScale": {"replicas": 2}}, {"setHeaderRoute": route}]
    steps += [{"setCanaryScale": {"replicas": 0}}, {"pause": {}}]
    to = [{"destination": {"host": host}, "weight": weight} for host, weight in (("web", 100), ("web-canary", 0))]
    virtual = {
        "kind": "VirtualService.networking.istio.io",
        "metadata": {"name": "web"},
        "spec": {"http": [{"route": to}]},
    }
    routing = {"istio": {"virtualService": {"name": "web"}}, "managedRoutes": [{"name": "by-team"}]}
    world = World(service("web"), service("web-canary"), virtual, rollout(steps=steps, trafficRouting=routing))
    world.settle()
    release(world, "green")
    world.settle()
    world.after(10)
    assert world.rollout.status.current_step_index == 3
    assert world.set_of("green").spec.replicas == 1
