"""A user changes the pod template of a Rollout's ReplicaSet in place: its hash no longer matches its template."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.api.names import HASH
from tests.support.engine.world import World, ingress, release, rollout, routed, service

Json = dict[str, Any]
MADE: Json = {"manager": "serinus", "fieldsV1": {"f:spec": {"f:selector": {}, "f:template": {".": {}}}}}


class Shared(World):
    """A world whose API server records the field managers of a ReplicaSet's template."""

    def add(self, obj: Json) -> None:
        super().add(obj)
        if obj["kind"] == "ReplicaSet":
            self.objects["ReplicaSet", obj["metadata"]["name"]]["metadata"]["managedFields"] = [MADE]

    def patch(self, kind: str, name: str, patch: Json) -> None:
        super().patch(kind, name, patch)
        if kind == "ReplicaSet" and "template" in (patch.get("spec") or {}):
            self.objects[kind, name]["metadata"]["managedFields"] = [MADE]

    def edit(self, name: str, spec: Json, manager: str = "kubectl-edit") -> None:
        """As kubectl edit does, which the API server notes."""
        self.patch("ReplicaSet", name, {"spec": spec})
        owned: Json = {"f:" + key: {} for key in spec}
        entry = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": owned}}
        self.objects["ReplicaSet", name]["metadata"]["managedFields"] = [MADE, entry]

    def named(self, pod_hash: str) -> Json:
        return next(o for o in self.objects.values() if (o["metadata"].get("labels") or {}).get(HASH) == pod_hash)


def template(image: str) -> Json:
    return {"spec": rollout(image)["spec"]["template"]["spec"]}


def image_of(obj: Json) -> str:
    return obj["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]


def settled(strategy: str) -> Shared:
    made = rollout(steps=[{"setWeight": 50}, {"pause": {"duration": 1}}])
    if strategy == "blueGreen":
        made["spec"]["strategy"] = {"blueGreen": {"activeService": "web", "previewService": "web-canary"}}
    world = Shared(service("web"), service("web-canary"), ingress(), made)
    world.settle()
    return world


def released(world: World, image: str) -> None:
    release(world, image)
    for _ in range(4):
        world.after(20)


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
def test_an_update_to_the_edited_content_is_released(strategy: str):
    """The pods run blue, whatever the ReplicaSet's template has now: green is released like any version."""
    world = settled(strategy)
    blue = world.rollout.status.stable_rs
    world.edit(f"web-{blue}", {"template": template("green")})
    released(world, "green")
    green = world.rollout.status.stable_rs
    assert green != blue
    assert image_of(world.named(green)) == "green"
    assert [world.named(h)["spec"]["replicas"] for h in (green, blue)] == [2, 0]
    assert world.rollout.status.phase == "Healthy"


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
def test_a_template_label_that_was_edited_first_is_released(strategy: str):
    world = settled(strategy)
    blue = world.rollout.status.stable_rs
    labelled = {"metadata": {"labels": {"tier": "a"}}}
    world.edit(f"web-{blue}", {"template": labelled})
    world.patch("Rollout", "web", {"spec": {"template": labelled}})
    for _ in range(4):
        world.after(20)
    assert world.rollout.status.stable_rs != blue
    assert world.named(world.rollout.status.stable_rs)["spec"]["template"]["metadata"]["labels"]["tier"] == "a"


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
def test_the_current_replica_set_gets_the_rollouts_template_back(strategy: str):
    """Its later pods are those of the Rollout's template. No pod is restarted for it, and an Event names the editor."""
    world = settled(strategy)
    blue = world.rollout.status.stable_rs
    world.edit(
        f"web-{blue}", {"template": {**template("green"), "metadata": {"labels": {"x": "y"}}}}, manager="kubectl-set"
    )
    world.writes.clear()
    world.settle()
    assert image_of(world.named(blue)) == "blue"
    assert "x" not in world.named(blue)["spec"]["template"]["metadata"]["labels"]
    assert world.writes == [f"patch ReplicaSet web-{blue}"]
    told = world.told[-1]
    assert (told.reason, told.type) == ("ReplicaSetTemplateRestored", "Warning")
    assert told.message.startswith(f"kubectl-set changed the pod template of ReplicaSet web-{blue}")
    assert world.rollout.status.stable_rs == blue


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
def test_going_back_to_an_edited_revision_brings_that_revision(strategy: str):
    """The old ReplicaSet is found by its hash; it creates its pods from the Rollout's template, not from the edited one."""
    world = settled(strategy)
    blue = world.rollout.status.stable_rs
    released(world, "green")
    world.edit(f"web-{blue}", {"template": template("red")})
    world.writes.clear()
    release(world, "blue")
    plan = world.once()
    ours = [a.body.get("spec") or {} for a in plan.actions if a.kind == "ReplicaSet" and a.name == f"web-{blue}"]
    assert "template" in ours[0], "before it gets pods"
    for _ in range(4):
        world.after(20)
    assert world.rollout.status.stable_rs == blue
    assert image_of(world.named(blue)) == "blue"


def test_an_edited_old_revision_is_not_the_content_it_was_given():
    """Its pods that still run (scale-down delay) are blue: red is a version of its own."""
    world = settled("canary")
    blue = world.rollout.status.stable_rs
    released(world, "green")
    world.edit(f"web-{blue}", {"template": template("red")})
    released(world, "red")
    assert world.rollout.status.stable_rs != blue
    assert image_of(world.named(world.rollout.status.stable_rs)) == "red"


def test_the_canary_that_is_edited_in_mid_update_is_put_right():
    world = settled("canary")
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}}})
    release(world, "green")
    world.settle()
    green = world.rollout.status.current_pod_hash
    world.edit(f"web-{green}", {"template": template("blue")})
    world.settle()
    assert (world.rollout.status.current_pod_hash, image_of(world.named(green))) == (green, "green")


