"""The controllers and the node together, on the real API server, in virtual time. Only final states are asserted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serinus.api.resources import (
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from tests.support.local.fake_node import FakeProgram

pytestmark = pytest.mark.looptime


def change(image: str) -> dict[str, Any]:
    container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


async def test_a_rolling_update_never_has_fewer_pods_in_traffic_than_it_may(world: Any, make: Any) -> None:
    await world.client.create(SERVICES, make.service(), "default")
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await world.until(lambda: in_traffic(world, 3))
    fewest, most = 99, 0

    async def watch() -> None:
        nonlocal fewest, most
        while True:
            fewest = min(fewest, len(await addresses(world)))
            most = max(most, len([p for p in await world.pods() if not p["metadata"].get("deletionTimestamp")]))
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    await world.client.patch(DEPLOYMENTS, "web", change("x:2"), "default")
    await world.until(lambda: settled(world, "x:2"))
    watching.cancel()
    assert (fewest, most) == (3, 4)
    sent = [t for t, what, *_ in world.runtime.history if what == "term"]
    assert len(sent) == 3


async def addresses(world: Any) -> set[str]:
    slices = (await world.client.list(ENDPOINT_SLICES, "default")).items
    return {a for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"] for a in e["addresses"]}


async def in_traffic(world: Any, count: int) -> bool:
    return len(await addresses(world)) == count


async def settled(world: Any, image: str, count: int = 3) -> bool:
    pods = await world.pods()
    ready = await world.ready()
    return len(pods) == len(ready) == count and all(p["spec"]["containers"][0]["image"] == image for p in pods)


async def test_no_process_is_told_to_end_while_an_endpoint_names_it(world: Any, make: Any) -> None:
    """This is what makes an update lose no request: the gateway has a second to follow."""
    await world.client.create(SERVICES, make.service(), "default")
    await world.client.create(DEPLOYMENTS, make.deployment(replicas=1), "default")
    await world.until(lambda: in_traffic(world, 1))
    await world.client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}}, "default")
    left = (await world.until(lambda: in_traffic(world, 0)), world.clock.now())[1]
    await world.until(lambda: any(what == "term" for _, what, *_ in world.runtime.history))
    (told,) = [t for t, what, *_ in world.runtime.history if what == "term"]
    assert told - left >= 0.98


async def test_a_rollback_takes_the_old_replica_set_again(world: Any, make: Any) -> None:
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await world.until(lambda: settled(world, "x:1"))
    for image in ("x:2", "x:1"):
        await world.client.patch(DEPLOYMENTS, "web", change(image), "default")
        await world.until(lambda image=image: settled(world, image))
    sets = (await world.client.list(REPLICA_SETS, "default")).items
    revisions = {r["spec"]["template"]["spec"]["containers"][0]["image"]: r["metadata"]["annotations"] for r in sets}
    assert len(sets) == 2
    assert revisions["x:1"]["deployment.kubernetes.io/revision"] == "3"
    live = await world.client.get(DEPLOYMENTS, "web", "default")
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


async def test_a_version_that_never_gets_ready_stops_the_update_and_is_named(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(listens_after=None if image == "x:2" else 0.1)
    await world.client.create(DEPLOYMENTS, make.deployment(progressDeadlineSeconds=60), "default")
    await world.until(lambda: settled(world, "x:1"))
    await world.client.patch(DEPLOYMENTS, "web", change("x:2"), "default")

    async def timed_out() -> bool:
        live = await world.client.get(DEPLOYMENTS, "web", "default")
        return any(c["reason"] == "ProgressDeadlineExceeded" for c in live["status"]["conditions"])

    await world.until(timed_out, 200)
    assert len([p for p in await world.ready() if p["spec"]["containers"][0]["image"] == "x:1"]) == 3


async def test_a_settled_system_asks_nothing_but_its_heartbeat(world: Any, make: Any) -> None:
    await world.client.create(SERVICES, make.service(), "default")
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await world.until(lambda: in_traffic(world, 3))
    await asyncio.sleep(30)
    world.calls.clear()
    await asyncio.sleep(200)
    assert {path.rpartition("/")[0] for _, path in world.calls} == {
        "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    }


@pytest.mark.long
async def test_a_crash_at_any_moment_of_an_update_changes_nothing_about_its_end(world: Any, make: Any) -> None:
    """Pods of a crashed node keep running; nothing is created twice."""
    await world.client.create(SERVICES, make.service(), "default")
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    for i in range(25):
        await asyncio.sleep(0.013 * i)
        await world.stop()
        assert len([p for p in await world.pods() if not p["metadata"].get("deletionTimestamp")]) <= 4
        world.start()
        if i == 8:
            await world.client.patch(DEPLOYMENTS, "web", change("x:2"), "default")
    await world.until(lambda: settled(world, "x:2"))
    assert len(world.runtime.live()) == 3


async def test_scaling_up_and_down_ends_with_the_last_wish(world: Any, make: Any) -> None:
    await world.client.create(DEPLOYMENTS, make.deployment(replicas=1), "default")
    for replicas in (5, 2, 8, 4):
        await world.client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": replicas}}, "default")
        await asyncio.sleep(0.02)
    await world.until(lambda: settled(world, "x:1", 4))


@pytest.mark.parametrize("lag", [0.05, 0.5])
async def test_caches_that_are_far_behind_never_make_too_many_pods(world: Any, make: Any, lag: float) -> None:
    await world.stop()
    world.lag = lag
    world.start()
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await world.until(lambda: settled(world, "x:1"))
    await world.client.patch(DEPLOYMENTS, "web", change("x:2"), "default")
    await world.until(lambda: settled(world, "x:2"), 400)
    started = [image for _, what, _, image in world.runtime.history if what == "start"]
    assert sorted(started) == ["x:1"] * 3 + ["x:2"] * 3
    assert world.calls.count(("POST", "/api/v1/namespaces/default/pods")) == 6


async def test_a_pod_that_is_deleted_by_hand_is_replaced(world: Any, make: Any) -> None:
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await world.until(lambda: settled(world, "x:1"))
    name = (await world.pods())[0]["metadata"]["name"]
    await world.client.delete(PODS, name, "default")
    await world.until(lambda: world.gone(PODS, name))
    await world.until(lambda: settled(world, "x:1"))


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_with_a_deployment_go_its_replica_sets_and_pods(world: Any, make: Any, propagation: str) -> None:
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await world.until(lambda: settled(world, "x:1"))
    await world.client.delete(DEPLOYMENTS, "web", "default", propagation=propagation)

    async def empty() -> bool:
        counts = [len((await world.client.list(r, "default")).items) for r in (DEPLOYMENTS, REPLICA_SETS, PODS)]
        return counts == [0, 0, 0]

    await world.until(empty)
    assert world.runtime.live() == []


async def test_orphaned_pods_stay_and_are_adopted_by_the_next_replica_set(world: Any, make: Any) -> None:
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await world.until(lambda: settled(world, "x:1"))
    (replica_set,) = (await world.client.list(REPLICA_SETS, "default")).items
    before = {p["metadata"]["uid"] for p in await world.pods()}
    await world.client.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")
    await world.until(lambda: world.gone(DEPLOYMENTS, "web"))
    await asyncio.sleep(5)
    await world.client.create(DEPLOYMENTS, make.deployment(), "default")
    await asyncio.sleep(5)
    assert {p["metadata"]["uid"] for p in await world.pods()} == before
    assert not await world.gone(REPLICA_SETS, replica_set["metadata"]["name"])


async def test_a_deleted_namespace_goes_with_all_it_holds(world: Any, make: Any) -> None:
    await world.client.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await world.until(lambda: has_account(world, "shop"))
    await world.client.create(DEPLOYMENTS, make.deployment(), "shop")
    await world.until(lambda: world.ready("shop"))
    await world.client.delete(NAMESPACES, "shop")
    await world.until(lambda: world.gone(NAMESPACES, "shop", ""))
    assert await world.pods("shop") == []
    assert world.runtime.live() == []


async def has_account(world: Any, namespace: str) -> bool:
    return not await world.gone(SERVICE_ACCOUNTS, "default", namespace)


async def test_a_service_account_that_is_deleted_comes_back(world: Any) -> None:
    await world.until(lambda: has_account(world, "default"))
    await world.client.delete(SERVICE_ACCOUNTS, "default", "default")
    await world.until(lambda: has_account(world, "default"))


async def test_custom_objects_are_collected_like_built_in_ones(world: Any) -> None:
    names = {"plural": "shops", "singular": "shop", "kind": "Shop", "listKind": "ShopList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "shops.example.com"},
        "spec": {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]},
    }
    await world.client.create(CRDS, crd)
    shops = Resource("example.com", "v1", "shops", "Shop")
    await asyncio.sleep(1)
    body = {"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "s"}}
    owner = await world.client.create(shops, body, "default")
    reference = {"apiVersion": "example.com/v1", "kind": "Shop", "name": "s", "uid": owner["metadata"]["uid"]}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "ownerReferences": [reference]}}
    await world.client.create(CONFIG_MAPS, config, "default")
    await asyncio.sleep(1)
    assert not await world.gone(CONFIG_MAPS, "c")
    await world.client.delete(shops, "s", "default")
    await world.until(lambda: world.gone(CONFIG_MAPS, "c"))


async def test_an_owner_of_an_unknown_kind_is_no_reason_to_delete(world: Any) -> None:
    reference = {"apiVersion": "example.com/v9", "kind": "Secret9", "name": "s", "uid": "nobody"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "ownerReferences": [reference]}}
    await world.client.create(CONFIG_MAPS, config, "default")
    await asyncio.sleep(30)
    assert not await world.gone(CONFIG_MAPS, "c")


async def test_an_owner_that_was_never_there_makes_garbage(world: Any) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "s", "uid": "nobody"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "ownerReferences": [reference]}}
    await world.client.create(CONFIG_MAPS, config, "default")
    await world.until(lambda: world.gone(CONFIG_MAPS, "c"))


async def test_a_job_runs_to_its_end_and_tries_again_after_a_failure(world: Any) -> None:
    codes = iter([1, 0, 0])
    world.runtime.script = lambda image, attempt: FakeProgram(
        runs_for=1, exit_code=next(codes, 0) if attempt == 0 else 0
    )
    container = {"name": "c", "image": "x"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"completions": 2, "template": template},
    }
    world.runtime.script = one_by_one([1, 0, 0])
    await world.client.create(JOBS, body, "default")

    async def complete() -> Any:
        status = (await world.client.get(JOBS, "j", "default")).get("status") or {}
        return status if any(c["type"] == "Complete" for c in status.get("conditions") or []) else None

    status = await world.until(complete)
    assert (status["succeeded"], status["failed"]) == (2, 1)


def one_by_one(exits: list[int]) -> Any:
    """Each start queries the image twice, once to pull it."""
    asked, codes = 0, iter(exits)

    def script(image: str, attempt: int) -> FakeProgram:
        nonlocal asked
        asked += 1
        return FakeProgram(runs_for=1, exit_code=next(codes, 0) if asked % 2 == 0 else 0)

    return script


async def test_endpoints_go_with_their_service_and_those_of_others_stay(world: Any, make: Any) -> None:
    await world.client.create(SERVICES, make.service(), "default")
    await world.until(lambda: not_gone(world, "web"))
    theirs = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "theirs"}, "subsets": []}
    await world.client.create(ENDPOINTS, theirs, "default")
    await world.client.delete(SERVICES, "web", "default")
    await world.until(lambda: world.gone(ENDPOINTS, "web"))
    await asyncio.sleep(5)
    assert not await world.gone(ENDPOINTS, "theirs")
    assert (await world.client.list(ENDPOINT_SLICES, "default")).items == []


async def not_gone(world: Any, name: str) -> bool:
    return not await world.gone(ENDPOINTS, name)
