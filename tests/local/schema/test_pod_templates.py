"""Pod templates inside Rollouts, Experiments and analyses: the values that their definitions accept, and the results."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from serinus.api.experiment import Experiment
from serinus.api.pods.identity import pod_template_hash, same_template
from serinus.api.rollout import Rollout
from serinus.api.schema import schemas
from serinus.api.validation.rollout import validate
from serinus.engine.experiment.validation import invalid_experiment
from serinus.local.schema.kinds import Kind

Json = dict[str, Any]
KindOf = Callable[[str], Kind]
CORE = "io.k8s.api.core.v1."


def quantity_fields(name: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of each quantity below a core type; `[]` and `{}` are an item of a list and a value of a map."""
    for field, schema in schemas.definitions()[name].get("properties", {}).items():
        here, part = (*path, field), schema
        while "items" in part or isinstance(part.get("additionalProperties"), dict):
            here, part = (*here, "[]" if "items" in part else "{}"), part.get("items") or part["additionalProperties"]
        target = part.get("$ref", "").removeprefix(schemas.PREFIX)
        if target.endswith(".Quantity"):
            yield here
        elif target.startswith(CORE) and target not in (name, CORE + "ObjectReference"):
            yield from quantity_fields(target, here)


FIELDS = [f for f in quantity_fields(CORE + "PodSpec") if f[0] not in ("initContainers", "ephemeralContainers")]
WHOLE_ONLY = [f for f in FIELDS if f[0] in ("overhead", "resources") or f[:3] == ("containers", "[]", "env")]
"""Argo Rollouts' definitions accept whole numbers and text there, but no fractions."""
SAME = [(0.5, "500m"), (1.5, "1500m"), (2, "2"), (2.0, "2"), (0, "0"), (1073741824, "1Gi"), ("1000m", "1")]
"""One amount, written in two ways."""
CASES = [
    pytest.param(field, one, other, id=f"{'.'.join(field)}={one!r}")
    for field in FIELDS
    for one, other in SAME
    if not (isinstance(one, float) and field in WHOLE_ONLY)
]


def spec_with(field: tuple[str, ...], amount: Any) -> Json:
    """A pod's spec with the amount at this place, and its required fields."""
    spec: Json = {"containers": [{"name": "web", "image": "web:1"}]}
    value: Any = amount
    for name in reversed(field):
        value = [value] if name == "[]" else {"cpu": value} if name == "{}" else {name: value}
    for name, part in value.items():
        if name == "containers":
            spec["containers"][0] |= part[0]
        else:
            spec[name] = part
    for container in spec["containers"]:
        for variable in container.get("env", ()):
            variable["name"] = "X"
            variable["valueFrom"]["resourceFieldRef"]["resource"] = "limits.cpu"
    for volume in spec.get("volumes", ()):
        volume["name"] = "v"
        parts = [volume, *volume.get("projected", {}).get("sources", ())]
        for item in (i for part in parts for i in part.get("downwardAPI", {}).get("items", ())):
            item["path"] = "x"
            item["resourceFieldRef"]["resource"] = "limits.cpu"
    return spec


def rollout_of(spec: Json) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, "strategy": {"canary": {}}},
    }


def experiment_of(spec: Json) -> Json:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    templates = [{"name": "one", "selector": {"matchLabels": {"a": "b"}}, "template": template}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"templates": templates},
    }


def analysis_of(name: str, spec: Json) -> Json:
    job = {"spec": {"template": {"spec": {"restartPolicy": "Never", **spec}}}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": name,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"metrics": [{"name": "one", "provider": {"job": job}}]},
    }


def all_five(spec: Json) -> Iterator[Json]:
    yield rollout_of(spec)
    yield experiment_of(spec)
    for name in ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"):
        yield analysis_of(name, spec)


