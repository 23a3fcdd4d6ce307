"""ReplicaSets of other creators are adopted unchanged, or left alone. No pod restarts when the controller is replaced.

Promise: a revision is its template's meaning, and its name is the label on its ReplicaSet, whatever computed that.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.api.names import DESIRED_REPLICAS, HASH, REVISION
from serinus.api.pods.defaults import with_defaults
from tests.support.engine.world import World, release, rollout, routed, service
from tests.support.long import examples

Json = dict[str, Any]
OLD = {"68fb5766d6": "59b4dc6c7b", "77f97bbcbf": "6d8bcbd5cf"}
"""Hashes of ours, and an older controller's (which hashed a creationTimestamp, too) for the same templates."""


def renamed(value: Any) -> Any:
    """Everything as if the hashes had been those of an older controller."""
    if isinstance(value, str):
        for ours, theirs in OLD.items():
            value = value.replace(ours, theirs)
        return value
    if isinstance(value, dict):
        return {renamed(k): renamed(v) for k, v in value.items()}
    return [renamed(v) for v in value] if isinstance(value, list) else value


def of_argo_rollouts(world: World) -> World:
    """The same world with ReplicaSets as Argo Rollouts of another version leaves them: its names, its hashes, all defaults."""
    objects = {(k, renamed(n)): renamed(o) for (k, n), o in world.objects.items()}
    for (kind, _), obj in objects.items():
        if kind == "ReplicaSet":
            obj["spec"]["template"] = with_defaults(obj["spec"]["template"])
            obj["spec"]["template"]["metadata"]["creationTimestamp"] = None
            obj["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    world.objects, world.writes, world.told = objects, [], []
    return world


def blue_green() -> World:
    obj = rollout(replicas=2)
    strategy = {"activeService": "web", "previewService": "web-preview", "autoPromotionEnabled": False}
    obj["spec"]["strategy"] = {"blueGreen": strategy}
    world = World(service("web"), service("web-preview"), obj)
    world.settle()
    return world


def untouched(world: World) -> list[str]:
    """Writes to objects that own pods or route to them."""
    return [w for w in world.writes if w != "status" and not w.endswith("Rollout web")]


def settled() -> World:
    return routed()


def at_a_pause() -> World:
    world = routed()
    release(world, "green")
    world.settle()
    return world


def previewed() -> World:
    world = blue_green()
    release(world, "green")
    world.settle()
    return world


def aborted() -> World:
    world = at_a_pause()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    return world


@pytest.mark.parametrize("before", [settled, at_a_pause, aborted, blue_green, previewed])
def test_what_argo_rollouts_left_is_taken_over_without_a_touch(before: Any):
    """Settled, in mid-canary, aborted, or with a preview: no pod restarts, no selector and no weight moves."""
    world = of_argo_rollouts(before())
    was, phase = copy.deepcopy(world.objects), world.rollout.status.phase
    world.settle()
    assert untouched(world) == []
    kept = {key: obj for key, obj in world.objects.items() if key[0] != "Rollout"}
    assert kept == {key: obj for key, obj in was.items() if key[0] != "Rollout"}
    status = world.rollout.status
    assert (status.stable_rs, status.phase) == ("59b4dc6c7b", phase)


def test_a_canary_begun_by_argo_rollouts_is_finished_here():
    world = of_argo_rollouts(at_a_pause())
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    for _ in range(6):
        world.after(3.1)
    assert world.rollout.status.stable_rs == "6d8bcbd5cf", "the revision keeps the name that it has"
    assert (world.rollout.status.phase, world.selected("web")) == ("Healthy", "6d8bcbd5cf")
    assert not [w for w in world.writes if "create" in w]


def test_going_back_finds_the_old_revision_by_what_it_means():
    world = of_argo_rollouts(at_a_pause())
    release(world, "blue")
    world.settle()
    world.after(10)
    assert (world.rollout.status.phase, world.weight) == ("Healthy", 0)
    assert not [w for w in world.writes if "create" in w]


def test_the_next_release_gets_a_name_of_ours_beside_the_old_one():
    world = of_argo_rollouts(settled())
    release(world, "green")
    world.settle()
    assert sorted(world.of("ReplicaSet")) == ["web-59b4dc6c7b", "web-77f97bbcbf"]
    assert world.set_of("green").metadata.annotations[REVISION] == "2"
    assert world.set_of("blue").spec.replicas == 2


@pytest.mark.parametrize("notes", [{REVISION: None}, {DESIRED_REPLICAS: None}, {REVISION: "not a number"}])
def test_notes_that_an_older_serinus_did_not_write_are_added_and_nothing_else(notes: Json):
    world = of_argo_rollouts(settled())
    world.patch("ReplicaSet", "web-59b4dc6c7b", {"metadata": {"annotations": notes}})
    was = copy.deepcopy(world.objects["ReplicaSet", "web-59b4dc6c7b"]["spec"])
    world.settle()
    assert world.objects["ReplicaSet", "web-59b4dc6c7b"]["spec"] == was
    noted = world.set_of("blue").metadata.annotations
    assert (noted[REVISION], noted[DESIRED_REPLICAS]) == ("1", "2")
    assert world.rollout.status.phase == "Healthy"


def foreign(world: World, name: str, image: str, *, labels: Json | None = None, owner: Json | None = None, **meta: Any):
    """A ReplicaSet whose labels match the Rollout's selector."""
    template = copy.deepcopy(world.set_of("blue").spec.template)
    template["spec"]["containers"][0]["image"] = f"argoproj/rollouts-demo:{image}"
    made: Json = {"name": name, "labels": {"app": "web", **(labels or {})}, **meta}
    if owner:
        made["ownerReferences"] = [owner]
    world.add({"kind": "ReplicaSet", "metadata": made, "spec": {"replicas": 2, "selector": {}, "template": template}})


def of(kind: str, name: str, *, controller: bool = True) -> Json:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": f"uid-of-{name}", "controller": controller}


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        ({"pod-template-hash": "5d4f8c7b9"}, of("Deployment", "web")),
        ({HASH: "68fb5766d6"}, of("Deployment", "web")),
        ({HASH: "77f97bbcbf"}, of("Experiment", "web-trial")),
        ({HASH: "77f97bbcbf"}, of("Rollout", "another")),
        ({}, None),
    ],
)
def test_replica_sets_of_others_are_left_alone_also_while_a_version_with_their_template_is_released(
    labels: Json, owner: Json | None
):
    """A Deployment beside the Rollout, an Experiment, another Rollout; and one without a controller that no Rollout created."""
    world = settled()
    foreign(world, "theirs", "green", labels=labels, owner=owner)
    was = copy.deepcopy(world.objects["ReplicaSet", "theirs"])
    release(world, "green")
    world.settle()
    del world.objects["ReplicaSet", "theirs"]["status"]
    assert world.objects["ReplicaSet", "theirs"] == was
    assert "web-77f97bbcbf" in world.of("ReplicaSet"), "the Rollout has one of its own"


