"""The owner of each field, after updates and after server-side apply."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from serinus.local.schema.kinds import Kind
from serinus.local.schema.patching.managed_fields import MOST_UPDATERS, ApplyConflict, ApplyRefused, apply, track

Json = dict[str, Any]
Find = Callable[[str], Kind]


@pytest.fixture
def deployment(kind: Find) -> Kind:
    return kind("Deployment")


def written(template: Json, **spec: Any) -> Json:
    selector = {"matchLabels": {"a": "b"}}
    spec = {"selector": selector, "template": copy.deepcopy(template), **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def applied(
    kind: Kind, live: Json | None, obj: Json, manager: str = "kubectl", *, force: bool = False, now: str = "T1"
) -> Json:
    return kind.default(apply(kind, live, obj, manager=manager, force=force, now=now))


def updated(kind: Kind, live: Json, manager: str, *, now: str = "T2", subresource: str = "", **spec: Any) -> Json:
    new = copy.deepcopy(live)
    new["spec"] |= spec
    new["metadata"]["managedFields"] = track(kind, live, new, manager=manager, now=now, subresource=subresource)
    return new


def owners(obj: Json) -> list[str]:
    return [entry["manager"] for entry in obj["metadata"]["managedFields"]]


def names(obj: Json) -> list[str]:
    return [c["name"] for c in obj["spec"]["template"]["spec"]["containers"]]


def test_applying_twice_changes_nothing(deployment: Kind, template: Json):
    once = applied(deployment, None, written(template, replicas=2))
    assert applied(deployment, once, written(template, replicas=2), now="T9") == once


def test_a_value_that_another_set_is_a_conflict_in_the_words_of_a_real_server(deployment: Kind, template: Json):
    live = applied(deployment, None, written(template, replicas=2))
    live = updated(deployment, live, "hpa", subresource="scale", replicas=7)
    with pytest.raises(ApplyConflict) as caught:
        applied(deployment, live, written(template, replicas=2))
    assert (
        str(caught.value)
        == 'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas'
    )
    assert caught.value.conflicts == [("hpa", ".spec.replicas")]


def test_force_takes_the_field_over(deployment: Kind, template: Json):
    live = updated(deployment, applied(deployment, None, written(template, replicas=2)), "hpa", replicas=7)
    out = applied(deployment, live, written(template, replicas=2), force=True)
    assert out["spec"]["replicas"] == 2
    assert owners(out) == ["kubectl"]


def test_a_field_that_is_not_applied_stays_with_who_changed_it(deployment: Kind, template: Json):
    """So an autoscaler and GitOps can share an object."""
    live = updated(deployment, applied(deployment, None, written(template)), "hpa", replicas=7)
    out = applied(deployment, live, written(template))
    assert out["spec"]["replicas"] == 7
    assert owners(out) == ["kubectl", "hpa"]


def test_what_is_applied_no_more_goes_unless_another_owns_it(deployment: Kind, template: Json):
    both = copy.deepcopy(template)
    both["spec"]["containers"].append({"name": "side", "image": "s"})
    live = applied(deployment, None, written(both))
    assert names(live) == ["web", "side"]
    assert names(applied(deployment, live, written(template))) == ["web"]
    shared = applied(deployment, live, written(both), "other")
    assert names(applied(deployment, shared, written(template))) == ["web", "side"]


def test_ports_are_found_again_by_their_default_protocol(deployment: Kind, template: Json):
    """Manifests leave the protocol out; a second entry for the same port would be refused."""
    live = applied(deployment, None, written(template))
    template["spec"]["containers"][0]["ports"][0]["name"] = "http"
    out = applied(deployment, live, written(template))
    assert out["spec"]["template"]["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "name": "http"}
    ]


def test_an_object_made_without_apply_conflicts_when_applied_differently(deployment: Kind, template: Json):
    live = deployment.default(written(template, replicas=2))
    live["metadata"]["managedFields"] = track(deployment, None, live, manager="kubectl-create", now="T0")
    with pytest.raises(ApplyConflict, match='conflict with "kubectl-create" using apps/v1: \\.spec\\.replicas'):
        applied(deployment, live, written(template, replicas=3))


def test_conflicts_inside_lists_name_the_item(deployment: Kind, template: Json):
    live = applied(deployment, None, written(template), "first")
    template["spec"]["containers"][0]["image"] = "web:2"
    with pytest.raises(ApplyConflict) as caught:
        applied(deployment, live, written(template), "second")
    assert caught.value.conflicts == [("first", '.spec.template.spec.containers[name="web"].image')]


def test_an_update_owns_what_it_changed_and_nothing_else(deployment: Kind, template: Json):
    live = applied(deployment, None, written(template, replicas=2))
    entry = updated(deployment, live, "me", replicas=3)["metadata"]["managedFields"][-1]
    assert (entry["manager"], entry["operation"], entry["fieldsV1"]) == ("me", "Update", {"f:spec": {"f:replicas": {}}})


def test_writes_of_status_never_own_the_spec(kind: Find):
    rollout = kind("Rollout")
    old = {"metadata": {"name": "r"}, "spec": {"replicas": 1}}
    new = {**old, "status": {"phase": "Healthy"}}
    entry = track(rollout, old, new, manager="controller", now="T", subresource="status")[0]
    assert entry["fieldsV1"].keys() == {"f:status"}
    assert entry["subresource"] == "status"


def test_a_write_that_changes_nothing_leaves_owners_and_times_alone(deployment: Kind, template: Json):
    live = applied(deployment, None, written(template))
    assert track(deployment, live, copy.deepcopy(live), manager="x", now="T9") == live["metadata"]["managedFields"]


def test_the_list_of_owners_does_not_grow_for_ever(deployment: Kind, template: Json):
    live = applied(deployment, None, written(template))
    for i in range(30):
        live = updated(
            deployment,
            live,
            f"writer-{i}",
            now=f"T{i:02}",
            strategy={"type": "RollingUpdate", "rollingUpdate": {f"x{i}": 1}},
        )
    assert len(owners(live)) <= MOST_UPDATERS + 1


def test_removing_a_label_frees_it(deployment: Kind, template: Json):
    obj = written(template)
    obj["metadata"]["labels"] = {"x": "y", "z": "w"}
    live = applied(deployment, None, obj)
    new = copy.deepcopy(live)
    del new["metadata"]["labels"]["x"]
    mine = track(deployment, live, new, manager="me", now="T")
    assert mine[0]["fieldsV1"]["f:metadata"] == {"f:labels": {"f:z": {}}}
    assert len(mine) == 1


def test_items_with_the_same_keys_cannot_be_applied(deployment: Kind, template: Json):
    """No manager could own one of them and not the other."""
    containers = template["spec"]["containers"]
    containers[0]["ports"].append({"containerPort": 80, "protocol": "TCP"})
    containers.append(copy.deepcopy(containers[0]))
    for live in (None, applied(deployment, None, written({"spec": {"containers": [{"name": "web"}]}}))):
        with pytest.raises(ApplyRefused) as caught:
            applied(deployment, live, written(template))
        place = ".spec.template.spec.containers"
        assert str(caught.value) == (
            "failed to create typed patch object (d; apps/v1, Kind=Deployment): "
            f'{place}: duplicate entries for key [name="web"], '
            f'{place}[name="web"].ports: duplicate entries for key [containerPort=80,protocol="TCP"]'
        )
