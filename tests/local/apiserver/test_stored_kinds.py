"""Kinds in charts that no controller here acts upon: served as on a cluster, with a warning about it."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import yaml

from serinus.api.resources import HPAS, HPAS_V1, ONLY_STORED, Resource
from serinus.kube.transport import Response
from serinus.local.apiserver.no_effect import WARNINGS

Json = dict[str, Any]
Answer = Callable[..., Awaitable[Response]]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
POD = "{metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: 'a:1'}]}}"
OF_KIND = {r.kind: r for r in (*ONLY_STORED, HPAS)}

SAMPLES: dict[str, tuple[str, list[Any]]] = {
    "LimitRange": ("{spec: {limits: [{type: Container, max: {cpu: 0.5}}]}}", ["SINCE"]),
    "ResourceQuota": ("{spec: {hard: {pods: 10}}, status: {hard: {pods: 1}}}", ["", "", "AGE"]),
    "PersistentVolumeClaim": (
        "{spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1073741824}}}}",
        ["Pending", "", "", "", "fast", "<unset>", "AGE", "Filesystem"],
    ),
    "PersistentVolume": (
        "{spec: {capacity: {storage: 5Gi}, accessModes: [ReadWriteMany], hostPath: {path: /tmp}}}",
        ["5Gi", "RWX", "Retain", "Pending", "", "", "<unset>", "", "AGE", "Filesystem"],
    ),
    "ReplicationController": (f"{{spec: {{template: {POD}}}}}", [1, 0, 0, "AGE", "a", "a:1", "app=a"]),
    "StatefulSet": (
        f"{{spec: {{serviceName: a, replicas: 2, selector: {{matchLabels: {{app: a}}}}, template: {POD}}}}}",
        ["0/2", "AGE", "a", "a:1"],
    ),
    "DaemonSet": (
        f"{{spec: {{selector: {{matchLabels: {{app: a}}}}, template: {POD}}}}}",
        [0, 0, 0, 0, 0, "<none>", "AGE", "a", "a:1", "app=a"],
    ),
    "CronJob": (
        "{spec: {schedule: '0 3 * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, "
        "containers: [{name: a, image: 'a:1'}]}}}}}}",
        ["0 3 * * *", "<none>", "False", 0, "<none>", "AGE", "a", "a:1", "<none>"],
    ),
    "NetworkPolicy": ("{spec: {podSelector: {matchLabels: {app: a}}}}", ["app=a", "AGE"]),
    "Role": ("{rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}", ["SINCE"]),
    "RoleBinding": (
        "{roleRef: {kind: Role, name: a}, subjects: [{kind: ServiceAccount, name: a, namespace: b}, {kind: User, name: c}]}",
        ["Role/a", "AGE", "c", "", "b/a"],
    ),
    "ClusterRole": ("{rules: [{nonResourceURLs: [/metrics], verbs: [get]}]}", ["SINCE"]),
    "ClusterRoleBinding": (
        "{roleRef: {kind: ClusterRole, name: a}, subjects: [{kind: Group, name: dev}]}",
        ["ClusterRole/a", "AGE", "", "dev", ""],
    ),
    "PriorityClass": ("{value: 1000}", [1000, False, "AGE", "PreemptLowerPriority"]),
    "StorageClass": ("{provisioner: a/b}", ["a/b", "Delete", "Immediate", False, "AGE"]),
    "RuntimeClass": ("{handler: runsc}", ["runsc", "AGE"]),
    "ValidatingWebhookConfiguration": (
        "{webhooks: [{name: a.b.c, admissionReviewVersions: [v1], sideEffects: None, clientConfig: {url: 'https://a/b'}}]}",
        [1, "AGE"],
    ),
    "MutatingWebhookConfiguration": ("{}", [0, "AGE"]),
    "ValidatingAdmissionPolicy": (
        "{spec: {matchConstraints: {}, paramKind: {apiVersion: v1, kind: ConfigMap}, validations: [{expression: 'true'}]}}",
        [1, "v1/ConfigMap", "AGE"],
    ),
    "ValidatingAdmissionPolicyBinding": (
        "{spec: {policyName: a, paramRef: {name: b}, validationActions: [Deny]}}",
        ["a", "b", "AGE"],
    ),
    "APIService": (
        "{spec: {group: a, version: v1, groupPriorityMinimum: 1, versionPriority: 1, service: {name: s, namespace: n}}}",
        ["n/s", "Unknown", "AGE"],
    ),
    "HorizontalPodAutoscaler": (
        "{spec: {scaleTargetRef: {kind: Rollout, name: a}, maxReplicas: 3}}",
        ["Rollout/a", "cpu: <unknown>/80%", "1", 3, 0, "AGE"],
    ),
}
"""A chart's manifest of an object, and its cells in `kubectl get -o wide` after the name."""


