"""`restartAt`: every pod is replaced, and the desired number serves meanwhile."""

from __future__ import annotations

from typing import Any

from tests.support.engine.blue_green import blue_green
from tests.support.engine.restarts import AT, YOUNG, add_pod, basic, restarting
from tests.support.engine.world import World, release, routed
from tests.support.engine.world import rollout as a_rollout


def evicted(world: World) -> list[str]:
    return [action.name for action in world.plan().actions if action.verb == "evict"]


def size(world: World) -> int:
    return world.set_of("blue").spec.replicas


def test_one_more_pod_comes_before_the_first_goes():
    world = restarting(routed(replicas=2))
    assert evicted(world) == []
    world.once()
    assert size(world) == 3
    add_pod(world, "c", born=YOUNG)
    assert evicted(world) == ["a"], "three serve and two are wanted"


def test_when_all_are_young_the_pod_to_spare_goes_again():
    world = restarting(routed(replicas=2))
    world.once()
    for name in ("a", "b"):
        del world.objects["Pod", name]
        add_pod(world, f"{name}-again", born=YOUNG)
    add_pod(world, "c", born=YOUNG)
    world.settle()
    assert (size(world), world.rollout.status.restarted_at, world.rollout.status.phase) == (2, AT, "Healthy")


def test_without_surge_one_pod_may_be_missing():
    world = restarting(basic(maxSurge=0, maxUnavailable=1))
    assert (evicted(world), size(world)) == (["a"], 2)


def test_a_pod_that_is_not_ready_goes_at_once_and_the_next_one_waits():
    world = restarting(basic(maxSurge=0, maxUnavailable=1))
    world.objects["Pod", "b"]["status"]["conditions"][0]["status"] = "False"
    assert evicted(world) == ["b"]


def test_pods_that_never_become_ready_are_restarted_without_a_pod_to_spare():
    """Found by the simulation (1308061): the eleventh pod of ten stayed, because no pod became ready to replace one."""
    world = restarting(routed(replicas=2))
    for name in ("a", "b"):
        world.objects["Pod", name]["status"]["conditions"][0]["status"] = "False"
    none = {"readyReplicas": 0, "availableReplicas": 0}
    world.patch("ReplicaSet", world.set_of("blue").metadata.name, {"status": none})
    assert sorted(evicted(world)) == ["a", "b"]
    world.once()
    assert size(world) == 2


def test_a_restart_in_the_future_waits_for_its_moment():
    world = routed(replicas=2)
    add_pod(world, "a")
    world.patch("Rollout", "web", {"spec": {"restartAt": "2030-01-01T00:00:00Z"}})
    plan = world.plan()
    assert evicted(world) == []
    assert plan.requeue_at == 1893456000.0


def test_what_is_evicted_no_longer_counts_so_each_eviction_is_told_once():
    world = restarting(routed(replicas=2))
    world.once()
    add_pod(world, "c", born=YOUNG)
    world.patch("ReplicaSet", world.set_of("blue").metadata.name, {"status": {"readyReplicas": 3, "replicas": 3}})
    plan = world.plan()
    assert [a.verb for a in plan.actions] == ["evict"]
    assert (plan.status or {}).get("readyReplicas", world.rollout.status.ready_replicas) == 2


def test_a_restart_is_done_when_the_last_old_pod_is_on_its_way_out():
    world = restarting(routed(replicas=2))
    world.once()
    for name in ("a", "b"):
        world.objects["Pod", name]["metadata"]["deletionTimestamp"] = YOUNG
    for name in ("c", "d"):
        add_pod(world, name, born=YOUNG)
    world.once()
    assert (size(world), world.rollout.status.restarted_at) == (2, AT)


def test_the_only_pod_that_serves_stays_while_a_new_version_does_not_come_up():
    """Found by the simulation: each ReplicaSet computed its spare pods alone, and the one that served lost one too many."""
    made = a_rollout(replicas=1)
    made["spec"]["strategy"] = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
    world = World(made)
    world.settle()
    release(world, "green")
    world.settle(ready=False)
    add_pod(world, "a")
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    assert evicted(world) == []


def test_the_only_pod_is_not_evicted_while_an_update_is_ending():
    """Found by the simulation (34060): the old version's last pod was still terminating, so that no other could start first."""
    world = basic(replicas=1, maxSurge="100%", maxUnavailable=0)
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    rollout = world.objects["Rollout", "web"]["metadata"]
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": rollout["uid"]}
    labels = {**world.set_of("blue").metadata.labels, "rollouts-pod-template-hash": "old"}
    meta = {"name": "web-old", "labels": labels, "ownerReferences": [{**owner, "controller": True}]}
    spec = {"replicas": 0, "template": {"spec": {"containers": [{"name": "web", "image": "web:old"}]}}}
    world.add({"kind": "ReplicaSet", "metadata": meta, "spec": spec, "status": {"replicas": 1}})
    add_pod(world, "a")
    assert evicted(world) == []
    world.objects["ReplicaSet", "web-old"]["status"] = {"replicas": 0}
    world.once()
    assert size(world) == 2, "then one more comes first"