def test_an_orphan_with_a_revisions_label_is_adopted_and_its_other_owners_stay():
    """`kubectl delete rollout --cascade=orphan`, then the Rollout is created again: the pods keep running."""
    world = settled()
    orphan = world.objects["ReplicaSet", "web-68fb5766d6"]
    orphan["metadata"]["ownerReferences"] = [of("Backup", "nightly", controller=False)]
    del world.objects["Ingress", "web-web-canary"]
    world.add(rollout())
    world.writes.clear()
    world.settle()
    owners = world.set_of("blue").metadata.owner_references
    assert [(o.kind, o.name, o.controller) for o in owners] == [("Backup", "nightly", False), ("Rollout", "web", True)]
    assert (world.rollout.status.stable_rs, world.rollout.status.phase) == ("68fb5766d6", "Healthy")
    assert list(world.of("ReplicaSet")) == ["web-68fb5766d6"]


def test_an_orphan_that_is_being_deleted_is_not_adopted():
    world = settled()
    foreign(world, "going", "red", labels={HASH: "abc"}, deletionTimestamp="2026-01-01T00:00:00Z")
    world.settle()
    assert not [w for w in world.writes if w.endswith("going")]


RICH: Json = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "serviceAccountName": "web",
        "containers": [
            {
                "name": "web",
                "image": "argoproj/rollouts-demo:blue",
                "ports": [{"containerPort": 8080}],
                "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1536Mi"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "web"}}],
    },
}
SPELLINGS = {"1": ["1", 1, "1000m", "1.0", "1e0"], "1Gi": ["1Gi", "1024Mi", 1073741824, "1073741824"]}
SPELLINGS["1536Mi"] = ["1536Mi", "1.5Gi", "1572864Ki", 1610612736]


