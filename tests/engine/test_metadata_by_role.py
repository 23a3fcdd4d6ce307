"""Metadata by role (`canaryMetadata`, `activeMetadata`, …): after its removal, a template's own value of the key is restored.

Pods are made here as a ReplicaSet controller makes them, with the metadata that the ReplicaSet's template has at that moment.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from serinus.api.names import EPHEMERAL_METADATA, HASH, REVISION, TEMPLATE_METADATA
from serinus.commands.rollback import revisions
from tests.support.engine.world import World, ingress, release, rollout, service

Json = dict[str, Any]
OWN: Json = {"labels": {"role": "normal"}, "annotations": {"note": "own"}}
NONE: Json = {"labels": {}, "annotations": {}}
TRIAL: Json = {"labels": {"role": "trial", "extra": "t"}, "annotations": {"note": "trial"}}
CHARGE: Json = {"labels": {"role": "charge"}, "annotations": {"note": "charge", "more": "c"}}
KEYS = ("role", "extra", "note", "more")
FIELDS = {"canary": ("canaryMetadata", "stableMetadata"), "blueGreen": ("previewMetadata", "activeMetadata")}


class Pods(World):
    """A world with Pod objects; `fails(n)`: whether the n-th write of the world fails and ends its pass."""

    def __init__(self, *objects: Json) -> None:
        super().__init__(*objects)
        self.tries = 0
        self.every = 0
        """Of so many writes one fails; 0: none."""

    def carry_out(self, p: Any, kind: str, name: str) -> None:
        for index in range(len(p.actions)):
            self.tries += 1
            if self.every and self.tries % self.every == 0:
                cut = type(p)(actions=p.actions[:index])
                return super().carry_out(cut, kind, name)
        return super().carry_out(p, kind, name)

    def pods(self, *, ready: bool = True) -> bool:
        changed = super().pods(ready=ready)
        for (kind, _), rs in list(self.objects.items()):
            if kind != "ReplicaSet":
                continue
            mine = [k for k, o in self.objects.items() if k[0] == "Pod" and o["owner"] == rs["metadata"]["name"]]
            for key in mine[rs["spec"]["replicas"] :]:
                del self.objects[key]
                changed = True
            for index in range(len(mine), rs["spec"]["replicas"]):
                changed = True
                owner = {"kind": "ReplicaSet", "uid": rs["metadata"]["uid"], "controller": True}
                meta = copy.deepcopy(rs["spec"]["template"]["metadata"])
                meta |= {"name": f"{rs['metadata']['name']}-{self.version}-{index}", "ownerReferences": [owner]}
                status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
                self.add({"kind": "Pod", "metadata": meta, "owner": rs["metadata"]["name"], "status": status})
        return changed

    def settle(self, *, ready: bool = True) -> None:
        """Until a pass without a failure has nothing to do."""
        for _ in range(60):
            before = self.tries
            p = self.once()
            failed = self.every and self.tries // self.every != before // self.every
            if not self.pods(ready=ready) and not failed and not p.actions and p.status is None:
                return
        raise AssertionError(f"it never settles: {self.writes[-8:]}")

    def carried(self, image: str) -> list[Json]:
        """Role metadata of the ReplicaSet's template of this image, and of each of its pods."""
        rs = self.set_of(image)
        pods = [o["metadata"] for (k, _), o in self.objects.items() if k == "Pod" and o["owner"] == rs.metadata.name]
        return [
            {p: {k: v for k, v in (meta.get(p) or {}).items() if k in KEYS} for p in ("labels", "annotations")}
            for meta in (rs.spec.template["metadata"], *pods)
        ]


def made(strategy: str, own: Json, trial: Json | None, charge: Json | None) -> Pods:
    """A settled Rollout at blue whose template has `own` metadata, and whose strategy has that of the roles."""
    obj = rollout(steps=[{"setWeight": 50}, {"pause": {}}])
    meta = obj["spec"]["template"]["metadata"]
    meta["labels"] |= own["labels"]
    meta["annotations"] = dict(own["annotations"])
    roles = {f: m for f, m in zip(FIELDS[strategy], (trial, charge), strict=True) if m is not None}
    if strategy == "canary":
        obj["spec"]["strategy"]["canary"] |= roles
    else:
        services = {"activeService": "web", "previewService": "web-canary", "autoPromotionEnabled": False}
        obj["spec"]["strategy"] = {"blueGreen": {**services, **roles}}
    world = Pods(service("web"), service("web-canary"), ingress(), obj)
    world.settle()
    return world


