"""The parts of watched objects that the cache keeps."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from serinus.api.names import HASH
from serinus.controller.cache import CONTAINER_MESSAGE, Cache
from serinus.controller.monitoring.metrics import Metrics
from serinus.kube.client import Client
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)
WEB = ("a", "web")


async def test_a_write_of_the_status_keeps_what_was_worked_out_from_the_spec(store: Any) -> None:
    woken: asyncio.Queue[Any] = asyncio.Queue()
    cache = Cache(Client(store), LoopClock(), Random(1), woken.put_nowait, namespace="", instance_id="")
    running = asyncio.create_task(cache.run())
    rollout: dict[str, Any] = {"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 3}}
    await store.put("rollouts", rollout)
    await woken.get()
    spec = cache.rollouts.items[WEB].spec
    await store.put("rollouts", {**rollout, "status": {"phase": "Healthy"}})
    while cache.rollouts.items[WEB].status.phase != "Healthy":
        await woken.get()
    assert cache.rollouts.items[WEB].spec is spec
    await store.put("rollouts", {"metadata": {"name": "web", "generation": 2}, "spec": {"replicas": 4}})
    while cache.rollouts.items[WEB].spec.replicas != 4:
        await woken.get()
    running.cancel()


async def test_a_controller_of_one_namespace_does_not_wait_for_what_it_may_not_read(store: Any) -> None:
    """A Role gives no right to read ClusterAnalysisTemplates: each Rollout with an analysis would wait for ever."""
    woken: asyncio.Queue[Any] = asyncio.Queue()
    cache = Cache(Client(store), LoopClock(), Random(1), woken.put_nowait, namespace="a", instance_id="")
    running = asyncio.create_task(cache.run())
    canary = {"analysis": {"templates": [{"templateName": "verdict"}]}}
    await store.put("rollouts", {"metadata": {"name": "web"}, "spec": {"strategy": {"canary": canary}}})
    await woken.get()
    await cache.synced()
    assert [i.resource.kind for i in cache.others.values()] == ["AnalysisTemplate"]
    assert cache.missing(cache.rollouts.items[WEB]) == ""
    running.cancel()


async def test_nulls_and_wrong_fields_of_others_lose_no_object(store: Any) -> None:
    """The cache has each kind that a decision needs, without the field; omitted objects are counted."""
    cache = Cache(Client(store), LoopClock(), Random(1), lambda _: None, namespace="", instance_id="")
    metrics = Metrics()
    metrics.watch(cache, {})
    running = asyncio.create_task(cache.run())
    meta: dict[str, Any] = {"name": "web", "labels": {HASH: "abc"}, "ownerReferences": None, "annotations": None}
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": None}
    canary = {"steps": None, "canaryMetadata": {"labels": None}, "trafficRouting": None}
    rollout = {"replicas": None, "strategy": {"canary": canary, "blueGreen": None}, "restartAt": None}
    await store.put("pods", {"metadata": meta, "status": {"conditions": [condition, None]}})
    await store.put("replicasets", {"metadata": meta, "spec": {"selector": None}, "status": {"conditions": None}})
    await store.put(
        "services", {"metadata": {"name": "web", "annotations": None}, "spec": {"selector": None, "ports": None}}
    )
    await store.put("rollouts", {"metadata": {"name": "web", "annotations": None}, "spec": rollout, "status": None})
    await store.put("rollouts", {"metadata": {"name": "bad"}, "spec": {"strategy": {"canary": {"steps": {}}}}})
    await cache.synced()
    await asyncio.sleep(1)
    found = [list(i.items) for i in (cache.pods, cache.replica_sets, cache.services, cache.rollouts)]
    assert found == [[WEB]] * 4
    assert cache.pods.items[WEB].ready()
    assert cache.rollouts.items[WEB].spec.strategy.blue_green is None
    assert "spec.strategy.canary.steps" in cache.rollouts.invalid["a", "bad"]
    shown = metrics.text().decode()
    assert 'rollout_unreadable_objects{extent="field",kind="Pod"} 1.0' in shown
    assert 'rollout_unreadable_objects{extent="object",kind="Pod"} 0.0' in shown
    assert 'rollout_unreadable_objects{extent="object",kind="Rollout"} 1.0' in shown
    running.cancel()


def crashing(message: str, *, ready: bool = False) -> dict[str, Any]:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": "m" * 4096}}
    container = {
        "name": "web",
        "image": "web:1",
        "ready": ready,
        "restartCount": 2,
        "state": waiting,
        "lastState": ended,
    }
    owner = {"kind": "ReplicaSet", "name": "web-abc", "uid": "rs", "controller": True}
    meta = {"name": "pod", "labels": {HASH: "abc"}, "ownerReferences": [owner]}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": meta,
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container]},
    }


async def test_of_pods_that_are_ready_no_container_is_kept_and_of_others_little(store: Any) -> None:
    """The cache has thousands of pods: it keeps the reasons for a failed start only of pods that are not ready."""
    cache = Cache(Client(store), LoopClock(), Random(1), lambda _: None, namespace="", instance_id="")
    running = asyncio.create_task(cache.run())
    await cache.synced()
    for ready in (False, True):
        await store.put("pods", crashing("x" * 4096, ready=ready))
        await asyncio.sleep(1)
        status = cache.pods.items["a", "pod"].status
        text = [s.message for c in status.container_statuses for s in (c.state.waiting, c.last_state.terminated) if s]
        assert [len(one) for one in text] == ([] if ready else [CONTAINER_MESSAGE] * 2)
    running.cancel()


async def test_another_trouble_wakes_its_rollout_and_another_attempt_does_not(store: Any) -> None:
    woken: list[Any] = []
    cache = Cache(Client(store), LoopClock(), Random(1), woken.append, namespace="", instance_id="")
    running = asyncio.create_task(cache.run())
    await cache.synced()
    await store.put("rollouts", {"metadata": {"name": "web", "uid": "web"}, "spec": {}})
    owner = {"kind": "Rollout", "name": "web", "uid": "web", "controller": True}
    labels = {HASH: "abc"}
    meta = {"name": "web-abc", "uid": "rs", "labels": labels, "ownerReferences": [owner]}
    await store.put("replicasets", {"metadata": meta, "spec": {}})
    await asyncio.sleep(1)
    told: list[bool] = []
    pulling = crashing("x")
    pulling["status"]["containerStatuses"][0] |= {"state": {"waiting": {"reason": "ErrImagePull"}}, "lastState": {}}
    for pod in (pulling, crashing("back-off 10s"), crashing("back-off 20s"), crashing("back-off 40s")):
        woken.clear()
        await store.put("pods", pod)
        await asyncio.sleep(1)
        told.append(len(woken) > 0)
    assert told == [True, True, False, False]
    running.cancel()