def sample(kind: str, name: str = "one") -> Json:
    resource = OF_KIND[kind]
    return {
        "apiVersion": resource.api_version,
        "kind": kind,
        "metadata": {"name": name, "creationTimestamp": None},
        **yaml.safe_load(SAMPLES[kind][0]),
    }


def place(resource: Resource, name: str = "") -> str:
    return resource.path("default" if resource.namespaced else "", name)


def test_each_stored_kind_has_a_sample_and_a_warning():
    assert SAMPLES.keys() == OF_KIND.keys()
    assert WARNINGS.keys() == {r.group_resource for r in OF_KIND.values()}


@pytest.mark.parametrize("kind", SAMPLES)
async def test_a_stored_kind_is_created_listed_changed_and_deleted(answer: Answer, kind: str):
    """Columns are those of a cluster; each answer that holds such an object warns, and an empty list does not."""
    resource = OF_KIND[kind]
    empty = await answer("GET", place(resource))
    assert (empty.status, empty.headers.get("warning")) == (200, None)
    made = await answer("POST", place(resource), sample(kind))
    assert made.status == 201, made.body
    why = f'299 - "{kind} is stored, but has no effect here: {WARNINGS[resource.group_resource]}"'
    assert made.headers["warning"] == why
    listed = await answer("GET", place(resource), accept=TABLE)
    assert listed.headers["warning"] == why
    cells = msgspec.json.decode(listed.body)["rows"][0]["cells"]
    created = msgspec.json.decode(made.body)["metadata"]["creationTimestamp"]
    assert cells[0] == "one"
    shown = [
        "SINCE" if c == created else "AGE" if isinstance(c, str) and c in ("0s", "1s", "2s") else c for c in cells[1:]
    ]
    assert shown == SAMPLES[kind][1]
    types = {"integer": int, "boolean": bool, "string": str}
    for column, cell in zip(msgspec.json.decode(listed.body)["columnDefinitions"], cells, strict=True):
        assert type(cell) is types[column["type"]], column
    labels = {"metadata": {"labels": {"a": "b"}}}
    changed = await answer("PATCH", place(resource, "one"), labels, "application/merge-patch+json")
    assert (changed.status, changed.headers["warning"]) == (200, why)
    unknown = {"notAField": 1}
    refused = await answer("POST", f"{place(resource)}?fieldValidation=Strict", {**sample(kind, "two"), **unknown})
    assert refused.status == 400
    assert b'unknown field \\"notAField\\"' in refused.body
    assert (await answer("DELETE", place(resource, "one"))).status == 200
    assert (await answer("GET", place(resource, "one"))).status == 404


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("Role", {"rules": [{"resources": ["pods"], "verbs": ["get"]}]}, "rules[0].apiGroups"),
        ("Role", {"rules": [{"apiGroups": [""], "resources": ["pods"]}]}, "rules[0].verbs"),
        ("RoleBinding", {"roleRef": {"kind": "Rule", "name": "a"}}, "roleRef.kind"),
        ("ClusterRoleBinding", {"roleRef": {"kind": "Role", "name": "a"}}, "roleRef.kind"),
        ("RoleBinding", {"subjects": [{"kind": "ServiceAccount", "name": "a"}]}, "subjects[0].namespace"),
        ("CronJob", {"spec": {"schedule": "0 3 * *"}}, "spec.schedule"),
        ("CronJob", {"spec": {"concurrencyPolicy": "Never"}}, "spec.concurrencyPolicy"),
        ("StatefulSet", {"spec": {"selector": {"matchLabels": {"app": "b"}}}}, "spec.template.metadata.labels"),
        ("DaemonSet", {"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}, "spec.template.spec.restartPolicy"),
        ("PersistentVolumeClaim", {"spec": {"accessModes": []}}, "spec.accessModes"),
        (
            "PersistentVolumeClaim",
            {"spec": {"resources": {"requests": {"storage": "much"}}}},
            "spec.resources.requests.storage",
        ),
        ("NetworkPolicy", {"metadata": {"name": "a:b"}}, "metadata.name"),
        ("ClusterRole", {"metadata": {"name": "a/b"}}, "metadata.name"),
        ("ResourceQuota", {"spec": {"hard": {"pods": "ten"}}}, "spec.hard.pods"),
    ],
)
async def test_a_wrong_field_of_a_stored_kind_is_named(answer: Answer, kind: str, change: Json, field: str):
    response = await answer("POST", place(OF_KIND[kind]), merged(sample(kind), change))
    assert response.status == 422, response.body
    assert field in [cause["field"] for cause in msgspec.json.decode(response.body)["details"]["causes"]]


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("RoleBinding", {"roleRef": {"name": "b"}}, "roleRef"),
        ("StatefulSet", {"spec": {"selector": {"matchLabels": {"app": "b"}}}}, "spec.selector"),
        ("PersistentVolumeClaim", {"spec": {"storageClassName": "slow"}}, "spec"),
        ("PriorityClass", {"value": 5}, "value"),
        ("StorageClass", {"provisioner": "c/d"}, "provisioner"),
    ],
)
async def test_a_field_that_never_changes_stays(answer: Answer, kind: str, change: Json, field: str):
    assert (await answer("POST", place(OF_KIND[kind]), sample(kind))).status == 201
    response = await answer("PATCH", place(OF_KIND[kind], "one"), change, "application/merge-patch+json")
    assert response.status == 422, response.body
    assert field in [cause["field"] for cause in msgspec.json.decode(response.body)["details"]["causes"]]


