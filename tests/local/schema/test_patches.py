"""Patches give the result of a Kubernetes API server, and never change their input."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.local.schema.kinds import Kind, Schemas
from serinus.local.schema.patching.patches import PatchError, json_patch, merge_patch, strategic_patch

Json = dict[str, Any]


def deployments() -> Kind:
    kind = Schemas().kind("apps", "v1", "deployments")
    assert kind
    return kind


def containers(*names: str) -> list[Json]:
    return [{"name": name, "image": f"{name}:1"} for name in names]


def with_containers(items: list[Json], **rest: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": items, **rest}}}}


def pod(obj: Json) -> Json:
    return obj["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("obj", "patch", "wanted"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "c"}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_follows_the_table_of_rfc_7396(obj: Json, patch: Json, wanted: Json):
    assert merge_patch(obj, patch) == wanted


def test_a_json_patch_whose_test_fails_says_so():
    with pytest.raises(PatchError, match="testing value"):
        json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 2}])


@pytest.mark.parametrize(
    "ops", [[{"op": "remove", "path": "/x"}], [{"op": "nonsense"}], [1], [{"op": "add", "path": "/a/b/c", "value": 1}]]
)
def test_a_json_patch_that_does_not_fit_is_an_error_not_a_crash(ops: list[Any]):
    with pytest.raises(PatchError):
        json_patch({"a": 1}, ops)


def test_strategic_patch_finds_containers_by_name_and_adds_new_ones():
    obj = with_containers(containers("web", "side"))
    out = strategic_patch(
        deployments(), obj, with_containers([{"name": "side", "image": "side:2"}, {"name": "new", "image": "n"}])
    )
    assert [(c["name"], c["image"]) for c in pod(out)["containers"]] == [
        ("web", "web:1"),
        ("side", "side:2"),
        ("new", "n"),
    ]


def test_strategic_patch_deletes_a_list_item_and_a_map():
    obj = with_containers(containers("web", "side"), securityContext={"runAsUser": 1})
    patch = with_containers([{"name": "web", "$patch": "delete"}], securityContext={"$patch": "delete"})
    out = pod(strategic_patch(deployments(), obj, patch))
    assert [c["name"] for c in out["containers"]] == ["side"]
    assert "securityContext" not in out


def test_strategic_patch_replaces_a_whole_list_when_told():
    obj = with_containers(containers("web", "side"))
    out = strategic_patch(deployments(), obj, with_containers([*containers("only"), {"$patch": "replace"}]))
    assert [c["name"] for c in pod(out)["containers"]] == ["only"]


def test_strategic_patch_keeps_the_order_asked_for():
    obj = with_containers(containers("a", "b", "c"))
    patch = with_containers([], **{"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]})
    assert [c["name"] for c in pod(strategic_patch(deployments(), obj, patch))["containers"]] == ["c", "a", "b"]


def test_changing_the_strategy_drops_the_fields_of_the_old_one():
    """kubectl sends $retainKeys: without it, Recreate with rollingUpdate would be refused."""
    obj = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    out = strategic_patch(deployments(), obj, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}})
    assert out["spec"]["strategy"] == {"type": "Recreate"}


def test_a_finalizer_is_taken_off_by_its_value():
    obj = {"metadata": {"finalizers": ["a", "b"]}}
    out = strategic_patch(
        deployments(), obj, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}
    )
    assert out["metadata"]["finalizers"] == ["b", "c"]


@pytest.mark.parametrize(
    "patch", [{"$patch": "explode"}, {"$what/x": []}, with_containers([{"image": "x"}]), {"spec": {"$retainKeys": "x"}}]
)
def test_a_directive_that_cannot_be_read_is_named(patch: Json):
    with pytest.raises(PatchError):
        strategic_patch(deployments(), with_containers(containers("a")), patch)


def test_patching_leaves_the_given_object_as_it_was():
    obj = with_containers(containers("a"), nodeSelector={"x": "y"})
    before = copy.deepcopy(obj)
    patch = with_containers([{"name": "a", "image": "z"}], nodeSelector={"x": None})
    strategic_patch(deployments(), obj, patch)
    merge_patch(obj, patch)
    json_patch(obj, [{"op": "remove", "path": "/spec/template/spec/containers/0"}])
    assert obj == before
