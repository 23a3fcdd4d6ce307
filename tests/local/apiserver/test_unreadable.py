"""A body of a built-in kind that cannot be decoded is refused in the words of a real server."""

from __future__ import annotations

from typing import Any

import pytest

Json = dict[str, Any]


def deployment(**container: Any) -> Json:
    return {"template": {"spec": {"containers": [{"name": "web", "image": "web:1", **container}]}}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"replicas": "3"}, "string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ({"paused": 1}, "number into Go struct field DeploymentSpec.spec.paused of type bool"),
        ({"template": []}, "array into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec"),
        (
            deployment(env=[{"name": "A", "value": 5}]),
            "number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
        ),
        (
            deployment(ports={"containerPort": 80}),
            "object into Go struct field Container.spec.template.spec.containers.ports of type []v1.ContainerPort",
        ),
        (
            {"selector": {"matchLabels": {"a.b/c": True}}},
            "bool into Go struct field LabelSelector.spec.selector.matchLabels of type string",
        ),
    ],
)
async def test_a_wrong_type_is_told_with_its_field_and_the_type_it_must_have(send: Any, spec: Json, said: str) -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    status, answer = await send("POST", "/apis/apps/v1/namespaces/default/deployments", body)
    assert (status, answer["reason"]) == (400, "BadRequest")
    before = 'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal '
    assert before + said in answer["message"]


async def test_applying_a_container_twice_is_refused_and_nothing_is_stored(send: Any) -> None:
    container = {"name": "web", "image": "web:1"}
    spec = {"containers": [container, container]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    url = "/api/v1/namespaces/default/pods/p"
    status, answer = await send("PATCH", f"{url}?fieldManager=me", body, "application/apply-patch+yaml")
    assert (status, answer["reason"]) == (400, "BadRequest")
    assert '.spec.containers: duplicate entries for key [name="web"]' in answer["message"]
    assert (await send("GET", url))[0] == 404
