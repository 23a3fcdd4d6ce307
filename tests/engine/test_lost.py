"""ReplicaSets that a user deletes: the remaining versions take over, and no Rollout waits for a lost object."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH
from tests.support.engine.blue_green import blue_green
from tests.support.engine.restarts import basic
from tests.support.engine.world import World, ingress, release, rollout, routed, service

DYNAMIC: dict[str, Any] = {"dynamicStableScale": True, "scaleDownDelaySeconds": None}


def delete(world: World, image: str) -> None:
    del world.objects["ReplicaSet", world.set_of(image).metadata.name]


@pytest.mark.parametrize("aborted", [False, True])
def test_a_canary_takes_over_when_the_stable_version_is_deleted(aborted: bool):
    world = routed()
    release(world, "green")
    world.settle()
    if aborted:
        world.patch("Rollout", "web", {"status": {"abort": True}})
    delete(world, "blue")
    world.settle()
    green = world.set_of("green")
    assert (green.spec.replicas, world.rollout.status.phase, world.weight) == (2, "Healthy", 0)
    assert world.selected("web") == green.metadata.labels[HASH]


def test_a_blue_green_update_takes_over_when_the_active_version_is_deleted():
    world = blue_green(autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    delete(world, "blue")
    world.settle()
    green = world.set_of("green").metadata.labels[HASH]
    assert (world.selected("web"), world.rollout.status.phase) == (green, "Healthy")


def test_a_deleted_canary_is_made_again_and_gets_its_weight_back():
    world = routed()
    release(world, "green")
    world.settle()
    delete(world, "green")
    world.once()
    assert world.weight == 0, "nothing answers there"
    world.settle()
    assert (world.set_of("green").spec.replicas, world.weight, world.rollout.status.phase) == (1, 20, "Paused")


def test_a_superseded_canary_keeps_its_share_while_the_stable_version_has_no_pod():
    """Found by the simulation (26659): all traffic went to a stable version without pods."""
    world = routed(replicas=5, steps=[{"setWeight": 40}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.objects["ReplicaSet", world.set_of("blue").metadata.name]["status"].update(
        readyReplicas=0, availableReplicas=0
    )
    release(world, "red")
    world.once()
    world.once()
    assert (world.weight, world.selected("web-canary")) == (40, world.set_of("green").metadata.labels[HASH])
    world.settle()
    assert world.selected("web-canary") == world.set_of("red").metadata.labels[HASH]


def test_a_canary_keeps_all_requests_until_the_stable_service_leads_to_a_pod():
    """Found by the simulation (18690): scaled to none and back, its Service still selected the version before."""
    world = routed(replicas=2, steps=[{"setWeight": 75}, {"pause": {}}])
    release(world, "green")
    world.settle()
    old = {**world.objects["ReplicaSet", world.set_of("blue").metadata.name]}
    name, hash_ = "web-old", "0ld"
    old["metadata"] = {
        **old["metadata"],
        "name": name,
        "uid": "old",
        "labels": {**old["metadata"]["labels"], HASH: hash_},
    }
    old["spec"] = {**old["spec"], "replicas": 0}
    old["status"] = {"observedGeneration": 1}
    world.objects["ReplicaSet", name] = old
    world.objects["Service", "web"]["spec"]["selector"][HASH] = hash_
    release(world, "red")
    world.once()
    assert (world.weight, world.selected("web")) == (75, world.set_of("blue").metadata.labels[HASH])
    world.once()
    assert world.weight == 0


def test_a_full_promotion_before_the_first_version_served_in_full_takes_nothing_from_it():
    """Found by the simulation (28993): no weight was written yet, and with dynamicStableScale its pods went."""
    world = World(service("web"), service("web-canary"), ingress(), rollout(replicas=5, **DYNAMIC))
    world.once()
    blue = world.objects["ReplicaSet", world.set_of("blue").metadata.name]
    blue["status"] = {"replicas": 5, "readyReplicas": 4, "availableReplicas": 4, "observedGeneration": 1}
    world.once()
    release(world, "broken")
    world.settle(ready=False)
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    world.settle(ready=False)
    world.now += 60
    world.settle(ready=False)
    assert world.set_of("blue").spec.replicas == 5


@pytest.mark.parametrize(
    "made", [lambda: routed(), lambda: blue_green(previewReplicaCount=2)], ids=["canary", "blue-green"]
)
def test_the_deadline_runs_for_a_version_whose_creation_was_not_heard_of(made: Any):
    """Found by the simulation (474): the update began while paused, the answer was lost, no pod count differed, and no deadline ran."""
    world = made()
    world.patch("Rollout", "web", {"spec": {"paused": True}})
    world.settle()
    known = world.objects["Rollout", "web"]["status"]
    release(world, "green")
    world.once()
    world.pods(ready=False)
    world.objects["Rollout", "web"]["status"] = known
    world.patch("Rollout", "web", {"spec": {"paused": False}})
    world.settle(ready=False)
    progressing = next(c for c in world.rollout.status.conditions if c.type == "Progressing")
    assert progressing.reason == "ReplicaSetUpdated"
    world.now += 700
    world.settle(ready=False)
    assert world.rollout.status.phase == "Degraded"
    assert world.rollout.status.message.startswith("ProgressDeadlineExceeded")


@pytest.mark.parametrize(
    "made",
    [
        lambda: routed(steps=[{"setWeight": 20}, {"pause": {}}]),
        lambda: basic(steps=[{"setWeight": 50}, {"pause": {}}]),
        lambda: blue_green(autoPromotionEnabled=False),
    ],
    ids=["canary", "pods alone", "blue-green"],
)
@pytest.mark.parametrize("lost", [1, 3])
def test_a_version_goes_through_its_steps_although_no_status_was_stored_before(made: Any, lost: int):
    """Found by the simulation (1106804): each write of the status failed, and the second version went live at once."""
    world = made()
    world.settle()
    stable = world.set_of("blue").metadata.labels[HASH]
    del world.objects["Rollout", "web"]["status"]
    release(world, "green")
    for _ in range(lost):
        world.once()
        world.pods()
        del world.objects["Rollout", "web"]["status"]
    world.settle()
    status = world.rollout.status
    assert (status.phase, status.stable_rs) == ("Paused", stable)
    if ("Service", "web") in world.objects:
        assert world.selected("web") == stable
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    world.after(60)
    assert (world.rollout.status.phase, world.rollout.status.stable_rs != stable) == ("Healthy", True)
