"""A referenced object is missing, invalid or half deleted: the status reports it, nothing is harmed, and a fix resumes the Rollout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.names import HASH, MANAGED_BY
from tests.support.engine.world import World, ingress, release, rollout, routed, service

Json = dict[str, Any]
INVALID = 'InvalidSpec: The Rollout "web" is invalid: spec.strategy.'


def mid_canary() -> World:
    world = routed()
    release(world, "green")
    world.settle()
    world.writes.clear()
    return world


def gone(kind: str, name: str) -> Callable[[World], None]:
    def harm(world: World) -> None:
        del world.objects[kind, name]

    return harm


def changed(kind: str, name: str, patch: Json) -> Callable[[World], None]:
    return lambda world: world.patch(kind, name, patch)


OTHER: Json = {"backend": {"service": {"name": "other", "port": {"number": 80}}}, "path": "/", "pathType": "Prefix"}
CASES: list[tuple[Callable[[World], None], str]] = [
    (gone("Service", "web"), 'canary.stableService: Invalid value: "web": service "web" not found'),
    (
        gone("Service", "web-canary"),
        'canary.canaryService: Invalid value: "web-canary": service "web-canary" not found',
    ),
    (
        gone("Ingress", "web"),
        'canary.trafficRouting.nginx.stableIngress: Invalid value: "web": ingress.networking.k8s.io "web" not found',
    ),
    (
        changed("Ingress", "web", {"spec": {"rules": []}}),
        'canary.trafficRouting.nginx.stableIngress: Invalid value: "web": '
        "ingress `web` has no rules using service web backend",
    ),
    (
        changed("Ingress", "web", {"spec": {"rules": [{"http": {"paths": [OTHER]}}, {"host": "bare.test"}]}}),
        'canary.trafficRouting.nginx.stableIngress: Invalid value: "web": '
        "ingress `web` has no rules using service web backend",
    ),
    (
        changed("Service", "web-canary", {"metadata": {"annotations": {MANAGED_BY: "shop"}}}),
        'canary.canaryService: Invalid value: "web-canary": Service "web-canary" is managed by another Rollout: shop '
        f"(annotation {MANAGED_BY})",
    ),
    (
        changed("Service", "web", {"spec": {"selector": {"tier": "front"}}}),
        'canary.stableService: Invalid value: "web": Service "web" has unmatch label "tier" in rollout',
    ),
    (
        changed(
            "Ingress",
            "web-web-canary",
            {"metadata": {"ownerReferences": [{"kind": "Shop", "name": "mine", "uid": "x", "controller": True}]}},
        ),
        "canary.trafficRouting: canary ingress `web-web-canary` controlled by different object: Ingress web-web-canary, "
        "which Shop mine controls, has the name of the Ingress that this Rollout needs; delete it, or give the Rollout "
        "another name",
    ),
]


@pytest.mark.parametrize(("harm", "text"), CASES)
def test_what_is_wrong_is_said_nothing_is_touched_and_it_goes_on_when_it_is_mended(
    harm: Callable[[World], None], text: str
):
    """In the middle of a canary: pods, selectors and weights do not change, even while a user promotes."""
    world = mid_canary()
    before = dict(world.objects)
    harm(world)
    harmed = {k: v for k, v in world.objects.items() if k[0] != "Rollout"}
    world.settle()
    assert (world.rollout.status.phase, world.rollout.status.message) == ("Degraded", f"{INVALID}{text}")
    world.after(100)
    assert {k: v for k, v in world.objects.items() if k[0] != "Rollout"} == harmed
    assert set(world.writes) == {"status"}
    for key, obj in before.items():
        if key[0] != "Rollout":
            world.objects[key] = obj
    world.settle()
    status = world.rollout.status
    assert (status.phase, status.message, world.weight) == ("Paused", "CanaryPauseStep", 20)
    assert "InvalidSpec" not in [c.type for c in status.conditions]
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    for _ in range(3):
        world.after(5)
    assert world.rollout.status.phase == "Healthy"


def test_a_first_deployment_waits_for_each_missing_part_and_then_runs():
    """`kubectl apply` of a folder sends its files in the order of their names."""
    world = World(rollout())
    said: list[str] = []
    for part in (service("web"), service("web-canary"), ingress()):
        world.settle()
        said.append(world.rollout.status.message.rpartition("Invalid value: ")[2])
        world.add(part)
    assert [text.partition(": ")[2] for text in said] == [
        'service "web" not found',
        'service "web-canary" not found',
        'ingress.networking.k8s.io "web" not found',
    ]
    assert world.of("ReplicaSet") == {}
    world.settle()
    assert (world.rollout.status.phase, world.weight) == ("Healthy", 0)


def test_a_foreign_ingress_of_the_canarys_name_is_not_taken_and_the_first_version_serves_all_the_same():
    theirs: Json = {**ingress(), "metadata": {"name": "web-web-canary"}}
    world = World(service("web"), service("web-canary"), ingress(), theirs, rollout())
    kept = dict(world.objects["Ingress", "web-web-canary"])
    world.settle()
    assert "which no Rollout made" in world.rollout.status.message
    assert (world.objects["Ingress", "web-web-canary"], world.selected("web")) == (kept, "68fb5766d6")
    assert world.set_of("blue").spec.replicas == 2
    world.objects.pop(("Ingress", "web-web-canary"))
    world.settle()
    assert world.rollout.status.phase == "Healthy"


def test_the_canary_ingress_that_an_orphaning_delete_left_is_taken_over():
    world = routed()
    for kind, name in (("Ingress", "web-web-canary"), ("ReplicaSet", "web-68fb5766d6")):
        world.objects[kind, name]["metadata"].pop("ownerReferences")
    world.add(rollout())
    world.settle()
    assert world.rollout.status.phase == "Healthy"
    owners = world.of("Ingress")["web-web-canary"].metadata.owner_references
    assert [(o.kind, o.uid) for o in owners] == [("Rollout", world.rollout.metadata.uid)]


@pytest.mark.parametrize("kind", ["Deployment", "PodTemplate"])
def test_a_workload_that_is_missing_is_named_and_its_pods_stay_when_it_goes(kind: str):
    obj = rollout()
    template = obj["spec"].pop("template")
    version = "apps/v1" if kind == "Deployment" else "v1"
    obj["spec"]["workloadRef"] = {"apiVersion": version, "kind": kind, "name": "web"}
    world = World(service("web"), service("web-canary"), ingress(), obj)
    world.settle()
    plural = "deployments.apps" if kind == "Deployment" else "podtemplates"
    text = f'InvalidSpec: The Rollout "web" is invalid: {plural} "default/web" not found'
    assert world.rollout.status.message == text
    if kind == "PodTemplate":
        return
    work: Json = {"kind": kind, "metadata": {"name": "web"}, "spec": {"replicas": 0, "template": template}}
    world.add(work)
    world.settle()
    assert world.rollout.status.phase == "Healthy"
    world.objects.pop((kind, "web"))
    world.writes.clear()
    world.settle()
    assert (world.rollout.status.message, set(world.writes)) == (text, {"status"})
    assert world.set_of("blue").spec.replicas == 2


def test_a_canary_replica_set_that_is_being_deleted_gets_no_traffic_and_is_made_anew_when_it_is_gone():
    world = mid_canary()
    name = world.set_of("green").metadata.name
    world.patch("ReplicaSet", name, {"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}})
    world.settle()
    assert (world.weight, world.selected("web")) == (0, "68fb5766d6")
    assert f"ReplicaSet {name} is being deleted: it is made anew when it is gone" in [
        w.message for w in world.last.waits
    ]
    world.objects.pop(("ReplicaSet", name))
    world.settle()
    assert (world.weight, world.rollout.status.phase) == (20, "Paused")
    assert world.set_of("green").metadata.labels[HASH] == "77f97bbcbf"


def test_a_stable_replica_set_that_is_being_deleted_is_left_to_it_and_the_service_stays_until_pods_serve_anew():
    """No other version can serve meanwhile: its pods serve for as long as they exist."""
    world = routed()
    name = world.set_of("blue").metadata.name
    world.patch("ReplicaSet", name, {"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}})
    world.writes.clear()
    world.settle()
    assert not [w for w in world.writes if name in w or "Service" in w]
    world.objects.pop(("ReplicaSet", name))
    world.settle()
    assert (world.rollout.status.phase, world.selected("web")) == ("Healthy", "68fb5766d6")
    assert world.set_of("blue").spec.replicas == 2


@pytest.mark.parametrize("status", [{}, {"abort": True}], ids=["at a pause", "aborted"])
def test_when_somebody_deletes_the_stable_replica_set_the_only_pods_that_are_left_serve(status: Json):
    """Its template is gone with it: only the other version exists, and the status gives the fact and the reason."""
    world = mid_canary()
    world.patch("Rollout", "web", {"status": status})
    world.settle()
    green = world.set_of("green").metadata.labels[HASH]
    del world.objects["ReplicaSet", world.set_of("blue").metadata.name]
    world.once()
    assert world.selected("web") == green, "at once: nothing else has pods"
    world.settle()
    assert (world.rollout.status.stable_rs, world.rollout.status.phase, world.weight) == (green, "Healthy", 0)
    assert world.set_of("green").spec.replicas == 2
    told = [e.message for e in world.told if e.reason == "RolloutCompleted"][-1]
    assert told == f"Rollout completed update to revision 2 ({green}): Stable ReplicaSet is gone"