def test_a_version_does_not_take_over_in_the_pass_that_evicts_one_of_its_pods():
    """Found by the simulation (438): one of three was free to go while a preview needs two, and then three had to serve."""
    world = blue_green(replicas=3, previewReplicaCount=2, autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    world.patch("ReplicaSet", world.set_of("green").metadata.name, {"spec": {"replicas": 3}})
    world.pods()
    for name in ("a", "b", "c"):
        add_pod(world, name, image="green")
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}, "status": {"pauseConditions": None}})
    planned = {(action.verb, action.kind) for action in world.plan().actions}
    assert ("evict", "Pod") in planned
    assert ("patch", "Service") not in planned


def test_the_only_pod_that_a_share_of_the_requests_goes_to_stays_while_no_other_can_come_first():
    """Found by the simulation (39013): sizes were frozen, and a canary of one pod was evicted with 10 % of the requests."""
    world = routed(replicas=5, steps=[{"setWeight": 10}, {"pause": {}}])
    release(world, "green")
    world.settle()
    assert world.set_of("green").spec.replicas == 1
    add_pod(world, "only", image="green")
    for n in range(5):
        add_pod(world, f"blue-{n}", born=YOUNG)
    world.patch("Rollout", "web", {"spec": {"restartAt": AT, "paused": True}})
    assert evicted(world) == []
    world.patch("Rollout", "web", {"spec": {"paused": False}})
    world.settle()
    assert world.set_of("green").spec.replicas == 2, "then another one comes first"


def test_the_active_pod_of_an_aborted_blue_green_update_has_another_beside_it_before_it_goes():
    """Found by the simulation (17231): the only pod was evicted, and the preview Service selected it in the same pass."""
    world = blue_green(replicas=1, autoPromotionEnabled=False, abortScaleDownDelaySeconds=30)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    add_pod(world, "only")
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    assert evicted(world) == []
    world.settle()
    assert size(world) == 2


