from __future__ import annotations

from serinus.local.workloads.deployment_plan import Adopt, Create, Delete, ReplicaSetChange, plan
from serinus.local.workloads.deployment_status import find, status_of
from serinus.local.workloads.objects import DeploymentStrategy
from tests.support.local.build import NOW, deployment, replica_set


def sizes(actions: object) -> dict[str, int | None]:
    return {a.replica_set.metadata.name: a.replicas for a in actions if isinstance(a, ReplicaSetChange)}  # type: ignore[attr-defined]


def test_the_first_replica_set_is_created_at_full_size_with_the_hash_in_name_labels_and_selector() -> None:
    (made,) = plan(deployment(), []).actions
    assert isinstance(made, Create)
    digest = made.labels["pod-template-hash"]
    assert (made.name, made.replicas) == (f"web-{digest}", 3)
    assert made.selector["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert made.template["metadata"]["labels"] == {"app": "web", "pod-template-hash": digest}
    assert made.annotations["deployment.kubernetes.io/revision"] == "1"


def test_the_name_follows_from_the_template_so_that_it_is_never_created_twice() -> None:
    first, again = plan(deployment(), []).actions[0], plan(deployment(), []).actions[0]
    assert first == again


def test_an_update_starts_with_the_surge_and_the_next_revision() -> None:
    (made,) = plan(deployment(image="x:2"), [replica_set()]).actions
    assert isinstance(made, Create)
    assert (made.replicas, made.annotations["deployment.kubernetes.io/revision"]) == (1, "2")


def test_old_pods_go_as_new_ones_serve() -> None:
    old, new = replica_set("web-1", 3), replica_set("web-2", 1, image="x:2", revision="2")
    assert sizes(plan(deployment(image="x:2"), [old, new]).actions) == {"web-1": 2}


def test_a_template_that_was_there_before_takes_its_replica_set_again_under_a_new_number() -> None:
    """This is what `kubectl rollout undo` relies on."""
    old, new = replica_set("web-1", 0), replica_set("web-2", 3, image="x:2", revision="2")
    todo = plan(deployment(image="x:1"), [old, new])
    (change,) = todo.actions
    assert isinstance(change, ReplicaSetChange)
    assert (change.replica_set.metadata.name, change.replicas, todo.revision) == ("web-1", 1, "3")
    assert change.annotations["deployment.kubernetes.io/revision"] == "3"
    assert change.annotations["deployment.kubernetes.io/revision-history"] == "1"


def test_a_paused_deployment_updates_nothing_but_still_scales() -> None:
    assert plan(deployment(image="x:2", paused=True), [replica_set()]).actions == ()
    assert sizes(plan(deployment(5, image="x:2", paused=True), [replica_set()]).actions) == {"web-1": 5}


def test_recreate_starts_the_new_pods_only_when_no_old_one_is_left() -> None:
    strategy = DeploymentStrategy("Recreate")
    asked = deployment(image="x:2", strategy=strategy)
    assert sizes(plan(asked, [replica_set()]).actions) == {"web-1": 0}
    assert plan(asked, [replica_set(replicas=0)], old_pods=1).actions == ()
    (made,) = plan(asked, [replica_set(replicas=0)]).actions
    assert isinstance(made, Create)
    assert made.replicas == 3


def test_an_orphan_that_matches_is_adopted_before_anything_else() -> None:
    orphan = replica_set()
    orphan.metadata.owner_references = []
    assert plan(deployment(), [orphan]).actions == (Adopt(orphan),)


def test_old_replica_sets_beyond_the_history_limit_go_oldest_first() -> None:
    old = [replica_set(f"web-{i}", 0, image=f"x:{i}", revision=str(i)) for i in (1, 2, 3)]
    now = replica_set("web-9", 3, image="x:9", revision="4")
    todo = plan(deployment(image="x:9", revision_history_limit=1), [*old, now]).actions
    assert [a.replica_set.metadata.name for a in todo if isinstance(a, Delete)] == ["web-1", "web-2"]


def test_a_settled_deployment_needs_nothing() -> None:
    assert plan(deployment(), [replica_set()]).actions == ()


def test_an_update_that_stands_still_is_called_timed_out_after_its_deadline() -> None:
    asked, sets = (
        deployment(image="x:2"),
        [replica_set(), replica_set("web-2", 1, image="x:2", revision="2", available=0)],
    )
    asked.status, deadline = status_of(asked, plan(asked, sets), NOW)
    assert deadline == NOW + 600
    status, again = status_of(asked, plan(asked, sets), NOW + 600)
    condition = find(status.conditions, "Progressing")
    assert condition is not None
    assert again is None
    assert (condition.status, condition.reason) == ("False", "ProgressDeadlineExceeded")
    assert condition.message == 'ReplicaSet "web-2" has timed out progressing.'


def test_a_finished_update_says_so_in_the_words_that_kubectl_waits_for() -> None:
    asked, sets = deployment(), [replica_set()]
    status, _ = status_of(asked, plan(asked, sets), NOW)
    found = {c.type: (c.status, c.reason) for c in status.conditions}
    assert found == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
