"""scale, eviction, binding, log, and subresources that do not exist."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from serinus.api.resources import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, ROLLOUTS
from serinus.kube.client import Client
from serinus.kube.errors import NotFound
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.verbs.subresources import LogsUnavailable

Json = dict[str, Any]
PODS_URL = "/api/v1/namespaces/default/pods"
TEMPLATE: Json = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "i"}]}}
WORKLOAD: Json = {
    "metadata": {"name": "web"},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
}


@pytest.mark.parametrize("resource", [DEPLOYMENTS, ROLLOUTS])
async def test_a_workload_is_scaled_without_knowing_its_kind(client: Client, resource: Any) -> None:
    await client.create(resource, WORKLOAD, "default")
    scale = await client.get(resource, "web", "default", subresource="scale")
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert scale["metadata"]["resourceVersion"]
    scaled = await client.patch(resource, "web", {"spec": {"replicas": 5}}, "default", subresource="scale")
    assert scaled["spec"] == {"replicas": 5}
    after = await client.get(resource, "web", "default")
    assert (after["spec"]["replicas"], after["metadata"]["generation"]) == (5, 2)
    await client.update(resource, {**scaled, "spec": {"replicas": 0}}, subresource="scale")
    assert (await client.get(resource, "web", "default"))["spec"]["replicas"] == 0


async def test_a_scale_of_an_old_version_or_below_zero_is_refused(send: Any, client: Client) -> None:
    await client.create(DEPLOYMENTS, WORKLOAD, "default")
    url = "/apis/apps/v1/namespaces/default/deployments/web/scale"
    _, scale = await send("GET", url)
    await send("PATCH", url, {"spec": {"replicas": 3}}, "application/merge-patch+json")
    status, error = await send("PUT", url, scale)
    assert (status, error["reason"]) == (409, "Conflict")
    status, error = await send("PATCH", url, {"spec": {"replicas": -1}}, "application/merge-patch+json")
    assert (status, error["details"]["causes"][0]["field"]) == (422, "spec.replicas")


async def ready_pod(client: Client, name: str) -> None:
    pod = {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": {**TEMPLATE["spec"], "nodeName": "here"}}
    await client.create(PODS, pod, "default")
    status = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    await client.patch(PODS, name, status, "default", subresource="status")


async def test_an_eviction_waits_for_the_disruption_budget(send: Any, client: Client) -> None:
    for name in ("a", "b"):
        await ready_pod(client, name)
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    await client.create(POD_DISRUPTION_BUDGETS, {"metadata": {"name": "keep-one"}, "spec": spec}, "default")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    status, _ = await send("POST", f"{PODS_URL}/a/eviction", eviction)
    assert status == 201
    assert (await client.get(PODS, "a", "default"))["metadata"]["deletionTimestamp"]
    status, error = await send("POST", f"{PODS_URL}/b/eviction", eviction)
    assert (status, error["reason"]) == (429, "TooManyRequests")
    assert error["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    cause = error["details"]["causes"][0]
    assert cause["message"] == "The disruption budget keep-one needs 1 healthy pods and has 1 currently"


async def test_a_pod_is_bound_to_a_node_once(send: Any, client: Client) -> None:
    await client.create(PODS, {"metadata": {"name": "p"}, "spec": TEMPLATE["spec"]}, "default")
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "here"}}
    assert (await send("POST", f"{PODS_URL}/p/binding", binding))[0] == 201
    pod = await client.get(PODS, "p", "default")
    assert pod["spec"]["nodeName"] == "here"
    assert pod["status"]["conditions"][0]["type"] == "PodScheduled"
    status, error = await send("POST", f"{PODS_URL}/p/binding", binding)
    assert (status, 'pod p is already assigned to node "here"' in error["message"]) == (409, True)


class Lines:
    """A log of one container; the other has none yet."""

    def __init__(self) -> None:
        self.asked: Json = {}

    async def read(self, namespace: str, pod: str, container: str, **options: Any) -> AsyncIterator[bytes]:
        if container == "later":
            raise LogsUnavailable(f'container "later" in pod "{pod}" is waiting to start: ContainerCreating')
        self.asked = {"container": container, **options}

        async def lines() -> AsyncIterator[bytes]:
            yield b"one\n"
            yield b"two\n"

        return lines()


async def test_logs_are_read_from_where_they_are_with_every_option(api: ApiServer, client: Client, answer: Any) -> None:
    api.logs = logs = Lines()
    spec = {"containers": [{"name": "web", "image": "i"}]}
    await client.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, "default")
    query = "follow=true&tailLines=5&sinceSeconds=60&timestamps=true&previous=false&limitBytes=100"
    response = await answer("GET", f"{PODS_URL}/p/log?{query}")
    assert (response.status, response.content_type) == (200, "text/plain")
    assert b"".join([piece async for piece in response.stream]) == b"one\ntwo\n"
    assert logs.asked == {
        "container": "web", "follow": True, "tail_lines": 5, "since_seconds": 60, "timestamps": True, "previous": False, "limit_bytes": 100,
    }  # fmt: skip


async def test_a_log_that_cannot_be_read_says_why(api: ApiServer, client: Client, send: Any) -> None:
    api.logs = Lines()
    spec = {"containers": [{"name": "web", "image": "i"}, {"name": "later", "image": "i"}]}
    await client.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, "default")

    async def message(url: str) -> str:
        status, error = await send("GET", url)
        assert status in (400, 404)
        return error["message"]

    assert (
        await message(f"{PODS_URL}/p/log") == "a container name must be specified for pod p, choose one of: [web later]"
    )
    assert await message(f"{PODS_URL}/p/log?container=x") == "container x is not valid for pod p"
    assert (
        await message(f"{PODS_URL}/p/log?container=later")
        == 'container "later" in pod "p" is waiting to start: ContainerCreating'
    )
    assert "tailLines" in await message(f"{PODS_URL}/p/log?container=web&tailLines=-1")
    assert await message(f"{PODS_URL}/q/log") == 'pods "q" not found'


@pytest.mark.parametrize("what", ["exec", "attach", "portforward", "proxy"])
async def test_what_is_not_offered_says_what_is(send: Any, what: str) -> None:
    for method in ("GET", "POST"):
        status, error = await send(method, f"{PODS_URL}/p/{what}")
        assert (status, error["kind"]) == (501, "Status")
        assert "is not offered: " in error["message"]


async def test_subresources_that_do_not_exist_are_not_found(send: Any, client: Client) -> None:
    await client.create(PODS, {"metadata": {"name": "p"}, "spec": TEMPLATE["spec"]}, "default")
    assert (await send("GET", f"{PODS_URL}/p/nonsense"))[0] == 404
    assert (await send("GET", f"{PODS_URL}/p/status/deeper"))[0] == 404
    assert (await send("POST", f"{PODS_URL}/p/status", {}))[0] == 405
    with pytest.raises(NotFound):
        await client.get(PODS, "absent", "default", subresource="status")