def test_the_stable_pods_of_an_aborted_canary_have_another_beside_them_before_one_goes():
    world = routed(replicas=2, steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    restarting(world)
    assert evicted(world) == []
    world.settle()
    assert size(world) == 3


def test_the_only_pod_of_an_active_version_that_is_being_replaced_stays():
    """Found by the simulation (21879): the Service selected green, the status did not have it, and red was released."""
    world = blue_green(replicas=1, autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    world.objects["Service", "web"]["spec"]["selector"]["rollouts-pod-template-hash"] = "77f97bbcbf"
    add_pod(world, "only", image="green")
    add_pod(world, "blue", born=YOUNG)
    add_pod(world, "more", born=YOUNG)
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    release(world, "red")
    assert evicted(world) == []


def three_versions(blue: int, green: int, red: int, **options: Any) -> World:
    """Pods alone divide the traffic among the stable version, a replaced one and the newest, which have these sizes."""
    world = basic(replicas=5, maxUnavailable=0, steps=[{"setWeight": 33}, {"pause": {}}], **options)
    for image in ("green", "red"):
        release(world, image)
        world.once()
    for image, size in (("blue", blue), ("green", green), ("red", red)):
        world.patch("ReplicaSet", world.set_of(image).metadata.name, {"spec": {"replicas": size}})
    world.pods()
    return world


def test_a_restart_and_the_end_of_an_old_version_do_not_take_pods_at_the_same_time():
    """Found by the simulation (1100602): two pods were evicted, the old version lost its last one, and 4 of 5 served."""
    world = three_versions(5, 1, 2, maxSurge="50%")
    for image, count in (("blue", 5), ("green", 1), ("red", 1)):
        for n in range(count):
            add_pod(world, f"{image}-{n}", image=image)
    add_pod(world, "red-1", image="red", ready=False)
    world.patch(
        "ReplicaSet", world.set_of("red").metadata.name, {"status": {"readyReplicas": 1, "availableReplicas": 1}}
    )
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    assert len([name for name in evicted(world) if name != "red-1"]) == 2, "seven pods serve, and five are to serve"
    world.once()
    assert world.set_of("green").spec.replicas == 1


def test_pods_of_a_version_that_was_just_made_smaller_give_a_restart_no_leave():
    """The old version's pod is ready until its ReplicaSet's controller removes it: with it, 4 of 5 would serve."""
    world = three_versions(4, 0, 2, maxSurge=1)
    for image, count in (("blue", 4), ("green", 1), ("red", 2)):
        for n in range(count):
            add_pod(world, f"{image}-{n}", image=image)
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    going = [name for name in evicted(world) if not name.startswith("green")]
    assert len(going) <= 1, "six pods stay, and five are to serve"


def canary_with_a_spare_pod(steps: list[dict[str, Any]], *, replicas: int) -> World:
    """At its first pause the canary has one pod more than it needs, and both of its pods are to be restarted."""
    world = routed(replicas=replicas, steps=steps)
    release(world, "green")
    world.settle()
    for n in range(replicas):
        add_pod(world, f"blue-{n}", born=YOUNG)
    add_pod(world, "old", image="green")
    world.patch("Rollout", "web", {"spec": {"restartAt": AT}})
    world.once()
    world.pods()
    add_pod(world, "young", image="green", born=YOUNG)
    assert world.set_of("green").spec.replicas == 2
    return world


def test_no_weight_rises_to_pods_that_the_same_pass_evicts():
    """The spare pod of a restart arrives as the pause ends: two pods seem enough for 40 %, and one is evicted."""
    world = canary_with_a_spare_pod([{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}, {"pause": {}}], replicas=5)
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    assert evicted(world) == ["old"]
    world.once()
    assert world.weight == 20


def test_no_version_is_promoted_in_the_pass_that_evicts_one_of_its_pods():
    """The stable version would lose its place to one of which half of the pods serve."""
    world = canary_with_a_spare_pod([{"setWeight": 50}, {"pause": {}}], replicas=2)
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    assert evicted(world) == ["old"]
    stable = world.rollout.status.stable_rs
    world.once()
    assert (world.weight, world.rollout.status.stable_rs) == (50, stable)


def test_the_only_pod_that_the_canary_service_leads_to_stays_whatever_version_the_status_names():
    """The Service moved after the weight was recorded: the status names the version before."""
    world = routed(replicas=5, steps=[{"setWeight": 10}, {"pause": {}}])
    release(world, "green")
    world.settle()
    add_pod(world, "only", image="green")
    for n in range(5):
        add_pod(world, f"blue-{n}", born=YOUNG)
    before = {"status": {"canary": {"weights": {"canary": {"podTemplateHash": world.rollout.status.stable_rs}}}}}
    world.patch("Rollout", "web", {"spec": {"restartAt": AT, "paused": True}, **before})
    assert evicted(world) == []


def leaving(world: World, image: str, count: int) -> None:
    """This many pods of a version are on their way out, and others come up; its ReplicaSet reports neither yet."""
    for n in range(count):
        add_pod(world, f"{image}-leaves-{n}", image=image)
        world.objects["Pod", f"{image}-leaves-{n}"]["metadata"]["deletionTimestamp"] = YOUNG
        add_pod(world, f"{image}-comes-{n}", image=image, born=YOUNG, ready=False)


def test_an_old_version_keeps_its_pods_while_a_replica_set_reports_evicted_ones():
    """The restart is over when the last old pod is on its way out; 4 of 5 pods would serve."""
    world = three_versions(4, 1, 2, maxSurge="50%")
    leaving(world, "red", 2)
    world.once()
    assert world.set_of("green").spec.replicas == 1


def test_the_stable_version_keeps_its_pods_while_the_canarys_replica_set_reports_evicted_ones():
    """Found by the simulation (1104420): the stable version became smaller, and 7 of 8 pods served."""
    world = basic(replicas=4, maxSurge=2, maxUnavailable=0, steps=[{"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.patch("ReplicaSet", world.set_of("blue").metadata.name, {"spec": {"replicas": 4}})
    world.pods()
    leaving(world, "green", 2)
    world.once()
    assert size(world) == 4


def test_no_weight_rises_to_pods_that_only_a_replica_set_still_reports():
    world = routed(replicas=5, steps=[{"setCanaryScale": {"replicas": 2}}, {"setWeight": 20}, {"pause": {}}])
    release(world, "green")
    world.once()
    world.pods()
    leaving(world, "green", 2)
    world.once()
    world.once()
    assert not world.weight


def test_the_active_service_does_not_move_to_pods_that_only_a_replica_set_still_reports():
    world = blue_green(replicas=2, autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    stable = world.selected("web")
    leaving(world, "green", 1)
    add_pod(world, "green-2", image="green")
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.once()
    assert world.selected("web") == stable