async def test_roles_may_have_colons_in_their_names(answer: Answer):
    for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
        made = await answer("POST", place(OF_KIND[kind]), sample(kind, "system:app:reader"))
        assert made.status == 201, made.body
        assert (await answer("GET", place(OF_KIND[kind], "system:app:reader"))).status == 200


async def test_an_autoscaler_is_read_in_both_versions(answer: Answer):
    """autoscaling/v1 and v2 are one kind: an object written as one is read and changed as the other."""
    first: Json = {
        "metadata": {"name": "old"},
        "spec": {"scaleTargetRef": {"kind": "Rollout", "name": "a"}, "maxReplicas": 3},
    }
    first["spec"] |= {"targetCPUUtilizationPercentage": 70}
    assert (await answer("POST", place(HPAS_V1), first)).status == 201
    target = {"type": "Utilization", "averageUtilization": 70}
    read = msgspec.json.decode((await answer("GET", place(HPAS, "old"))).body)
    assert read["apiVersion"] == "autoscaling/v2"
    assert read["spec"]["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    assert "targetCPUUtilizationPercentage" not in read["spec"]
    patch = {"spec": {"maxReplicas": 9}}
    changed = await answer("PATCH", place(HPAS, "old"), patch, "application/merge-patch+json")
    assert changed.status == 200, changed.body
    back = msgspec.json.decode((await answer("GET", place(HPAS_V1))).body)["items"][0]
    assert (back["apiVersion"], back["spec"]["maxReplicas"]) == ("autoscaling/v1", 9)
    assert (back["spec"]["targetCPUUtilizationPercentage"], "metrics" in back["spec"]) == (70, False)
    table = msgspec.json.decode((await answer("GET", place(HPAS_V1), accept=TABLE)).body)
    assert table["rows"][0]["cells"][2] == "cpu: <unknown>/70%"


async def test_impersonation_is_answered_with_a_warning(answer: Answer):
    """`--as nobody` may do everything, `kubectl auth can-i` included; a warning states that it proves nothing."""
    review = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "pods"}}}
    url = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for response in (
        await answer("GET", "/api/v1/namespaces/default/pods", impersonate_user="nobody"),
        await answer("POST", url, review, impersonate_user="nobody"),
    ):
        assert "impersonation (--as) is ignored" in response.headers["warning"]
    assert "warning" not in (await answer("POST", url, review)).headers


def merged(obj: Json, change: Json) -> Json:
    out = copy.deepcopy(obj)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


async def test_a_pod_that_asks_for_a_separation_that_is_not_there_is_answered_with_a_warning(answer: Answer):
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "x", "securityContext": {"runAsUser": 1}}]},
    }
    made = await answer("POST", "/api/v1/namespaces/default/pods", pod)
    assert made.status == 201
    assert "spec.containers[c].securityContext.runAsUser: no effect here" in made.headers["warning"]
