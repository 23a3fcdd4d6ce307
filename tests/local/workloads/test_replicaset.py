from __future__ import annotations

import msgspec

from serinus.local.workloads.replicaset import plan
from tests.support.local.build import NOW, owner, pod, replica_set

OWNER = owner("ReplicaSet", "web-1", "uid-web-1")


def names(pods: object) -> list[str]:
    return [p.metadata.name for p in pods]  # type: ignore[attr-defined]


def test_missing_pods_are_created_at_once() -> None:
    assert plan(replica_set(), [pod("a", of=OWNER)], NOW).create == 2


def test_pods_that_are_leaving_or_have_ended_are_replaced() -> None:
    pods = [pod("a", of=OWNER, leaving=True), pod("b", of=OWNER, phase="Failed", ready=""), pod("c", of=OWNER)]
    assert plan(replica_set(), pods, NOW).create == 2


def test_nothing_is_created_or_deleted_while_the_cache_lags_behind() -> None:
    """A pod that was created and is not yet seen would be created twice."""
    todo = plan(replica_set(), [], NOW, settled=False)
    assert (todo.create, todo.delete) == (0, ())


def test_scale_down_takes_pods_that_serve_least_and_youngest_first() -> None:
    old, young = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
    pods = [
        pod("old", of=OWNER, created=old, ready=old),
        pod("young", of=OWNER, created=young, ready=young),
        pod("unready", of=OWNER, ready="", created=old),
        pod("pending", of=OWNER, ready="", phase="Pending", created=old),
        pod("unscheduled", of=OWNER, ready="", phase="Pending", node=""),
        pod(
            "cheap", of=OWNER, annotations={"controller.kubernetes.io/pod-deletion-cost": "-1"}, created=old, ready=old
        ),
    ]
    gone = plan(replica_set(replicas=0), pods, NOW).delete
    assert names(gone) == ["unscheduled", "pending", "unready", "cheap", "young", "old"]


def test_an_orphan_that_matches_is_adopted_and_counts() -> None:
    todo = plan(replica_set(replicas=1), [pod("orphan")], NOW)
    assert (names(todo.adopt), todo.create) == (["orphan"], 0)


def test_a_pod_whose_labels_no_longer_match_is_released_and_replaced() -> None:
    todo = plan(replica_set(replicas=1), [pod("mine", of=OWNER, labels={"app": "other"})], NOW)
    assert (names(todo.release), todo.create) == (["mine"], 1)


def test_pods_of_others_are_left_alone() -> None:
    other = owner("ReplicaSet", "other", "uid-other")
    todo = plan(replica_set(replicas=0), [pod("theirs", of=other)], NOW)
    assert (todo.delete, todo.adopt, todo.release) == ((), (), ())


def test_a_replica_set_that_is_being_deleted_creates_nothing() -> None:
    doomed = replica_set()
    doomed.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    assert plan(doomed, [], NOW).create == 0


def test_a_pod_is_available_only_after_its_minimum_of_ready_seconds() -> None:
    waiting = replica_set(replicas=1, min_ready_seconds=30)
    todo = plan(waiting, [pod("a", of=OWNER)], NOW + 10)
    assert (todo.status.ready_replicas, todo.status.available_replicas, todo.again) == (1, 0, NOW + 30)
    assert plan(waiting, [pod("a", of=OWNER)], NOW + 30).status.available_replicas == 1


def test_the_status_says_what_is_there_and_which_generation_it_saw() -> None:
    status = plan(
        replica_set(), [pod("a", of=OWNER), pod("b", of=OWNER, ready=""), pod("c", of=OWNER, leaving=True)], NOW
    ).status
    seen = msgspec.to_builtins(status)
    assert seen == {
        "replicas": 2,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 1,
    } | {k: v for k, v in seen.items() if k == "fullyLabeledReplicas"}
