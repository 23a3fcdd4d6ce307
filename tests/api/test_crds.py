"""The five definitions: every published field, and only content that a real API server accepts."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from serinus.api.resources import ARGOPROJ
from serinus.api.schema.crds import crds

Json = dict[str, Any]
BY_KIND = {crd["spec"]["names"]["kind"]: crd for crd in crds()}


def root(kind: str) -> Json:
    return BY_KIND[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def paths(schema: Json, at: str = "") -> Iterator[str]:
    for name, part in schema.get("properties", {}).items():
        here = f"{at}.{name}" if at else name
        yield here
        yield from paths(part, here)
    if "items" in schema:
        yield f"{at}[]"
        yield from paths(schema["items"], f"{at}[]")


def test_all_five_kinds_are_defined_with_their_names():
    for r in ARGOPROJ:
        names, spec = BY_KIND[r.kind]["spec"]["names"], BY_KIND[r.kind]["spec"]
        assert (names["plural"], names["singular"], tuple(names["shortNames"])) == (r.plural, r.singular, r.short_names)
        assert spec["scope"] == ("Namespaced" if r.namespaced else "Cluster")


@pytest.mark.parametrize("kind", BY_KIND)
def test_every_listed_field_is_in_the_schema(kind: str):
    text = files("serinus.api.schema").joinpath("argoproj.fields.txt").read_text(encoding="utf-8")
    section = next(part for part in text.split("\n## ") if part.startswith(f"{kind} "))
    lines = [line for line in section.splitlines()[1:] if line and not line.startswith("column ")]
    assert {line.split(": ")[0] for line in lines} - set(paths(root(kind))) == set()


def test_a_rollout_can_be_scaled_and_has_the_columns_users_know():
    version = BY_KIND["Rollout"]["spec"]["versions"][0]
    assert version["subresources"]["scale"]["labelSelectorPath"] == ".status.selector"
    assert version["subresources"]["status"] == {}
    assert [c["name"] for c in version["additionalPrinterColumns"]] == [
        "Desired",
        "Current",
        "Up-to-date",
        "Available",
        "Age",
    ]


def test_pod_templates_are_whole_and_keep_their_metadata():
    template = root("Rollout")["properties"]["spec"]["properties"]["template"]["properties"]
    assert template["metadata"]["x-kubernetes-preserve-unknown-fields"]
    container = template["spec"]["properties"]["containers"]["items"]["properties"]
    assert container["resources"]["properties"]["limits"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert container["ports"]["items"]["properties"]["protocol"]["default"] == "TCP"


def test_each_call_gives_new_objects():
    crds()[0]["metadata"]["name"] = "changed"
    assert crds()[0]["metadata"]["name"] != "changed"


def test_descriptions_speak_of_fields_that_exist():
    described = [
        line
        for line in files("serinus.api.schema").joinpath("argoproj.words.txt").read_text().splitlines()
        if line[0] != "#"
    ]
    for line in described:
        place, _, words = line.partition(": ")
        kind, _, path = place.partition(" ")
        assert words.endswith("."), line
        assert not path or path in set(paths(root(kind))), line


def list_maps(schema: Json, at: str) -> Iterator[tuple[str, Json, str]]:
    """(place, schema of the items, key) of each list that is a map."""
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        yield at, schema["items"], key
    for name, part in schema.get("properties", {}).items():
        yield from list_maps(part, f"{at}.{name}")
    for below in ("items", "additionalProperties"):
        if isinstance(schema.get(below), dict):
            yield from list_maps(schema[below], f"{at}[]")


@pytest.mark.parametrize("kind", BY_KIND)
def test_each_key_of_a_list_is_required_or_has_a_default(kind: str):
    """A real API server refuses the definition otherwise."""
    for at, items, key in list_maps(root(kind), kind):
        assert key in items.get("required", ()) or "default" in items["properties"][key], f"{at}: {key}"


@pytest.mark.parametrize("kind", BY_KIND)
def test_a_kind_has_the_subresources_that_clients_are_told_of(kind: str):
    resource = next(r for r in ARGOPROJ if r.kind == kind)
    assert set(BY_KIND[kind]["spec"]["versions"][0]["subresources"]) == set(resource.subresources)
