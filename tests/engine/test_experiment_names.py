"""An Experiment needs names that other objects have: it waits for temporary owners, and never reports an Error.

An Experiment that was edited or restarted runs its current spec.
"""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH, SCALE_DOWN_DEADLINE
from tests.support.engine.lab import Json, Lab, template

ROLLOUT: Json = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "name": "web",
    "uid": "of-web",
    "controller": True,
}
NOTES: Json = {"experiment.argoproj.io/name": "exp", "experiment.argoproj.io/template-name": "a"}


def owned_by(kind: str, name: str, uid: str) -> Json:
    return {"ownerReferences": [{"kind": kind, "name": name, "uid": uid, "controller": True}]}


def other(lab: Lab, *, of: str = "", phase: str = "", terminate: bool = False) -> Json:
    """The metadata of an object owned by another Experiment, which exists. `of`: uid of its Rollout."""
    meta: Json = {"name": "other", "uid": "other-uid"}
    if of:
        meta["ownerReferences"] = [{**ROLLOUT, "uid": of}]
    spec = {"templates": [], "terminate": terminate}
    lab.add({"kind": "Experiment", "metadata": meta, "spec": spec, "status": {"phase": phase}})
    return owned_by("Experiment", "other", "other-uid")


HOLDERS: dict[str, Any] = {
    "an experiment of the same Rollout": lambda lab: other(lab, of="of-web", phase="Running"),
    "an experiment that has ended": lambda lab: other(lab, phase="Successful"),
    "an experiment that was told to end": lambda lab: other(lab, phase="Running", terminate=True),
    "an experiment that is gone": lambda _: owned_by("Experiment", "gone", "gone-uid"),
    "an experiment of this name that is gone": lambda _: owned_by("Experiment", "exp", "old-uid"),
    "what is being deleted": lambda _: {"deletionTimestamp": "2026-01-01T00:00:00Z"},
}
STRANGERS: dict[str, Any] = {
    "nobody": lambda _: {},
    "a Deployment": lambda _: owned_by("Deployment", "shop", "uid-shop"),
    "an experiment of another Rollout": lambda lab: other(lab, of="of-shop", phase="Running"),
    "a running experiment": lambda lab: other(lab, phase="Running"),
}


def experiment(**more: Any) -> Lab:
    """Of the Rollout `web`, with a Service of a given name."""
    lab = Lab(templates=[template("a", service={"name": "cand"})], duration="60s", **more)
    lab.objects["Experiment", "exp"]["metadata"]["ownerReferences"] = [ROLLOUT]
    return lab


def taken(lab: Lab, kind: str, meta: Json) -> str:
    name = "cand" if kind == "Service" else "exp-a"
    spec: Json = {"selector": {"app": "old"}} if kind == "Service" else {"replicas": 1, "template": {}}
    lab.add({"kind": kind, "metadata": {"name": name, "labels": {HASH: "old"}, **meta}, "spec": spec})
    return name


@pytest.mark.parametrize("kind", ["Service", "ReplicaSet"])
@pytest.mark.parametrize("holder", list(HOLDERS))
def test_a_name_of_an_earlier_experiment_is_waited_for(holder: str, kind: str):
    """A good version was aborted: the Service of the experiment before it belonged to another owner for good."""
    lab = experiment()
    name = taken(lab, kind, HOLDERS[holder](lab))
    before = lab.objects[kind, name]
    lab.settle()
    status = lab.experiment.status
    assert (status.phase, status.template_statuses[0].status) == ("Pending", "Progressing")
    assert name in status.message
    assert lab.objects[kind, name]["spec"] == before["spec"], "it is left alone"
    del lab.objects[kind, name]
    lab.settle()
    status = lab.experiment.status
    assert (status.phase, status.message) == ("Running", "")
    assert lab.objects["Service", "cand"]["metadata"]["ownerReferences"][0]["uid"] == lab.experiment.metadata.uid
    assert lab.sizes()["exp-a"] == 1


@pytest.mark.parametrize("kind", ["Service", "ReplicaSet"])
@pytest.mark.parametrize("stranger", list(STRANGERS))
def test_a_name_of_somebody_else_ends_it_with_the_owner(stranger: str, kind: str):
    lab = experiment()
    name = taken(lab, kind, STRANGERS[stranger](lab))
    lab.settle()
    status = lab.experiment.status
    assert (status.phase, status.template_statuses[0].status) == ("Error", "Error")
    assert name in status.template_statuses[0].message
    owner = (lab.objects[kind, name]["metadata"].get("ownerReferences") or [{}])[0]
    assert f"{owner.get('kind', '')} {owner.get('name', '')}".strip() in status.template_statuses[0].message


@pytest.mark.parametrize("kind", ["Service", "ReplicaSet"])
def test_what_a_deleted_experiment_left_without_an_owner_is_taken_over(kind: str):
    lab = experiment()
    lab.settle()
    uid = lab.experiment.metadata.uid
    for held in (("Service", "cand"), ("ReplicaSet", "exp-a")):
        lab.objects[held]["metadata"]["ownerReferences"] = [] if held[0] == kind else [lab_owner(uid)]
    lab.settle()
    name = "cand" if kind == "Service" else "exp-a"
    assert lab.objects[kind, name]["metadata"]["ownerReferences"] == [lab_owner(uid)]
    assert lab.experiment.status.phase == "Running"
    assert f"delete {kind} {name}" not in lab.writes


