"""The server's answers about objects: unknown fields, defaults, and errors, in Kubernetes' words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.resources import ARGOPROJ, BUILT_IN
from serinus.local.schema.kinds import Kind, Schemas

Json = dict[str, Any]
Find = Callable[[str], Kind]


def stored(kind: Kind, obj: Json) -> Json:
    return kind.default(kind.prune({"metadata": {"name": "x"}, **obj}))


def flaws(kind: Kind, obj: Json, old: Json | None = None) -> list[str]:
    return [error.message() for error in kind.validate(stored(kind, obj), old)]


def deployment(template: Json, **spec: Any) -> Json:
    return {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}}


def test_every_kind_is_served(schemas: Schemas):
    for r in (*BUILT_IN, *ARGOPROJ):
        assert schemas.kind(r.group, r.version, r.plural), r.kind
    assert schemas.kind("", "v1", "unicorns") is None


def test_unknown_fields_are_named_with_their_place_and_dropped(kind: Find, template: Json):
    obj = deployment(template, replicsa=3)
    obj["spec"]["template"]["spec"]["containers"][0]["imgae"] = "x"
    obj["metadata"] = {"name": "x", "lables": {}}
    found = kind("Deployment").unknown_fields(obj)
    assert sorted(found) == [
        'unknown field "metadata.lables"',
        'unknown field "spec.replicsa"',
        'unknown field "spec.template.spec.containers[0].imgae"',
    ]
    pruned = kind("Deployment").prune(obj)
    assert "replicsa" not in pruned["spec"]
    assert "imgae" not in pruned["spec"]["template"]["spec"]["containers"][0]


def test_maps_and_free_form_objects_keep_every_key(kind: Find):
    crd = {"metadata": {"annotations": {"any/thing": "x"}}, "data": {"free": "x"}}
    assert kind("ConfigMap").unknown_fields(crd) == []
    rollout = {"spec": {"strategy": {"canary": {"trafficRouting": {"plugins": {"vendor/x": {"deep": [{"y": 1}]}}}}}}}
    assert kind("Rollout").unknown_fields(rollout) == []
    assert kind("Rollout").prune(rollout) == rollout


def test_a_deployment_is_stored_with_the_defaults_that_kubectl_shows(kind: Find, template: Json):
    spec = stored(kind("Deployment"), deployment(template))["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30


def test_a_rollout_is_stored_with_protocols_and_nothing_else_new(kind: Find, template: Json):
    """Argo Rollouts' schema has no more defaults; more would change hashes of its pod templates."""
    obj: Json = {"metadata": {"name": "r"}, "spec": {"template": template}}
    wanted: Json = copy.deepcopy(obj)
    wanted["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = "TCP"
    assert stored(kind("Rollout"), obj) == wanted


def test_a_service_gets_its_target_port_and_protocol(kind: Find):
    spec = stored(kind("Service"), {"spec": {"ports": [{"port": 80}]}})["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (spec["type"], spec["sessionAffinity"]) == ("ClusterIP", "None")


def test_texts_of_a_secret_are_stored_encoded(kind: Find):
    assert stored(kind("Secret"), {"stringData": {"a": "hello"}})["data"] == {"a": "aGVsbG8="}


def test_defaulting_leaves_the_given_object_as_it_was(kind: Find, template: Json):
    for name in ("Deployment", "ReplicaSet", "Job", "Rollout"):
        obj = {"metadata": {"name": "x"}, **deployment(copy.deepcopy(template))}
        before = copy.deepcopy(obj)
        kind(name).default(kind(name).prune(obj))
        assert obj == before


@pytest.mark.parametrize("value", ["x", 3, [], [3], None, {"a": 1}, [{"name": 3}]])
@pytest.mark.parametrize("field", ["containers", "volumes", "terminationGracePeriodSeconds", "securityContext"])
def test_malformed_pods_get_an_answer_not_a_crash(kind: Find, field: str, value: Any):
    pod = {"spec": {"containers": [{"name": "a", "image": "b"}], field: value}}
    for obj, name in (
        (pod, "Pod"),
        (deployment(pod), "Deployment"),
        (deployment(pod), "Rollout"),
        (deployment(pod), "Job"),
    ):
        flaws(kind(name), obj)


@pytest.mark.parametrize(
    ("name", "obj", "wanted"),
    [
        ("Rollout", {"spec": {"replicas": "3"}},
         'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"'),
        ("Rollout", {"spec": {"strategy": {"blueGreen": {}}}}, "spec.strategy.blueGreen.activeService: Required value"),
        ("Rollout", {}, "spec: Required value"),
        ("Service", {"spec": {}}, "spec.ports: Required value"),
        ("Service", {"spec": {"ports": [{"port": 99999}]}},
         "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive"),
        ("Service", {"spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80, "protocol": "TCP"}]}},
         'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'),
        ("Service", {"spec": {"ports": [{"port": 80, "targetPort": "http_web"}]}},
         'spec.ports[0].targetPort: Invalid value: "http_web": '
         "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"),
        ("Job", {"spec": {"template": {"spec": {"containers": []}}}},
         'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
        ("Ingress", {"spec": {}}, "spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_place_value_and_reason(kind: Find, name: str, obj: Json, wanted: str):
    assert wanted in flaws(kind(name), obj)


def test_a_selector_that_misses_the_template_is_refused(kind: Find, template: Json):
    obj = deployment(template, selector={"matchLabels": {"other": "x"}})
    assert any("`selector` does not match template `labels`" in text for text in flaws(kind("Deployment"), obj))


def test_a_selector_and_a_running_pod_cannot_be_changed(kind: Find, template: Json):
    old = stored(kind("Deployment"), deployment(template))
    template["metadata"]["labels"] = {"a": "c"}
    new = deployment(template, selector={"matchLabels": {"a": "c"}})
    assert any("field is immutable" in text for text in flaws(kind("Deployment"), new, old))
    pod = stored(kind("Pod"), {"spec": {"containers": [{"name": "a", "image": "b"}]}})
    changed = copy.deepcopy(pod)
    changed["spec"]["containers"][0]["image"] = "c"
    assert kind("Pod").validate(changed, pod) == []
    changed["spec"]["containers"][0]["command"] = ["x"]
    assert "Forbidden" in kind("Pod").validate(changed, pod)[0].message()


def test_names_that_no_object_can_have_are_refused(kind: Find):
    for name in ("Upper", "a_b", "-a", "x" * 254):
        assert flaws(kind("ConfigMap"), {"metadata": {"name": name}}), name
    assert flaws(kind("Service"), {"metadata": {"name": "1st"}, "spec": {"ports": [{"port": 1}]}})
    assert not flaws(kind("ConfigMap"), {"metadata": {"name": "a.b-c"}})


def test_a_definition_can_be_added_replaced_and_removed():
    served = Schemas()
    root: Json = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1, "default": 2}}}
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": root}}
    spec = {"group": "x.io", "scope": "Cluster", "names": {"plural": "foos", "kind": "Foo"}, "versions": [version]}
    crd: Json = {"metadata": {"name": "foos.x.io"}, "spec": spec}
    assert served.add_crd(crd) == []
    foo = served.kind("x.io", "v1", "foos")
    assert foo
    assert not foo.resource.namespaced
    assert stored(foo, {"spec": {}})["spec"] == {"size": 2}
    assert flaws(foo, {"spec": {"size": 0}})
    assert served.add_crd({"metadata": {"name": "wrong"}, "spec": spec})
    assert served.kind("x.io", "v1", "foos") is foo
    served.remove_crd("foos.x.io")
    assert served.kind("x.io", "v1", "foos") is None


def test_a_status_may_be_incomplete(kind: Find):
    """A node reports the fields that it has so far; Go fills the rest with zeros."""
    pod = {"spec": {"containers": [{"name": "a", "image": "b"}]}, "status": {"containerStatuses": [{"name": "a"}]}}
    assert flaws(kind("Pod"), pod) == []


def test_the_selector_of_a_rollout_never_changes_once_it_is_set(kind: Find, template: Json):
    """Another one would orphan the ReplicaSets that the old one finds."""
    rollout = kind("Rollout")
    old = {"metadata": {"name": "x"}, **deployment(template)}
    new = deployment(template, selector={"matchLabels": {"a": "c"}})
    assert flaws(rollout, new, old) == [
        'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: .spec.selector is immutable'
    ]
    assert flaws(rollout, deployment(template, replicas=2), old) == []
    assert flaws(rollout, new, {"metadata": {"name": "x"}, "spec": {"template": template}}) == []


def test_a_null_that_says_nothing_is_dropped_from_a_custom_resource(kind: Find, template: Json):
    """Source: Kubernetes docs, "Defaulting and Nullable"."""
    rollout = kind("Rollout")
    template["metadata"]["annotations"] = None
    template["spec"]["containers"][0]["ports"][0]["protocol"] = None
    obj = deployment(template, strategy={"canary": {"steps": [{"setWeight": 20, "pause": None}, None]}}, replicas=None)
    spec = rollout.default(rollout.without_nulls(obj))["spec"]
    assert "replicas" not in spec
    assert spec["strategy"]["canary"]["steps"] == [{"setWeight": 20}, None]
    assert spec["template"]["metadata"]["annotations"] is None, "nullable: it stays"
    assert spec["template"]["spec"]["containers"][0]["ports"][0]["protocol"] == "TCP"
    assert flaws(rollout, {"spec": spec}) == [
        'spec.strategy.canary.steps[1]: Invalid value: "null": '
        'spec.strategy.canary.steps[1] in body must be of type object: "null"'
    ]


def test_one_port_may_be_served_under_two_protocols(kind: Find):
    ports = [{"name": "a", "port": 53, "protocol": "TCP"}, {"name": "b", "port": 53, "protocol": "UDP"}]
    assert flaws(kind("Service"), {"spec": {"ports": ports}}) == []