@st.composite
def respelled(draw: st.DrawFn, value: Any = None) -> Any:
    """The same template in another spelling: order of keys, amounts, defaults, and empty fields without meaning."""
    template = copy.deepcopy(RICH)
    if draw(st.booleans()):
        template = with_defaults(template)
    spec, container = template["spec"], template["spec"]["containers"][0]
    if draw(st.booleans()):
        spec["serviceAccount"] = "web"
    for resources in container["resources"].values():
        for name, amount in resources.items():
            resources[name] = draw(st.sampled_from(SPELLINGS[str(amount)]))
    maps, null = ("nodeSelector", "affinity", "annotations"), ("lifecycle", "creationTimestamp")
    for owner, fields in (
        (spec, ("initContainers", "nodeSelector", "tolerations", "imagePullSecrets", "affinity", "hostAliases")),
        (container, ("command", "args", "envFrom", "volumeDevices", "lifecycle")),
        (template["metadata"], ("annotations", "creationTimestamp")),
    ):
        for name in draw(st.sets(st.sampled_from(fields))):
            empty: Any = {} if name in maps else []
            owner[name] = draw(st.none() if name in null else st.sampled_from([None, empty]))
    for owner, defaults in (
        (spec, {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30}),
        (container, {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"}),
        (container["ports"][0], {"protocol": "TCP"}),
        (container["readinessProbe"], {"periodSeconds": 10, "failureThreshold": 3}),
        (container["readinessProbe"]["httpGet"], {"scheme": "HTTP"}),
        (spec["volumes"][0]["configMap"], {"defaultMode": 420}),
    ):
        for name in draw(st.sets(st.sampled_from(sorted(defaults)))):
            owner[name] = defaults[name]
    return draw(shuffled(template))


@st.composite
def shuffled(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: draw(shuffled(value[key])) for key in draw(st.permutations(list(value)))}
    return [draw(shuffled(item)) for item in value] if isinstance(value, list) else value


def running(template: Json) -> World:
    """A settled Rollout with this template, whose ReplicaSet has gone through a real API server."""
    world = routed()
    world.objects["Rollout", "web"]["spec"]["template"] = copy.deepcopy(template)
    world.objects.pop(("ReplicaSet", "web-68fb5766d6"))
    for key in ("stableRS", "currentPodHash"):
        world.objects["Rollout", "web"]["status"].pop(key)
    world.settle()
    world.after(10)
    for (kind, _), obj in world.objects.items():
        if kind == "ReplicaSet":
            obj["spec"]["template"] = with_defaults(obj["spec"]["template"])
    world.writes.clear()
    return world


@settings(max_examples=examples(60), deadline=None)
@given(respelled(), respelled())
def test_another_spelling_of_the_template_restarts_nobody(first: Json, second: Json):
    """`kubectl apply` of the same template in another spelling gives a new generation, and nothing else."""
    world = running(first)
    world.patch("Rollout", "web", {"spec": {"template": None}})
    world.patch("Rollout", "web", {"spec": {"template": second}})
    world.settle()
    assert untouched(world) == []
    assert (world.rollout.status.phase, len(world.of("ReplicaSet"))) == ("Healthy", 1)


@settings(max_examples=examples(40), deadline=None)
@given(
    respelled(),
    st.sampled_from(
        [
            lambda t: t["spec"]["containers"][0].update(image="argoproj/rollouts-demo:red"),
            lambda t: t["spec"]["containers"][0]["resources"]["requests"].update(cpu="1001m"),
            lambda t: t["spec"]["containers"][0].update(args=["--debug"]),
            lambda t: t["spec"]["containers"][0].update(env=[]),
            lambda t: t["spec"].update(serviceAccountName="other"),
            lambda t: t["spec"].update(terminationGracePeriodSeconds=31),
            lambda t: t["spec"]["volumes"][0]["configMap"].update(name="other"),
            lambda t: t["metadata"]["labels"].update(tier="front"),
            lambda t: t["metadata"].update(annotations={"note": "x"}),
        ]
    ),
)
def test_a_change_of_meaning_is_a_new_revision_however_it_is_spelled(template: Json, change: Any):
    world = running(RICH)
    change(template)
    world.objects["Rollout", "web"]["spec"]["template"] = template
    world.settle()
    assert len(world.of("ReplicaSet")) == 2