@pytest.mark.parametrize(
    "spelling", [{"terminationGracePeriodSeconds": 30}, {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}]
)
@pytest.mark.parametrize("writers", [[], [MADE], [MADE, {"manager": "kubectl", "subresource": "scale"}]])
def test_another_spelling_is_still_no_new_revision(spelling: Json, writers: list[Json]):
    """Promise: equal meaning makes no revision. The one exception is another writer's change of the template."""
    world = Shared(service("web"), service("web-canary"), ingress(), rollout())
    world.settle()
    blue = world.rollout.status.stable_rs
    world.named(blue)["metadata"]["managedFields"] = writers
    if writers == [MADE]:
        world.edit(f"web-{blue}", {"replicas": 3})  # kubectl scale of an old kubectl
    world.patch("Rollout", "web", {"spec": {"template": {"spec": spelling}}})
    world.settle()
    assert len(world.of("ReplicaSet")) == 1
    assert world.rollout.status.current_pod_hash == blue


def test_the_replica_set_that_undo_went_back_to_is_known_after_an_edit():
    """`undo` writes a template with its defaults spelled out: the ReplicaSet records that it matches that one too."""
    world = settled("canary")
    blue = world.rollout.status.stable_rs
    released(world, "green")
    world.patch("Rollout", "web", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 30}}}})
    released(world, "blue")
    assert world.rollout.status.stable_rs == blue
    world.edit(f"web-{blue}", {"template": template("red")})
    world.settle()
    assert len(world.of("ReplicaSet")) == 2, "nothing is released"
    assert image_of(world.named(blue)) == "blue"


@pytest.mark.parametrize("manager", ["rollouts-controller", "serinus"])
def test_what_controllers_of_rollouts_write_is_no_edit(manager: str):
    """Before a takeover Argo Rollouts created the ReplicaSet; both write metadata by role and anti-affinity into its template."""
    world = settled("canary")
    blue = world.rollout.status.stable_rs
    made = {**MADE, "manager": "rollouts-controller"}
    other = {"manager": manager, "fieldsV1": {"f:spec": {"f:template": {"f:metadata": {}}}}}
    world.named(blue)["metadata"]["managedFields"] = [made, other]
    world.patch("Rollout", "web", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 30}}}})
    world.settle()
    assert len(world.of("ReplicaSet")) == 1


def test_what_a_webhook_adds_is_left_alone():
    """The API server counts it as ours. Repeated repairs would be an endless fight."""
    world = Shared(service("web"), service("web-canary"), ingress(), rollout())
    world.settle()
    mutated = copy.deepcopy(world.named(world.rollout.status.stable_rs))
    mutated["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror/rollouts-demo:blue"
    world.objects["ReplicaSet", mutated["metadata"]["name"]] = mutated
    plan = world.once()
    assert (plan.actions, plan.status) == ((), None)


def test_a_settled_world_without_edits_writes_nothing():
    plan = routed().once()
    assert (plan.actions, plan.status) == ((), None)
