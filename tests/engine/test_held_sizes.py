"""Sizes follow spec.replicas in every waiting state of a Rollout, in the proportions of its current step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.names import DESIRED_REPLICAS, HASH
from tests.support.engine.judged import CHECK, METRIC, template
from tests.support.engine.world import World, ingress, release, rollout, service
from tests.support.long import crossed

Json = dict[str, Any]
Harm = Callable[[World], None]
STEPS: list[Json] = [{"setWeight": 50}, {"pause": {}}, {"analysis": CHECK}]
NOT_MINE = {"ownerReferences": [{"kind": "Shop", "name": "mine", "uid": "x", "controller": True}]}


def blue_green(**options: Any) -> Json:
    made = rollout(replicas=4)
    services = {"activeService": "web", "previewService": "web-canary", "autoPromotionEnabled": False}
    made["spec"]["strategy"] = {"blueGreen": {**services, "prePromotionAnalysis": CHECK, **options}}
    return made


STRATEGIES: dict[str, Json] = {
    "a router": rollout(replicas=4, steps=STEPS),
    "dynamicStableScale": rollout(replicas=4, steps=STEPS, dynamicStableScale=True, scaleDownDelaySeconds=None),
    "pods alone": rollout(replicas=4, steps=STEPS, trafficRouting=None, scaleDownDelaySeconds=None),
    "blue-green": blue_green(),
}
AT_THE_GATE: dict[str, Callable[[int], tuple[int, int]]] = {
    "a router": lambda n: (n // 2, n),
    "dynamicStableScale": lambda n: (n // 2, n // 2),
    "pods alone": lambda n: (n // 2, n // 2),
    "blue-green": lambda n: (n, n),
}
"""Replicas → (new, stable) pods."""


def spec(**fields: Any) -> Harm:
    return lambda world: world.patch("Rollout", "web", {"spec": fields})


def status(**fields: Any) -> Harm:
    return lambda world: world.patch("Rollout", "web", {"status": fields})


def gone(kind: str, name: str) -> Harm:
    def harm(world: World) -> None:
        world.objects.pop((kind, name), None)

    return harm


def unusable(world: World) -> None:
    world.objects["AnalysisTemplate", "check"]["spec"]["metrics"] = [{**METRIC, "inconclusiveLimit": 5}]


def bad_steps(world: World) -> None:
    if "canary" in world.objects["Rollout", "web"]["spec"]["strategy"]:
        world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 120}]}}}})
    else:
        world.patch("Rollout", "web", {"spec": {"strategy": {"blueGreen": {"maxUnavailable": "x"}}}})


def without_ingress(world: World) -> None:
    """Of a Rollout that names none, its Service."""
    canary: Json = world.objects["Rollout", "web"]["spec"]["strategy"].get("canary") or {}
    world.objects.pop(("Ingress", "web") if canary.get("trafficRouting") else ("Service", "web"))


def bad_template(world: World) -> None:
    world.patch("Rollout", "web", {"spec": {"template": {"spec": {"restartPolicy": "Never"}}}})


def refused(world: World) -> None:
    if ("Ingress", "web-web-canary") in world.objects:
        world.patch("Ingress", "web-web-canary", {"metadata": NOT_MINE})


def undecided(world: World) -> None:
    begun = [{"reason": "InconclusiveAnalysisRun", "startTime": "2027-01-15T08:00:00Z"}]
    world.patch("Rollout", "web", {"status": {"pauseConditions": begun, "controllerPause": True}})


HARMS: dict[str, Harm] = {
    "nothing is wrong": lambda world: None,
    "paused by hand": spec(paused=True),
    "undecided": undecided,
    "a template of an analysis is gone": gone("AnalysisTemplate", "check"),
    "a template of an analysis cannot be used": unusable,
    "steps are wrong": bad_steps,
    "the pod template is wrong": bad_template,
    "the selector is gone": spec(selector=None),
    "no strategy": lambda world: world.patch("Rollout", "web", {"spec": {"minReadySeconds": -1}}),
    "a Service is gone": gone("Service", "web-canary"),
    "the Ingress is gone": without_ingress,
    "the router refuses": refused,
    "a workload is missing": spec(
        template=None, workloadRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "nothing"}
    ),
}


def settled_at_blue(strategy: str) -> World:
    made = copy.deepcopy(STRATEGIES[strategy])
    world = World(*(service(n) for n in ("web", "web-canary")), ingress(), template(), made)
    world.settle()
    assert world.rollout.status.phase == "Healthy"
    return world


def at_the_gate(strategy: str) -> World:
    world = settled_at_blue(strategy)
    release(world, "green")
    world.settle()
    for name in world.of("AnalysisRun"):
        world.patch("AnalysisRun", name, {"status": {"phase": "Successful"}})
    world.after(5)
    assert world.rollout.status.phase == "Paused"
    assert sizes(world) == AT_THE_GATE[strategy](4)
    return world


def sizes(world: World) -> tuple[int, int]:
    return world.set_of("green").spec.replicas, world.set_of("blue").spec.replicas


def scaled(world: World, replicas: int) -> None:
    world.patch("Rollout", "web", {"spec": {"replicas": replicas}})
    for _ in range(3):
        world.after(3)


def shares(world: World) -> tuple[int | None, str, str, int | None]:
    led = [world.selected(n) if ("Service", n) in world.objects else "" for n in ("web", "web-canary")]
    return world.weight, led[0], led[1], world.rollout.status.current_step_index


@pytest.mark.parametrize(("strategy", "harm"), crossed(STRATEGIES, HARMS))
def test_a_version_that_serves_has_the_pods_that_are_wanted(strategy: str, harm: str):
    world = settled_at_blue(strategy)
    HARMS[harm](world)
    world.after(5)
    before = shares(world)
    for replicas in (8, 2, 1, 6, 0, 4):
        scaled(world, replicas)
        assert world.set_of("blue").spec.replicas == replicas
        assert world.rollout.status.hpa_replicas == replicas, "autoscalers read it"
        assert shares(world) == before


@pytest.mark.parametrize(("strategy", "harm", "size"), crossed(STRATEGIES, HARMS, [0, 2, 6]))
def test_a_version_that_serves_alone_gets_its_size_back_when_another_writer_scales_it(
    strategy: str, harm: str, size: int
):
    """Too few pods carry all the traffic, and nothing else would correct it for as long as the Rollout waits."""
    world = settled_at_blue(strategy)
    HARMS[harm](world)
    world.after(3)
    world.patch("ReplicaSet", world.set_of("blue").metadata.name, {"spec": {"replicas": size}})
    for _ in range(3):
        world.after(3)
    assert world.set_of("blue").spec.replicas == 4


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("strategy", ["a router", "blue-green"])
def test_a_stable_version_that_is_kept_whole_gets_its_size_back_at_the_gate(strategy: str, harm: str):
    world = at_the_gate(strategy)
    HARMS[harm](world)
    world.after(3)
    world.patch("ReplicaSet", world.set_of("blue").metadata.name, {"spec": {"replicas": 2}})
    for _ in range(3):
        world.after(3)
    assert sizes(world) == AT_THE_GATE[strategy](4)


@pytest.mark.parametrize(("strategy", "harm"), crossed(STRATEGIES, HARMS))
def test_an_update_that_is_held_keeps_its_proportions(strategy: str, harm: str):
    world = at_the_gate(strategy)
    HARMS[harm](world)
    world.after(5)
    before = shares(world)
    # Without pods the weight falls, and dynamicStableScale gives the stable version more; without steps nothing records
    # how pods alone divided the traffic.
    forgets = strategy == "dynamicStableScale" or (harm == "steps are wrong" and strategy == "pods alone")
    for replicas in (8, 2, 6, 4, 10, 4) if forgets else (8, 2, 0, 6, 4, 10, 4):
        scaled(world, replicas)
        assert sizes(world) == AT_THE_GATE[strategy](replicas)
        if replicas:
            assert shares(world) == before
    assert len(world.of("ReplicaSet")) == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sizes_follow_although_another_writer_removed_their_record(strategy: str):
    world = at_the_gate(strategy)
    HARMS["paused by hand"](world)
    world.after(5)
    for name in world.of("ReplicaSet"):
        world.patch("ReplicaSet", name, {"metadata": {"annotations": {DESIRED_REPLICAS: None}}})
    world.after(5)
    scaled(world, 8)
    assert sizes(world) == AT_THE_GATE[strategy](8)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_size_without_a_record_follows_together_with_the_others(strategy: str):
    world = at_the_gate(strategy)
    HARMS["paused by hand"](world)
    world.after(5)
    name = world.set_of("green").metadata.name
    world.patch("ReplicaSet", name, {"metadata": {"annotations": {DESIRED_REPLICAS: None}}})
    scaled(world, 8)
    assert sizes(world) == AT_THE_GATE[strategy](8)


@pytest.mark.parametrize("harm", [h for h in HARMS if h not in ("nothing is wrong", "undecided", "the router refuses")])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_update_that_cannot_begin_leaves_the_version_that_serves_its_size(strategy: str, harm: str):
    world = settled_at_blue(strategy)
    HARMS[harm](world)
    if "template" in world.objects["Rollout", "web"]["spec"]:
        release(world, "green")
    world.after(5)
    before = shares(world)[:3]
    for replicas in (8, 2, 4):
        scaled(world, replicas)
        assert world.set_of("blue").spec.replicas == replicas
        assert shares(world)[:3] == before
    assert world.rollout.status.phase in ("Degraded", "Paused")


@pytest.mark.parametrize("harm", ["paused by hand", "a template of an analysis is gone", "a Service is gone"])
@pytest.mark.parametrize("strategy", ["a router", "pods alone"])
def test_scaling_does_not_complete_an_update_that_is_held_between_two_steps(strategy: str, harm: str):
    """3 of 10 pods are new when it is held: fewer and more replicas do not make that 10 of 10."""
    made = copy.deepcopy(STRATEGIES[strategy])
    made["spec"]["replicas"] = 10
    made["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": 30}, {"pause": {}}]
    made["spec"]["strategy"]["canary"]["analysis"] = CHECK
    world = World(*(service(n) for n in ("web", "web-canary")), ingress(), template(), made)
    world.settle()
    release(world, "green")
    world.settle()
    assert world.set_of("green").spec.replicas == 3
    world.patch(
        "Rollout", "web", {"status": {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}}
    )
    HARMS[harm](world)
    world.settle()
    for replicas in (5, 1, 10, 3, 10, 1, 20):
        scaled(world, replicas)
        new, stable = sizes(world)
        assert new <= -(-3 * replicas // 10), (replicas, new, stable)
        assert stable == replicas if strategy == "a router" else replicas <= new + stable <= replicas + 1
    assert world.rollout.status.stable_rs == world.set_of("blue").metadata.labels[HASH]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_aborted_while_its_analysis_cannot_be_found_is_taken_back(strategy: str):
    world = at_the_gate(strategy)
    gone("AnalysisTemplate", "check")(world)
    world.after(5)
    status(abort=True)(world)
    for _ in range(4):
        world.after(20)
    assert (world.set_of("green").spec.replicas, world.set_of("blue").spec.replicas) == (0, 4)
    assert world.weight in (None, 0)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("harm", ["a template of an analysis is gone", "a template of an analysis cannot be used"])
def test_the_first_version_does_not_need_what_only_updates_need(strategy: str, harm: str):
    world = World(
        *(service(n) for n in ("web", "web-canary")), ingress(), template(), copy.deepcopy(STRATEGIES[strategy])
    )
    HARMS[harm](world)
    world.settle()
    blue = world.set_of("blue").metadata.labels[HASH]
    assert (world.set_of("blue").spec.replicas, world.rollout.status.stable_rs) == (4, blue)
    assert world.selected("web") == blue
    told = "not found" in world.rollout.status.message
    assert (world.rollout.status.phase, told) == (("Degraded", True) if "gone" in harm else ("Healthy", False))
    release(world, "green")
    world.settle()
    assert world.rollout.status.phase == "Degraded"
    assert "check" in world.rollout.status.message
    assert len(world.of("ReplicaSet")) == 1
    world.objects["AnalysisTemplate", "check"] = template()
    world.objects["AnalysisTemplate", "check"]["metadata"]["resourceVersion"] = "mended"
    world.settle()
    assert len(world.of("ReplicaSet")) == 2
    assert world.rollout.status.phase != "Degraded"


def test_the_first_version_does_not_need_steps_that_are_right():
    world = World(
        *(service(n) for n in ("web", "web-canary")), ingress(), template(), rollout(steps=[{"setWeight": 120}])
    )
    world.settle()
    assert world.set_of("blue").spec.replicas == 2
    assert "SetWeight needs to be between 0 and 100" in world.rollout.status.message
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"steps": STEPS}}}})
    world.settle()
    assert world.rollout.status.phase == "Healthy"


def test_a_rollout_that_is_paused_from_the_beginning_has_no_pods_until_it_is_resumed():
    made = rollout()
    made["spec"]["paused"] = True
    world = World(*(service(n) for n in ("web", "web-canary")), ingress(), made)
    world.settle()
    assert world.set_of("blue").spec.replicas == 0


def test_what_was_active_before_it_was_replaced_follows_the_replicas_while_it_serves():
    """Blue-green: green is active and still judged after the switch while red is released."""
    made = blue_green(prePromotionAnalysis=None, autoPromotionEnabled=True, postPromotionAnalysis=CHECK)
    world = World(*(service(n) for n in ("web", "web-canary")), ingress(), template(), made)
    world.settle()
    release(world, "green")
    world.settle()
    green = world.set_of("green").metadata.labels[HASH]
    assert world.selected("web") == green
    world.patch("Rollout", "web", {"spec": {"strategy": {"blueGreen": {"autoPromotionEnabled": False}}}})
    release(world, "red")
    world.settle()
    assert world.selected("web") == green
    scaled(world, 8)
    assert world.set_of("green").spec.replicas == 8


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_version_whose_weight_the_status_has_not_heard_of_keeps_its_pod(dynamic: bool):
    """The write of the status was lost, the one of the Ingress was not: requests go there."""
    options: dict[str, Any] = {"dynamicStableScale": True, "scaleDownDelaySeconds": None} if dynamic else {}
    made = rollout(replicas=7, steps=[{"setWeight": 5}, {"pause": {}}], **options)
    world = World(*(service(n) for n in ("web", "web-canary")), ingress(), made)
    world.settle()
    before = world.rollout.status
    release(world, "green")
    world.settle()
    assert (world.weight, world.set_of("green").spec.replicas) == (5, 1)
    weights = world.objects["Rollout", "web"]["status"]["canary"]["weights"]
    weights["canary"]["weight"], weights["stable"]["weight"] = 0, 100
    world.patch("Rollout", "web", {"spec": {"paused": True, "replicas": 3}, "status": {"currentStepIndex": 0}})
    for _ in range(3):
        world.after(3)
    assert before.stable_rs == world.rollout.status.stable_rs
    assert world.set_of("green").spec.replicas == 1