def lab_owner(uid: str) -> Json:
    return {**ROLLOUT, "kind": "Experiment", "name": "exp", "uid": uid, "blockOwnerDeletion": True}


def test_the_wait_for_the_experiment_before_is_not_in_the_progress_deadline():
    """Its scale-down delay may be longer than the deadline, and the new version cannot shorten it."""
    lab = experiment(progressDeadlineSeconds=30)
    taken(lab, "Service", other(lab, of="of-web", phase="Running"))
    lab.settle()
    lab.after(100)
    assert lab.experiment.status.phase == "Pending"
    del lab.objects["Service", "cand"]
    lab.settle(ready=False)
    assert lab.experiment.status.phase in ("Pending", "Running")
    lab.settle()
    assert lab.experiment.status.phase == "Running"


def test_a_name_that_never_gets_free_fails_at_the_deadline_with_the_reason():
    lab = experiment(progressDeadlineSeconds=30)
    taken(lab, "ReplicaSet", {**owned_by("Experiment", "exp", "old-uid"), "deletionTimestamp": "2026-01-01T00:00:00Z"})
    lab.settle()
    lab.after(40)
    message = lab.experiment.status.message
    assert message.startswith(
        "Template 'a' exceeded its progressDeadlineSeconds (30): ReplicaSet exp-a is being deleted"
    )


def edit(lab: Lab, image: str = "web:new", **container: Any) -> None:
    new = template("a", service={"name": "cand"})
    new["template"]["spec"]["containers"][0] |= {"image": image, **container}
    lab.patch("Experiment", "exp", {"spec": {"templates": [new]}})


def retry(lab: Lab) -> None:
    """As `kubectl argo rollouts retry experiment` does."""
    del lab.objects["Experiment", "exp"]["status"]


def image_of(lab: Lab) -> str:
    return lab.objects["ReplicaSet", "exp-a"]["spec"]["template"]["spec"]["containers"][0]["image"]


def hash_of(lab: Lab) -> str:
    return lab.objects["ReplicaSet", "exp-a"]["metadata"]["labels"][HASH]


def test_begun_again_with_another_template_it_runs_that():
    """It ran the old image, and its verdict was about that."""
    lab = experiment(scaleDownDelaySeconds=20)
    lab.settle()
    lab.after(61)
    assert lab.experiment.status.phase == "Successful"
    edit(lab)
    lab.settle()
    assert image_of(lab) == "web:a", "an experiment that is over changes nothing"
    retry(lab)
    lab.settle()
    assert (image_of(lab), lab.experiment.status.phase) == ("web:new", "Running")
    assert lab.objects["Service", "cand"]["spec"]["selector"][HASH] == hash_of(lab)
    assert lab.experiment.status.template_statuses[0].pod_template_hash == hash_of(lab)


def test_edited_while_it_runs_it_takes_the_traffic_away_before_the_old_pods_go():
    lab = experiment()
    lab.settle()
    begun = lab.experiment.status.available_at
    edit(lab)
    lab.once()
    assert (lab.experiment.status.phase, image_of(lab)) == ("Pending", "web:a")
    lab.settle()
    assert image_of(lab) == "web:a"
    lab.after(3)
    lab.settle()
    assert (image_of(lab), lab.experiment.status.phase) == ("web:new", "Running")
    assert lab.objects["Service", "cand"]["spec"]["selector"][HASH] == hash_of(lab)
    assert lab.experiment.status.available_at != begun, "its duration is for the new version"


@pytest.mark.parametrize(
    "container",
    [{"imagePullPolicy": "IfNotPresent"}, {"resources": {}}, {"terminationMessagePath": "/dev/termination-log"}],
)
def test_another_spelling_of_the_same_template_replaces_nothing(container: Json):
    lab = experiment()
    lab.settle()
    edit(lab, "web:a", **container)
    lab.settle()
    lab.after(10)
    assert "delete ReplicaSet exp-a" not in lab.writes


def test_what_a_webhook_added_to_its_pods_replaces_nothing():
    lab = experiment()
    lab.settle()
    lab.objects["ReplicaSet", "exp-a"]["spec"]["template"]["spec"]["containers"].append(
        {"name": "mesh", "image": "mesh"}
    )
    lab.settle()
    lab.after(10)
    assert "delete ReplicaSet exp-a" not in lab.writes


@pytest.mark.parametrize("late", [5, 25])
def test_begun_again_it_keeps_its_scale_down_delay(late: int):
    """The deadline of the first end was still recorded: the pods were removed at once the second time."""
    lab = experiment(scaleDownDelaySeconds=20)
    lab.settle()
    lab.after(61)
    lab.after(late)
    assert lab.sizes() == {"exp-a": 1 if late < 20 else 0}
    retry(lab)
    lab.settle()
    assert lab.experiment.status.phase == "Running"
    assert SCALE_DOWN_DEADLINE not in lab.objects["ReplicaSet", "exp-a"]["metadata"].get("annotations", {})
    lab.after(61)
    assert (lab.experiment.status.phase, lab.sizes()) == ("Successful", {"exp-a": 1})
    lab.after(19)
    assert lab.sizes() == {"exp-a": 1}
    lab.after(3)
    assert lab.sizes() == {"exp-a": 0}
