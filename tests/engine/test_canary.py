"""Whole updates with the nginx router, as the user of a Rollout sees them."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH, MANAGED_BY, SCALE_DOWN_DEADLINE
from tests.support.engine.world import World, ingress, release, rollout, routed, service

BLUE, GREEN, RED = "68fb5766d6", "77f97bbcbf", "5d944568bf"


def reasons(world: World) -> list[str]:
    return [e.reason for e in world.told]


def test_the_first_version_becomes_stable_at_once_and_gets_traffic_when_it_serves():
    world = World(service("web"), service("web-canary"), ingress(), rollout())
    world.once()
    assert world.rollout.status.stable_rs == BLUE
    assert world.selected("web") == ""
    world.settle()
    assert (world.selected("web"), world.selected("web-canary"), world.weight) == (BLUE, BLUE, 0)
    assert world.rollout.status.phase == "Healthy"
    assert world.objects["Service", "web"]["metadata"]["annotations"][MANAGED_BY] == "web"


def test_a_canary_waits_at_its_gate_with_the_weight_that_was_asked():
    world = routed()
    release(world, "green")
    world.settle()
    status = world.rollout.status
    assert (world.weight, status.current_step_index, status.phase, status.message) == (
        20,
        1,
        "Paused",
        "CanaryPauseStep",
    )
    assert (world.selected("web"), world.selected("web-canary")) == (BLUE, GREEN)
    assert world.set_of("green").spec.replicas == 1


def test_no_traffic_before_the_first_pod_serves():
    """Weight never exceeds capacity: the canary Service does not even change."""
    world = routed()
    release(world, "green")
    world.settle(ready=False)
    assert (world.weight, world.selected("web-canary")) == (0, BLUE)
    assert world.last.waits[0].message == "step 1: canary has 0/1 ready pods"


def test_promotion_walks_the_rest_and_keeps_the_old_pods_for_the_delay():
    world = routed()
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    assert world.weight == 50
    world.after(2.9)
    assert world.weight == 50, "3 s are never shorter than written"
    world.after(1.1)
    assert world.weight == 70
    world.after(4)
    assert (world.rollout.status.stable_rs, world.selected("web"), world.weight) == (GREEN, GREEN, 0)
    assert world.set_of("blue").spec.replicas == 2, "the old version drains"
    world.after(3.9)
    assert world.set_of("blue").spec.replicas == 2
    world.after(1.1)
    old = world.set_of("blue")
    assert (old.spec.replicas, SCALE_DOWN_DEADLINE in old.metadata.annotations) == (0, False)
    assert world.rollout.status.phase == "Healthy"


def test_the_stable_service_moves_before_the_canary_gives_its_traffic_back():
    """Otherwise all traffic would briefly return to the old version."""
    world = routed(steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.writes.clear()
    world.settle()
    ingress_writes = [i for i, w in enumerate(world.writes) if w.endswith("web-web-canary")]
    service_write = world.writes.index("patch Service web")
    assert ingress_writes[0] < service_write < ingress_writes[1]
    assert "status" in world.writes[service_write : ingress_writes[1]], "a pass of its own sees that it has moved"


def test_an_abort_takes_traffic_back_in_one_write_each_and_the_pods_after_the_delay():
    world = routed(abortScaleDownDelaySeconds=8)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.writes.clear()
    world.settle()
    assert (world.weight, world.selected("web-canary"), world.rollout.status.phase) == (0, BLUE, "Degraded")
    assert world.writes == [
        "patch Ingress web-web-canary",
        "patch Service web-canary",
        "status",
        "patch ReplicaSet web-77f97bbcbf",
    ]
    assert world.set_of("green").spec.replicas == 1
    world.after(9)
    assert world.set_of("green").spec.replicas == 0
    assert "Rollout aborted update to revision 2" in [e.message for e in world.told]


def test_retry_starts_from_the_first_step():
    world = routed(abortScaleDownDelaySeconds=8)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.after(9)
    world.patch("Rollout", "web", {"status": {"abort": False}})
    world.settle()
    status = world.rollout.status
    assert (world.weight, status.current_step_index, status.phase, status.aborted_at) == (20, 1, "Paused", None)
    assert SCALE_DOWN_DEADLINE not in world.set_of("green").metadata.annotations


def test_full_promotion_lets_the_weight_follow_the_ready_pods():
    world = routed(replicas=4)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    world.once()
    assert world.weight == 25, "one of four pods carries a quarter"
    world.settle()
    assert (world.rollout.status.stable_rs, world.rollout.status.promote_full) == (GREEN, False)


def test_going_back_to_the_stable_version_is_healthy_only_with_all_traffic_there():
    world = routed()
    release(world, "green")
    world.settle()
    release(world, "blue")
    world.once()
    assert world.weight == 0
    world.settle()
    assert (world.rollout.status.phase, world.rollout.status.stable_rs) == ("Healthy", BLUE)
    assert "SkipSteps" in reasons(world)


def test_a_third_revision_gets_nothing_of_the_second_ones_traffic():
    world = routed()
    release(world, "green")
    world.settle()
    release(world, "red")
    world.once()
    assert world.weight == 0
    assert world.set_of("green").spec.replicas == 1, "the Service still leads there"
    world.settle()
    assert (world.weight, world.selected("web-canary")) == (20, RED)


@pytest.mark.parametrize(
    ("gone", "text"),
    [
        ("Service/web", 'service "web" not found'),
        ("Service/web-canary", 'service "web-canary" not found'),
        ("Ingress/web", 'ingress.networking.k8s.io "web" not found'),
    ],
)
def test_what_is_missing_is_named_and_healed_when_it_appears(gone: str, text: str):
    kind, name = gone.split("/")
    world = World(
        *(
            o
            for o in (service("web"), service("web-canary"), ingress(), rollout())
            if (o["kind"], o["metadata"]["name"]) != (kind, name)
        )
    )
    world.settle()
    assert world.rollout.status.phase == "Degraded"
    assert text in world.rollout.status.message
    assert not world.of("ReplicaSet")
    world.add(service(name) if kind == "Service" else ingress())
    world.settle()
    assert world.rollout.status.phase == "Healthy"
    assert "InvalidSpec" not in [c.type for c in world.rollout.status.conditions]


def test_a_settled_rollout_is_left_alone():
    world = routed()
    plan = world.once()
    assert (plan.actions, plan.status, plan.requeue_at) == ((), None, None)


def test_metadata_follows_the_role_through_the_promotion():
    world = routed(
        steps=[{"setWeight": 50}, {"pause": {}}],
        canaryMetadata={"labels": {"role": "canary"}, "annotations": {"note": "c"}},
        stableMetadata={"labels": {"role": "stable"}},
    )
    release(world, "green")
    world.settle()
    labels = {i: world.set_of(i).spec.template["metadata"]["labels"].get("role") for i in ("blue", "green")}
    assert labels == {"blue": "stable", "green": "canary"}
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    meta = world.set_of("green").spec.template["metadata"]
    assert (meta["labels"]["role"], meta.get("annotations", {})) == ("stable", {})
    assert world.set_of("green").metadata.labels[HASH] == GREEN, "no new revision"


def test_spec_paused_holds_sizes_and_steps():
    world = routed()
    world.patch("Rollout", "web", {"spec": {"paused": True}})
    release(world, "green")
    world.settle()
    assert (world.set_of("green").spec.replicas, world.rollout.status.phase, world.rollout.status.message) == (
        0,
        "Paused",
        "manually paused",
    )
    world.patch("Rollout", "web", {"spec": {"paused": False}})
    world.settle()
    assert world.weight == 20


def test_an_update_that_makes_no_progress_times_out():
    world = routed()
    world.patch("Rollout", "web", {"spec": {"progressDeadlineSeconds": 20}})
    release(world, "green")
    world.settle(ready=False)
    world.now += 25
    world.settle(ready=False)
    assert (
        world.rollout.status.message
        == 'ProgressDeadlineExceeded: ReplicaSet "web-77f97bbcbf" has timed out progressing.'
    )


def test_pods_alone_divide_the_traffic_without_a_router():
    world = World(
        rollout(
            replicas=4,
            steps=[{"setWeight": 25}, {"pause": {}}],
            trafficRouting=None,
            canaryService="",
            stableService="",
            scaleDownDelaySeconds=None,
        )
    )
    world.settle()
    release(world, "green")
    world.settle()
    assert (world.set_of("green").spec.replicas, world.set_of("blue").spec.replicas) == (1, 3)
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    assert (world.set_of("green").spec.replicas, world.set_of("blue").spec.replicas, world.rollout.status.phase) == (
        4,
        0,
        "Healthy",
    )


def test_an_update_that_makes_no_progress_is_taken_back_when_that_was_asked():
    world = routed(abortScaleDownDelaySeconds=8)
    world.patch("Rollout", "web", {"spec": {"progressDeadlineSeconds": 20, "progressDeadlineAbort": True}})
    release(world, "green")
    world.settle(ready=False)
    world.now += 25
    world.settle(ready=False)
    text = 'Rollout aborted update to revision 2: ReplicaSet "web-77f97bbcbf" has timed out progressing.'
    assert world.rollout.status.message == f"RolloutAborted: {text}"
    world.now += 9
    world.settle(ready=False)
    assert world.set_of("green").spec.replicas == 0


@pytest.mark.parametrize(
    "router",
    [{"plugins": {"a/b": {}}}, {"plugins": {"example.com/mesh": {"virtualService": {"name": "web"}}}}],
    ids=lambda router: next(iter(router["plugins"])),
)
def test_a_router_that_is_not_there_is_told_before_the_objects_that_it_names(router: dict[str, Any]):
    """The planner does not read its objects, so "not found" would be wrong for one that exists."""
    world = routed()
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"trafficRouting": {"nginx": None, **router}}}}})
    world.settle()
    message = world.rollout.status.message
    assert f"trafficRouting.{next(iter(router))}" in message
    assert "this version of Serinus has no such router" in message
    assert "not found" not in message


def test_a_router_that_is_not_there_is_named_and_nothing_is_released_without_it():
    """Without a writer of the weight, the new version would go to all users."""
    world = routed()
    world.patch(
        "Rollout",
        "web",
        {"spec": {"strategy": {"canary": {"trafficRouting": {"nginx": None, "plugins": {"a/b": {}}}}}}},
    )
    release(world, "green")
    world.settle()
    assert "trafficRouting.plugins.a/b: this version of Serinus has no such router" in world.rollout.status.message
    assert list(world.of("ReplicaSet")) == [f"web-{BLUE}"]


def test_a_version_that_never_served_goes_at_once_when_a_newer_one_comes():
    world = routed()
    release(world, "broken")
    world.settle(ready=False)
    assert world.set_of("broken").spec.replicas == 1
    release(world, "green")
    world.settle(ready=False)  # no time passes
    assert world.set_of("broken").spec.replicas == 0


def test_an_update_after_an_aborted_one_that_is_gone_still_times_out():
    world = routed(abortScaleDownDelaySeconds=4)
    release(world, "red")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    world.after(10)
    assert world.set_of("red").spec.replicas == 0
    release(world, "broken")
    world.settle(ready=False)
    world.now += 700
    world.settle(ready=False)
    assert world.rollout.status.message.startswith("ProgressDeadlineExceeded: ")


def test_a_third_revision_does_not_inherit_the_weight_of_the_second_with_its_first_pod():
    """Found by the simulation (11660): with dynamicStableScale the weight stays until the stable version has grown."""
    steps = [{"setWeight": 50}, {"pause": {}}]
    world = routed(replicas=10, steps=steps, dynamicStableScale=True, scaleDownDelaySeconds=None)
    release(world, "green")
    world.settle()
    world.after(10)
    assert (world.weight, world.set_of("blue").spec.replicas) == (50, 5)
    release(world, "red")
    for _ in range(4):
        world.once()
    red = world.objects["ReplicaSet", world.set_of("red").metadata.name]
    red["status"] = {"replicas": red["spec"]["replicas"], "readyReplicas": 1, "availableReplicas": 1}
    for _ in range(3):
        world.once()
    carried = 10 if world.selected("web-canary") == world.set_of("red").metadata.labels[HASH] else 50
    assert (world.weight or 0) <= carried


def test_a_weight_that_falls_while_all_is_paused_is_written_once():
    """Found by the simulation (43682): with its pods kept, it alternated as fast as the API answered."""
    world = routed(replicas=10, steps=[{"setWeight": 33}, {"setWeight": 10}, {"pause": {}}])
    release(world, "green")
    for _ in range(3):
        world.once()
        world.pods()
    while (world.rollout.status.current_step_index or 0) < 1:
        world.once()
        world.pods()
    world.patch("Rollout", "web", {"spec": {"paused": True}})
    world.settle()
    weight = world.weight
    world.settle()
    assert (world.weight, world.once().actions) == (weight, ())


def test_a_weight_that_the_status_was_not_told_of_is_taken_back_before_its_service_moves() -> None:
    """Found by the simulation (3256): the weight was written, its status was not, and a new version appeared at once."""
    world = routed(replicas=7, steps=[{"setWeight": 33}, {"pause": {}}])
    release(world, "green")
    world.settle()
    assert world.weight == 33
    told = {"canary": {"weights": {"canary": {"weight": 0}, "stable": {"weight": 100}}}, "currentStepIndex": 0}
    world.patch("Rollout", "web", {"status": {**told, "pauseConditions": None, "controllerPause": None}})
    name = next(n for kind, n in world.objects if kind == "Ingress" and n.endswith("canary"))
    written = world.objects["Ingress", name]["metadata"]["annotations"]
    release(world, "red")
    world.once()
    world.objects["Ingress", name]["metadata"]["annotations"] = written  # that write failed
    red = world.objects["ReplicaSet", world.set_of("red").metadata.name]
    red["status"] = {"replicas": 3, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}
    kinds = [action.kind for action in world.plan().actions]
    assert kinds.index("Ingress") < kinds.index("Service")


def test_a_canary_service_stays_while_the_weight_that_leads_there_is_not_known() -> None:
    """Found by the simulation (12016): 100 % was written while the first version came up, and the status did not have it."""
    world = routed(replicas=5, steps=[{"setWeight": 100}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"canary": {"weights": None}}})
    blue = world.objects["ReplicaSet", world.set_of("blue").metadata.name]
    blue["status"].update(readyReplicas=1, availableReplicas=1)
    release(world, "red")
    world.once()
    red = world.objects["ReplicaSet", world.set_of("red").metadata.name]
    red["status"] = {"replicas": 5, "readyReplicas": 3, "availableReplicas": 3, "observedGeneration": 1}
    world.once()
    assert (world.weight, world.selected("web-canary")) == (100, GREEN)
    red["status"].update(readyReplicas=5, availableReplicas=5)
    world.settle()
    assert (world.weight, world.selected("web-canary")) == (100, RED)
