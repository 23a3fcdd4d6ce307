"""Deleting: grace periods, finalizers, preconditions, propagation, namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS
from serinus.kube.client import Client
from serinus.kube.errors import Conflict, Forbidden, Invalid, NotFound

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
POD: Json = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "here"}}


async def test_a_deleted_object_is_gone_and_the_answer_names_it(send: Any) -> None:
    _, made = await send("POST", MAPS, {"metadata": {"name": "a"}})
    status, answer = await send("DELETE", f"{MAPS}/a")
    assert (status, answer["status"]) == (200, "Success")
    assert answer["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    status, error = await send("DELETE", f"{MAPS}/a")
    assert (status, error["message"]) == (404, 'configmaps "a" not found')


async def test_a_running_pod_stays_until_its_node_lets_go(client: Client) -> None:
    await client.create(PODS, POD, "default")
    await client.delete(PODS, "p", "default")
    pod = await client.get(PODS, "p", "default")
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
    assert pod["metadata"]["deletionTimestamp"]
    again = pod["metadata"]["resourceVersion"]
    await client.delete(PODS, "p", "default", grace=60)
    assert (await client.get(PODS, "p", "default"))["metadata"]["resourceVersion"] == again
    await client.delete(PODS, "p", "default", grace=5)
    assert (await client.get(PODS, "p", "default"))["metadata"]["deletionGracePeriodSeconds"] == 5
    await client.delete(PODS, "p", "default", grace=0)
    with pytest.raises(NotFound):
        await client.get(PODS, "p", "default")


async def test_a_pod_that_no_node_has_goes_at_once(client: Client) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    await client.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, "default")
    await client.delete(PODS, "p", "default")
    with pytest.raises(NotFound):
        await client.get(PODS, "p", "default")


async def test_finalizers_hold_an_object_and_the_last_one_lets_it_go(client: Client) -> None:
    await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "finalizers": ["x.io/one", "x.io/two"]}}, "default")
    await client.delete(CONFIG_MAPS, "a", "default")
    held = await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": ["x.io/two"]}}, "default")
    assert held["metadata"]["deletionTimestamp"]
    with pytest.raises(Invalid, match="no new finalizers can be added if the object is being deleted"):
        await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": ["x.io/two", "x.io/new"]}}, "default")
    await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}}, "default")
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "a", "default")


async def test_preconditions_protect_another_object_of_the_same_name(client: Client) -> None:
    made = await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, "default")
    with pytest.raises(Conflict, match="Precondition failed: UID in precondition: old, UID in object meta: "):
        await client.delete(CONFIG_MAPS, "a", "default", uid="old")
    with pytest.raises(Conflict, match="Precondition failed: ResourceVersion in precondition: 1,"):
        await client.delete(CONFIG_MAPS, "a", "default", resource_version="1")
    await client.delete(CONFIG_MAPS, "a", "default", uid=made["metadata"]["uid"])


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_dependents_are_left_to_the_garbage_collector(client: Client, policy: str, finalizer: str) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    await client.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec}, "default")
    await client.delete(DEPLOYMENTS, "d", "default", propagation=policy)
    held = await client.get(DEPLOYMENTS, "d", "default")
    assert held["metadata"]["finalizers"] == [finalizer]
    assert held["metadata"]["generation"] == 2
    await client.delete(DEPLOYMENTS, "d", "default", propagation="Background")
    with pytest.raises(NotFound):
        await client.get(DEPLOYMENTS, "d", "default")


async def test_a_collection_is_deleted_by_selector(send: Any, client: Client) -> None:
    for name, colour in (("a", "blue"), ("b", "green"), ("c", "blue")):
        await client.create(CONFIG_MAPS, {"metadata": {"name": name, "labels": {"colour": colour}}}, "default")
    status, gone = await send("DELETE", f"{MAPS}?labelSelector=colour=blue")
    assert (status, [o["metadata"]["name"] for o in gone["items"]]) == (200, ["a", "c"])
    assert [o["metadata"]["name"] for o in (await client.list(CONFIG_MAPS, "default")).items] == ["b"]


async def test_a_namespace_takes_nothing_new_while_it_goes_and_goes_when_finalised(client: Client, send: Any) -> None:
    await client.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await client.delete(NAMESPACES, "shop")
    going = await client.get(NAMESPACES, "shop")
    assert going["status"]["phase"] == "Terminating"
    with pytest.raises(Forbidden) as error:
        await client.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, "shop")
    assert "unable to create new content in namespace shop because it is being terminated" in error.value.message
    assert error.value.status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    status, _ = await send("PUT", "/api/v1/namespaces/shop/finalize", {**going, "spec": {"finalizers": []}})
    assert status == 200
    with pytest.raises(NotFound):
        await client.get(NAMESPACES, "shop")


async def test_the_default_namespace_stays(client: Client) -> None:
    with pytest.raises(Forbidden, match='namespaces "default" is forbidden: this namespace may not be deleted'):
        await client.delete(NAMESPACES, "default")


async def test_wrong_options_are_named(send: Any) -> None:
    await send("POST", MAPS, {"metadata": {"name": "a"}})
    status, error = await send("DELETE", f"{MAPS}/a", {"kind": "DeleteOptions", "propagationPolicy": "Sideways"})
    assert (status, error["details"]["causes"][0]["field"]) == (422, "propagationPolicy")
    status, _ = await send("DELETE", f"{MAPS}/a?gracePeriodSeconds=soon")
    assert status == 400