def with_(own: Json, role: Json | None) -> Json:
    return {part: {**own[part], **(role or NONE)[part]} for part in own}


def promote(world: Pods) -> None:
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    world.after(40)  # the scale-down delay


@pytest.mark.parametrize("every", [0, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("roles", [(TRIAL, None), (None, CHARGE), (TRIAL, CHARGE)], ids=["trial", "charge", "both"])
@pytest.mark.parametrize("own", [OWN, NONE], ids=["template has the keys", "template has no such key"])
@pytest.mark.parametrize("strategy", FIELDS)
def test_each_role_has_its_metadata_and_nothing_is_lost(
    strategy: str, own: Json, roles: tuple[Json | None, Json | None], every: int
):
    """Through an update, the next one and the end of all metadata, with one of `every` writes failing: ReplicaSets and pods
    have their role's metadata, and their template's elsewhere."""
    trial, charge = roles
    world = made(strategy, own, trial, charge)
    world.every = every
    release(world, "green")
    world.settle()
    assert world.carried("blue") == [with_(own, charge)] * 3
    assert len(found := world.carried("green")) > 1
    assert all(c == with_(own, trial) for c in found)
    promote(world)
    assert world.carried("green") == [with_(own, charge)] * 3
    assert world.carried("blue") == [own], "an old ReplicaSet is its template again: it may come back"
    release(world, "yellow")
    world.settle()
    world.patch("Rollout", "web", {"spec": {"strategy": {strategy: dict.fromkeys(FIELDS[strategy])}}})
    world.settle()
    for image in ("blue", "green", "yellow"):
        assert all(carried == own for carried in world.carried(image)), "the spec asks for none any more"
    world.every, world.tries = 0, 0
    plan = world.once()
    assert (plan.actions, plan.status) == ((), None), "a settled Rollout costs no write"


@pytest.mark.parametrize("strategy", FIELDS)
def test_the_way_back_has_the_old_templates_own_values(strategy: str):
    """The old revision's value of the key differs from the Rollout's now: it is kept with its ReplicaSet."""
    world = made(strategy, OWN, TRIAL, CHARGE)
    changed = {"metadata": {"labels": {"role": "other"}, "annotations": {"note": None}}}
    world.patch("Rollout", "web", {"spec": {"template": changed}})
    release(world, "green")
    world.settle()
    promote(world)
    other: Json = {"labels": {"role": "other"}, "annotations": {}}
    assert world.carried("blue") == [OWN]
    world.patch("Rollout", "web", {"spec": {"strategy": {strategy: dict.fromkeys(FIELDS[strategy])}}})
    world.settle()
    assert world.carried("green") == [other] * 3
    assert world.carried("blue") == [OWN]


def test_what_undo_writes_is_the_template_of_its_author():
    """Neither the metadata of a role, nor the hash, nor anti-affinity gets into the Rollout."""
    world = made("canary", OWN, TRIAL, CHARGE)
    asked = {"requiredDuringSchedulingIgnoredDuringExecution": {}}
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"antiAffinity": asked}}}})
    first = copy.deepcopy(world.objects["Rollout", "web"]["spec"]["template"])
    release(world, "green")
    world.settle()
    second = world.objects["Rollout", "web"]["spec"]["template"]
    assert "affinity" in world.set_of("green").spec.template["spec"]
    sets = [o for (kind, _), o in world.objects.items() if kind == "ReplicaSet"]
    owner = {"controller": True, "uid": world.rollout.metadata.uid}
    sets = [{**rs, "metadata": {**rs["metadata"], "ownerReferences": [owner]}} for rs in sets]
    assert revisions(world.objects["Rollout", "web"], sets) == {1: first, 2: second}


