"""The OpenAPI documents: complete in themselves, and their addresses change with their content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from serinus.api.schema.crds import crds
from serinus.local.schema.kinds import Schemas
from serinus.local.schema.publishing.openapi_protobuf import asked_for

Json = dict[str, Any]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_reference_leads_to_a_schema_of_the_same_document(schemas: Schemas):
    for group_version in schemas.openapi_v3_paths()["paths"]:
        document = schemas.openapi_v3(group_version)
        known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert set(references(document)) <= known, group_version
    v2 = schemas.openapi_v2()
    assert set(references(v2)) <= {f"#/definitions/{name}" for name in v2["definitions"]}


def test_each_kind_is_found_by_its_group_version_and_kind(schemas: Schemas):
    v2 = schemas.openapi_v2()
    found = {
        tuple(g.values()) for d in v2["definitions"].values() for g in d.get("x-kubernetes-group-version-kind", [])
    }
    for r in schemas.resources():
        gvk = {"group": r.group, "version": r.version, "kind": r.kind}
        document = schemas.openapi_v3(f"apis/{r.api_version}" if r.group else f"api/{r.version}")
        operation = document["paths"][r.path("{namespace}" if r.namespaced else "", "{name}")]["patch"]
        assert operation["x-kubernetes-group-version-kind"] == gvk
        assert {"dryRun", "fieldValidation", "fieldManager"} <= {p["name"] for p in operation["parameters"]}
        assert any(
            gvk in d.get("x-kubernetes-group-version-kind", []) for d in document["components"]["schemas"].values()
        )
    assert found


def test_only_built_in_kinds_offer_strategic_merge_patches(schemas: Schemas):
    built_in = json.dumps(schemas.openapi_v3("apis/apps/v1")["paths"])
    custom = json.dumps(schemas.openapi_v3("apis/argoproj.io/v1alpha1")["paths"])
    assert "strategic-merge-patch" in built_in
    assert "strategic-merge-patch" not in custom


def test_the_address_of_a_document_changes_with_its_definition():
    served = Schemas()
    rollouts = next(c for c in crds() if c["spec"]["names"]["kind"] == "Rollout")
    served.add_crd(rollouts)
    before = dict(served.openapi_v3_paths()["paths"])
    spec = rollouts["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["new"] = {"type": "string"}
    served.add_crd(rollouts)
    after = served.openapi_v3_paths()["paths"]
    assert [name for name in after if after[name] != before[name]] == ["apis/argoproj.io/v1alpha1"]


def test_a_group_that_is_not_served_has_no_document(schemas: Schemas):
    assert schemas.openapi_v3("apis/nobody.io/v1")["paths"] == {}


def test_the_protobuf_form_of_the_v2_document_says_the_same(schemas: Schemas):
    """Every path and definition is there, with names, references, types and the extensions that kubectl finds kinds by."""
    document, message = schemas.openapi_v2(), parts(schemas.openapi_v2_protobuf())
    paths = {entry[1][0].decode(): parts(entry[2][0]) for entry in map(parts, parts(message[8][0])[2])}
    definitions = {entry[1][0].decode(): parts(entry[2][0]) for entry in map(parts, parts(message[9][0])[1])}
    assert paths.keys() == document["paths"].keys()
    assert definitions.keys() == document["definitions"].keys()
    for name, schema in document["definitions"].items():
        same(schema, definitions[name])
    verbs = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    for path, item in document["paths"].items():
        assert {v for v in verbs if v in item} == {v for v, n in verbs.items() if n in paths[path]}, path


def same(schema: Json, message: dict[int, list[bytes]]) -> None:
    for key, number in (("$ref", 1), ("format", 2), ("description", 4), ("pattern", 13)):
        assert [v.decode() for v in message.get(number, [])] == ([schema[key]] if key in schema else [])
    assert [v.decode() for v in message.get(19, [])] == schema.get("required", [])
    assert [parts(v)[1][0].decode() for v in message.get(22, [])] == ([schema["type"]] if "type" in schema else [])
    said = {e[1][0].decode(): json.loads(parts(e[2][0])[2][0]) for e in map(parts, message.get(31, []))}
    assert said == {k: v for k, v in schema.items() if k.startswith("x-")}
    below = {e[1][0].decode(): e[2][0] for m in message.get(25, []) for e in map(parts, parts(m)[1])}
    assert below.keys() == schema.get("properties", {}).keys()
    for name, part in schema.get("properties", {}).items():
        same(part, parts(below[name]))
    for key, number in (("items", 23), ("additionalProperties", 21)):
        if isinstance(schema.get(key), dict):
            same(schema[key], parts(parts(message[number][0])[1][0]))


def parts(data: bytes) -> dict[int, list[bytes]]:
    """Field number -> its values in order, for messages (wire types 0, 1 and 2)."""
    found: dict[int, list[bytes]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while data[at] > 0x7F:
            value |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
        at += 1
        return value | data[at - 1] << shift

    while at < len(data):
        tag = varint()
        size = {0: 0, 1: 8, 2: -1}[tag & 7]
        if not size:
            found.setdefault(tag >> 3, []).append(varint().to_bytes(8, "little"))
            continue
        size = varint() if size < 0 else size
        found.setdefault(tag >> 3, []).append(data[at : at + size])
        at += size
    return found


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", True),
        ("application/com.github.proto-openapi.spec.v2.v1.0+protobuf;q=1, application/json", True),
        ("text/html, application/com.github.proto-openapi.spec.v2@v1.0+protobuf", True),
        ("application/json, application/com.github.proto-openapi.spec.v2@v1.0+protobuf", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_the_protobuf_form_is_for_clients_that_ask_for_it(accept: str, wanted: bool):
    assert asked_for(accept) is wanted