@pytest.mark.parametrize(("field", "one", "other"), CASES)
def test_an_amount_may_be_a_number_or_text(kind: KindOf, field: tuple[str, ...], one: Any, other: str):
    """Every kind with a pod template accepts it, the Rollout is valid, and both ways of writing are one revision."""
    for obj in (*all_five(spec_with(field, one)), *all_five(spec_with(field, other))):
        assert kind(obj["kind"]).validate(obj) == []
        assert kind(obj["kind"]).unknown_fields(obj) == []
    rollouts = [msgspec.convert(rollout_of(spec_with(field, amount)), Rollout) for amount in (one, other)]
    if field[0] != "overhead":  # a RuntimeClass decides about it
        assert [validate(r) for r in rollouts] == [None, None]
    templates = [r.spec.template for r in rollouts]
    assert same_template(templates[0], templates[1])
    made = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": copy.deepcopy(templates[0])},
    }
    stored = kind("ReplicaSet").default(made)
    assert kind("ReplicaSet").validate(stored) == []
    assert all(same_template(stored["spec"]["template"], t) for t in templates)
    assert pod_template_hash(templates[0])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("volumes", [{"name": "v", "emptyDir": {}, "notAField": 1}]),
        ("volumes", [{"name": "v", "notASource": {"a": 1}}]),
        ("volumes", [{"name": "v", "emptyDir": {}}, {"name": "w", "configMap": {"name": "c", "notAField": [1]}}]),
        ("volumes", [{"name": "v", "emptyDir": None}]),
        ("volumes", None),
        ("limits", {"cpu": None}),
        ("limits", None),
        ("limits", {"cpu": 0.5, "example.com/gpu": 1}),
    ],
)
def test_what_argo_rollouts_keeps_open_is_open_here(kind: KindOf, place: str, value: Any):
    """Unknown fields of volumes and nulls are accepted; a ReplicaSet made of the template is still the same revision."""
    spec: Json = {"containers": [{"name": "web", "image": "web:1"}]}
    if place == "volumes":
        spec["volumes"] = value
    else:
        spec["containers"][0]["resources"] = {"limits": value}
    for obj in all_five(spec):
        given = kind(obj["kind"]).without_nulls(obj)
        assert kind(obj["kind"]).unknown_fields(given) == []
        assert kind(obj["kind"]).validate(given) == []
    stored = kind("Rollout").without_nulls(rollout_of(spec))
    template = msgspec.convert(stored, Rollout).spec.template
    assert validate(msgspec.convert(stored, Rollout)) is None
    rs = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"}, "spec": {"template": template}}
    made = kind("ReplicaSet").default(kind("ReplicaSet").prune(rs))
    if value != {"cpu": None}:  # zero here and in Go, left out by the API server
        assert same_template(made["spec"]["template"], template)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("volumes", {"name": "v"}),
        ("volumes", "v"),
        ("volumes", 1),
        ("volumes", ["v"]),
        ("volumes", [{"name": 1, "emptyDir": {}}]),
        ("volumes", [{"name": "v", "emptyDir": []}]),
        ("volumes", [{"name": "v", "emptyDir": "a"}]),
        ("volumes", [{"name": "v", "emptyDir": {"sizeLimit": True}}]),
        ("volumes", [{"name": "v", "emptyDir": {"sizeLimit": {}}}]),
        ("volumes", [{"name": "v", "projected": {"sources": {"a": 1}}}]),
        ("volumes", [{"name": "v", "downwardAPI": {"items": "abc"}}]),
        ("volumes", [{"name": "v", "configMap": {"name": "c", "items": [1]}}]),
        ("volumes", [[]]),
        ("limits", []),
        ("limits", "500m"),
        ("limits", {"cpu": "half"}),
        ("limits", {"cpu": True}),
        ("limits", {"cpu": {}}),
        ("limits", {"cpu": ["1"]}),
        ("limits", {"cpu": ""}),
        ("requests", 1),
    ],
)
def test_what_no_pod_may_have_makes_the_spec_invalid(kind: KindOf, place: str, value: Any):
    """The definitions accept it, as Argo Rollouts' do; Rollout and Experiment name the field, and nothing fails on the way."""
    spec: Json = {"containers": [{"name": "web", "image": "web:1"}]}
    if place == "volumes":
        spec["volumes"] = value
    else:
        spec["containers"][0]["resources"] = {place: value}
    rollout = rollout_of(spec)
    assert kind("Rollout").validate(rollout) == []
    finding = validate(msgspec.convert(rollout, Rollout))
    assert finding is not None
    assert finding.path.startswith(
        f"spec.template.spec.{'volumes' if place == 'volumes' else 'containers[0].resources.'}"
    )
    said = invalid_experiment(msgspec.convert(experiment_of(spec), Experiment))
    assert said.startswith(finding.path.replace("spec.template", "spec.templates[0].template"))
