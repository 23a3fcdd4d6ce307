"""No write uses more of the store, or of the server's time, than its own size allows."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kube.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import LARGEST_OBJECT
from serinus.local.schema.patching.json_patches import MOST_COPIED, MOST_OPERATIONS, MOST_SHIFTED, json_patch
from serinus.local.schema.patching.patches import PatchError
from tests.support.long import crossed

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
MAP = f"{MAPS}/m"
PODS = "/api/v1/namespaces/default/pods"
BIG = "x" * (LARGEST_OBJECT - 2000)
TOO_BIG = "x" * LARGEST_OBJECT
SHAPES = [
    b"",
    b"null",
    b"1",
    b"[]",
    b"[1]",
    b"[{}]",
    b'"a"',
    b"{}",
    b'{"spec":1}',
    b'[{"op":"copy","path":1,"from":2}]',
]


def config_map(**data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data}


def copies(times: int) -> list[Json]:
    """Each operation copies the whole document so far into itself."""
    return [
        {"op": "copy", "from": "/metadata/annotations", "path": f"/metadata/annotations/a{i}"} for i in range(times)
    ]


@pytest.mark.parametrize(
    ("method", "url", "media", "body"),
    [
        ("POST", MAPS, "application/json", {**config_map(a=TOO_BIG), "metadata": {"name": "other"}}),
        ("POST", f"{MAPS}?dryRun=All", "application/json", {**config_map(a=TOO_BIG), "metadata": {"name": "other"}}),
        ("PUT", MAP, "application/json", config_map(a=TOO_BIG)),
        ("PUT", f"{MAP}?dryRun=All", "application/json", config_map(a=TOO_BIG)),
        ("PATCH", MAP, MERGE_PATCH, {"data": {"b": "x" * 2000}}),
        ("PATCH", MAP, STRATEGIC_PATCH, {"data": {"b": "x" * 2000}}),
        ("PATCH", MAP, JSON_PATCH, [{"op": "copy", "from": "/data/a", "path": "/data/b"}]),
        ("PATCH", f"{MAP}?fieldManager=me", APPLY_PATCH, config_map(b="x" * 2000)),
        ("POST", f"{PODS}/p/binding", "application/json", {"target": {"name": TOO_BIG}}),
    ],
)
async def test_no_way_of_writing_makes_an_object_larger_than_the_bound(
    send: Any, method: str, url: str, media: str, body: Any
) -> None:
    """etcd accepts at most 1.5 MiB, so no client of Kubernetes expects more."""
    assert (await send("POST", MAPS, config_map(a=BIG)))[0] == 201
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert (await send("POST", PODS, pod))[0] == 201
    status, value = await send(method, url, body, media)
    assert (status, value["reason"]) == (413, "RequestEntityTooLarge")
    assert str(LARGEST_OBJECT) in value["message"]
    assert (await send("GET", MAP))[1]["data"] == {"a": BIG}


async def test_an_object_at_the_bound_can_shrink_and_be_deleted(send: Any, api: ApiServer) -> None:
    """Otherwise an object stored before the limit existed could not be deleted."""
    huge = config_map(a=TOO_BIG * 2)
    huge["metadata"] |= {"namespace": "default", "uid": "u", "finalizers": ["a.b/c"]}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("serinus.local.apiserver.storage.store.LARGEST_OBJECT", 1 << 30)
        await api.store.put("configmaps", huge)
    assert (await send("DELETE", MAP))[0] == 200
    assert (await send("PATCH", MAP, {"metadata": {"annotations": {"a": BIG}}}, MERGE_PATCH))[0] == 413
    assert (await send("PATCH", MAP, {"data": {"a": "x"}}, MERGE_PATCH))[0] == 200
    assert (await send("PATCH", MAP, {"metadata": {"finalizers": None}}, MERGE_PATCH))[0] == 200
    assert (await send("GET", MAP))[0] == 404


async def test_a_patch_that_copies_itself_is_refused_before_it_grows(send: Any) -> None:
    obj = config_map() | {"metadata": {"name": "m", "annotations": {"a": "x" * 1000}}}
    assert (await send("POST", MAPS, obj))[0] == 201
    status, value = await send("PATCH", MAP, copies(20), JSON_PATCH)
    assert (status, value["reason"]) == (422, "Invalid")
    assert f"exceeding the limit {MOST_COPIED}" in value["message"]


async def test_more_operations_than_the_bound_are_not_carried_out(send: Any) -> None:
    assert (await send("POST", MAPS, config_map()))[0] == 201
    operation = {"op": "test", "path": "/kind", "value": "ConfigMap"}
    assert (await send("PATCH", MAP, [operation] * MOST_OPERATIONS, JSON_PATCH))[0] == 200
    status, value = await send("PATCH", MAP, [operation] * (MOST_OPERATIONS + 1), JSON_PATCH)
    assert (status, value["reason"]) == (413, "RequestEntityTooLarge")
    assert str(MOST_OPERATIONS) in value["message"]


@pytest.mark.parametrize("ends", [("/0", "/0"), ("/0", "/-")])
def test_a_list_is_not_moved_aside_without_end(ends: tuple[str, str]) -> None:
    """Each insertion at the front moves the whole list: few bytes of patch, much work."""
    items = MOST_SHIFTED // MOST_OPERATIONS * 2
    start, end = (f"/a{place}" for place in ends)
    with pytest.raises(PatchError, match="moves more than"):
        json_patch({"a": [0] * items}, [{"op": "move", "from": start, "path": end}] * MOST_OPERATIONS)


@pytest.mark.parametrize("media", [JSON_PATCH, MERGE_PATCH, APPLY_PATCH])
async def test_a_patch_does_not_nest_an_object_deeper_than_a_body_may_be(send: Any, media: str) -> None:
    def nested(levels: int) -> Any:
        return {"a": nested(levels - 1)} if levels else "x"

    crd = _anything()
    assert (await send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd))[0] == 201
    url = "/apis/x.io/v1/namespaces/default/anythings"
    obj = {"apiVersion": "x.io/v1", "kind": "Anything", "metadata": {"name": "m"}}
    assert (await send("POST", url, obj | {"spec": {str(i): {} for i in range(300)}}))[0] == 201
    if media == JSON_PATCH:
        body: Any = [{"op": "move", "from": f"/spec/{i}", "path": f"/spec/{i + 1}/a"} for i in range(299)]
    else:
        body = {**obj, "spec": nested(200)}
    status, value = await send("PATCH", f"{url}/m?fieldManager=me", body, media)
    assert status in (400, 422)
    assert "nest" in value["message"]


@pytest.mark.parametrize(
    ("media", "body", "subresource"),
    crossed([JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH], SHAPES, ["", "/scale", "/status"]),
)
async def test_a_patch_of_another_shape_is_refused_in_words(
    send: Any, media: str, body: bytes, subresource: str
) -> None:
    """A patch without a body, or of a list in place of a map, reaches every place that accepts one."""
    deployment: Json = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    }
    base = "/apis/apps/v1/namespaces/default/deployments"
    assert (await send("POST", base, deployment))[0] == 201
    status, value = await send("PATCH", f"{base}/d{subresource}?fieldManager=me", body or b" ", media)
    assert status in (200, 400, 409, 415, 422), value
    assert value.get("message", "") != "" or status == 200


def _anything() -> Json:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "anythings", "kind": "Anything"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "anythings.x.io"},
        "spec": {"group": "x.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }
