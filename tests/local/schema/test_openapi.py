"""The OpenAPI documents: complete in themselves, and their addresses change with what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from serinus.api.crds import crds
from serinus.local.schema.kinds import Schemas

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
