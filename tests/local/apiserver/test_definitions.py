"""CustomResourceDefinitions: served at once, with their schema, in several versions, and gone with their objects."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.api.resources import BUILT_IN, CRDS, Resource
from serinus.kube.client import Client
from serinus.kube.errors import Invalid, NotFound

Json = dict[str, Any]
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "colour": {"type": "string", "default": "red"},
                "replicas": {"type": "integer"},
            },
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
    },
}
COLUMNS: list[Json] = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
CRD: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "hats.shop.example.com"},
    "spec": {
        "group": "shop.example.com",
        "scope": "Namespaced",
        "names": {"plural": "hats", "kind": "Hat", "shortNames": ["ht"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": SCHEMA},
                "additionalPrinterColumns": COLUMNS,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
            }
        ],
    },
}
HATS = Resource("shop.example.com", "v1", "hats", "Hat")
URL = "/apis/shop.example.com/v1/namespaces/default/hats"


def hat(name: str = "top", **spec: Any) -> Json:
    return {"apiVersion": "shop.example.com/v1", "kind": "Hat", "metadata": {"name": name}, "spec": {"size": 5, **spec}}


async def test_a_definition_is_served_at_once_with_its_schema(client: Client, send: Any) -> None:
    assert (await send("GET", URL))[0] == 404
    made = await client.create(CRDS, copy.deepcopy(CRD))
    conditions = {c["type"]: c["status"] for c in made["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["storedVersions"] == ["v1"]
    assert (await client.create(HATS, hat(), "default"))["spec"] == {"size": 5, "colour": "red"}
    with pytest.raises(
        Invalid,
        match=r'Hat.shop.example.com "small" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater',
    ):
        await client.create(HATS, hat("small", size=0), "default")
    status, error = await send("POST", f"{URL}?fieldValidation=Strict", hat("odd", shape="round"))
    assert (status, 'strict decoding error: unknown field "spec.shape"' in error["message"]) == (400, True)
    assert "shape" not in (await client.create(HATS, hat("odd", shape="round"), "default"))["spec"]
    _, groups = await send("GET", "/apis")
    assert "shop.example.com" in [g["name"] for g in groups["groups"]]


async def test_its_columns_are_shown_and_it_scales(client: Client, send: Any) -> None:
    await client.create(CRDS, copy.deepcopy(CRD))
    await client.create(HATS, hat(replicas=2), "default")
    _, table = await send("GET", URL, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"] == ["top", 5, "0s"]
    assert (await client.get(HATS, "top", "default", subresource="scale"))["spec"] == {"replicas": 2}


async def test_versions_show_the_same_objects(client: Client, send: Any) -> None:
    crd = copy.deepcopy(CRD)
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
    await client.create(CRDS, crd)
    await client.create(HATS, hat(), "default")
    _, value = await send("GET", URL.replace("/v1/", "/v2/") + "/top")
    assert (value["apiVersion"], value["spec"]["size"]) == ("shop.example.com/v2", 5)
    _, values = await send("GET", URL.replace("/v1/", "/v2/"))
    assert (values["apiVersion"], values["items"][0]["apiVersion"]) == ("shop.example.com/v2", "shop.example.com/v2")


async def test_a_definition_that_makes_no_sense_serves_nothing(client: Client, send: Any) -> None:
    crd = copy.deepcopy(CRD)
    crd["metadata"]["name"] = "caps.shop.example.com"
    with pytest.raises(Invalid, match=r"metadata\.name"):
        await client.create(CRDS, crd)
    assert (await send("GET", URL))[0] == 404


async def test_a_dry_run_of_a_definition_serves_nothing(send: Any) -> None:
    status, _ = await send("POST", f"{CRDS.path()}?dryRun=All", copy.deepcopy(CRD))
    assert status == 201
    assert (await send("GET", URL))[0] == 404


async def test_a_definition_goes_with_its_objects_and_waits_for_those_held(client: Client, send: Any) -> None:
    await client.create(CRDS, copy.deepcopy(CRD))
    await client.create(HATS, hat("free"), "default")
    held = hat("held")
    held["metadata"]["finalizers"] = ["x.io/hold"]
    await client.create(HATS, held, "default")
    await client.delete(CRDS, "hats.shop.example.com")
    assert [o["metadata"]["name"] for o in (await client.list(HATS)).items] == ["held"]
    await client.patch(HATS, "held", {"metadata": {"finalizers": None}}, "default")
    assert (await send("GET", URL))[0] == 404
    with pytest.raises(NotFound):
        await client.get(CRDS, "hats.shop.example.com")
    await client.create(CRDS, copy.deepcopy(CRD))
    assert (await client.list(HATS)).items == []


@pytest.mark.parametrize("resource", [r for r in BUILT_IN if r.group], ids=lambda r: r.group_resource)
async def test_a_definition_over_a_kind_that_is_served_is_refused(client: Client, resource: Resource) -> None:
    """Once accepted, its removal deleted the users' own objects of that kind."""
    crd = copy.deepcopy(CRD)
    crd["metadata"]["name"] = resource.group_resource
    crd["spec"]["group"] = resource.group
    crd["spec"]["names"] = {"plural": resource.plural, "kind": resource.kind}
    with pytest.raises(Invalid, match=r"spec\.group: Forbidden: .*serves this group itself"):
        await client.create(CRDS, crd)