def test_a_pod_that_comes_late_with_old_metadata_is_corrected():
    """A ReplicaSet controller with an outdated template created it after everything was in step."""
    world = made("canary", OWN, TRIAL, None)
    release(world, "green")
    world.settle()
    green = world.set_of("green").metadata.name
    late = copy.deepcopy(next(o for o in world.objects.values() if o.get("owner") == green))
    promote(world)
    name, late["metadata"]["name"] = late["metadata"]["name"], "late"
    world.objects.pop(("Pod", name), None)
    world.add(late)
    world.settle()
    assert world.carried("green") == [OWN] * 3


def test_metadata_that_people_put_on_pods_and_replica_sets_stays():
    """Only keys that a role injected are the Rollout's: the rest of a pod's metadata is not touched."""
    world = made("canary", OWN, TRIAL, CHARGE)
    pod = next(name for kind, name in world.objects if kind == "Pod")
    world.patch("Pod", pod, {"metadata": {"labels": {"debug": "yes", "app": None}}})
    rs = world.set_of("blue").metadata.name
    world.patch("ReplicaSet", rs, {"metadata": {"labels": {"team": "a"}}})
    writes = len(world.writes)
    world.settle()
    assert len(world.writes) == writes
    labels = world.objects["Pod", pod]["metadata"]["labels"]
    assert (labels["debug"], "app" in labels) == ("yes", False)


@pytest.mark.parametrize("lost", [False, True], ids=["injected", "deleted with the injected one"])
@pytest.mark.parametrize(("part", "key"), [("labels", "role"), ("annotations", "note")])
def test_takeover_in_the_middle_brings_the_templates_value_back(part: str, key: str, lost: bool):
    """Argo Rollouts recorded only what it injected, and deleted the template's own key where it removed that."""
    world = made("canary", OWN, TRIAL, None)
    release(world, "green")
    world.settle()
    if lost:
        world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
        world.settle()
    green = world.set_of("green").metadata.name
    made_by_argo: Json = {TEMPLATE_METADATA: None}
    if lost:
        made_by_argo[EPHEMERAL_METADATA] = None
        for name in [name for (kind, name), o in world.objects.items() if kind == "Pod" and o["owner"] == green]:
            world.patch("Pod", name, {"metadata": {part: {key: None}}})
        world.patch("ReplicaSet", green, {"spec": {"template": {"metadata": {part: {key: None}}}}})
    world.patch("ReplicaSet", green, {"metadata": {"annotations": made_by_argo}})
    world.settle()
    if not lost:
        assert world.carried("green")[0] == with_(OWN, TRIAL)
        promote(world)
    assert world.carried("green") == [OWN] * 3
    assert world.set_of("green").metadata.labels[HASH] == world.rollout.status.current_pod_hash
    assert len(world.of("ReplicaSet")) == 2, "no new revision"


def test_the_record_is_readable_by_argo_rollouts():
    """`ephemeral-metadata` has exactly the injected keys, as `{labels, annotations}`."""
    world = made("canary", OWN, TRIAL, CHARGE)
    release(world, "green")
    world.settle()
    noted = {i: world.set_of(i).metadata.annotations for i in ("blue", "green")}
    assert json.loads(noted["green"][EPHEMERAL_METADATA]) == TRIAL
    assert json.loads(noted["blue"][EPHEMERAL_METADATA]) == CHARGE
    assert [noted[i][REVISION] for i in ("blue", "green")] == ["1", "2"]


@pytest.mark.parametrize("key", [EPHEMERAL_METADATA, TEMPLATE_METADATA])
def test_records_copied_onto_the_rollout_do_no_harm(key: str):
    """A Rollout created from a ReplicaSet's YAML has its annotations: they are not this Rollout's records."""
    world = made("canary", OWN, TRIAL, CHARGE)
    world.patch("Rollout", "web", {"metadata": {"annotations": {key: '{"labels":{"app":"x"}}'}}})
    world.settle()
    assert world.carried("blue") == [with_(OWN, CHARGE)] * 3
