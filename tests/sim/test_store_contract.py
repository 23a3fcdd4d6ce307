"""The lean store answers as the embedded API server does: the same requests to both, and the answers side by side."""

from __future__ import annotations

import asyncio
import itertools
from random import Random
from typing import Any

import pytest

from serinus.api.resources import PODS, REPLICA_SETS, ROLLOUTS, SERVICES, Resource
from serinus.kube.client import Client
from serinus.kube.errors import ApiError
from serinus.kube.transport import Handler, Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.sim.history import template
from tests.sim.loop import Loop
from tests.sim.store import Store
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

Json = dict[str, Any]
SPACE = "default"
LABELS = {"app": "web", "rollouts-pod-template-hash": "abc"}


def rollout() -> Json:
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template("v1")}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}, "spec": {
        **spec, "strategy": {"canary": {"steps": [{"setWeight": 20}]}}}}  # fmt: skip


def replica_set() -> Json:
    made = template("v1")
    made["metadata"]["labels"] = LABELS
    spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": made}
    metadata = {"name": "web-abc", "labels": LABELS}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}


def pod(name: str, labels: Json) -> Json:
    spec = template("v1")["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def service() -> Json:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http", "name": "http"}]}
    metadata = {"name": "web", "annotations": {"team": "shop"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


class Script:
    """Sends requests and records the answers, in words that do not depend on the server."""

    def __init__(self, handler: Handler) -> None:
        self.client = Client(handler)
        self.said: list[Any] = []
        self.versions: dict[str, str] = {}

    async def do(self, what: str, call: Any) -> Json:
        try:
            obj = await call
        except ApiError as error:
            self.said.append((what, error.code, error.reason))
            return {}
        self.said.append((what, self.essence(obj)))
        return obj or {}

    def essence(self, obj: Any) -> Any:
        """The fields of an object that the controller reads; versions as whether they changed."""
        if not isinstance(obj, dict) or "metadata" not in obj:
            return None
        meta, spec = obj["metadata"], obj.get("spec") or {}
        key = f"{obj.get('kind')} {meta['name']}"
        changed, self.versions[key] = self.versions.get(key) != meta["resourceVersion"], meta["resourceVersion"]
        gone = "deletionTimestamp" in meta
        status = {k: v for k, v in (obj.get("status") or {}).items() if v and k in ("phase", "abort", "readyReplicas")}
        return (
            key, changed, gone, meta.get("generation"), meta.get("labels"), meta.get("annotations"), status,
            spec.get("replicas"), spec.get("selector"), spec.get("paused"),
        )  # fmt: skip

    async def patch(self, what: str, resource: Resource, name: str, patch: Json, sub: str = "") -> Json:
        return await self.do(what, self.client.patch(resource, name, patch, SPACE, subresource=sub))

    async def run(self) -> list[Any]:
        c = self.client
        made = await self.do("create", c.create(ROLLOUTS, rollout(), SPACE))
        await self.do("create again", c.create(ROLLOUTS, rollout(), SPACE))
        old = made["metadata"]
        await self.patch("scale", ROLLOUTS, "web", {"spec": {"replicas": 3}})
        await self.patch("nothing new", ROLLOUTS, "web", {"spec": {"replicas": 3}})
        await self.patch("status on the main path", ROLLOUTS, "web", {"status": {"abort": True}})
        await self.patch("status", ROLLOUTS, "web", {"status": {"abort": True}}, "status")
        await self.patch(
            "spec on the status path", ROLLOUTS, "web", {"spec": {"replicas": 9}, "status": {"phase": "x"}}, "status"
        )
        stale = {"metadata": {"resourceVersion": old["resourceVersion"]}, "spec": {"paused": True}}
        await self.patch("stale", ROLLOUTS, "web", stale)
        await self.patch("stale status", ROLLOUTS, "web", {**stale, "status": {"abort": False}}, "status")
        await self.patch("of another", ROLLOUTS, "web", {"metadata": {"uid": "wrong"}, "spec": {"paused": True}})
        await self.patch("of this one", ROLLOUTS, "web", {"metadata": {"uid": old["uid"]}, "spec": {"paused": True}})
        await self.patch("a field goes", ROLLOUTS, "web", {"spec": {"paused": None}})
        await self.patch("a note", ROLLOUTS, "web", {"metadata": {"annotations": {"a": "b"}}})
        await self.do("missing", c.get(ROLLOUTS, "other", SPACE))
        await self.patch("patch of a missing one", ROLLOUTS, "other", {"spec": {"replicas": 1}})
        await self.do("create", c.create(REPLICA_SETS, replica_set(), SPACE))
        await self.patch("status", REPLICA_SETS, "web-abc", {"status": {"replicas": 2, "readyReplicas": 1}}, "status")
        await self.do("create", c.create(SERVICES, service(), SPACE))
        await self.patch("a key of the selector", SERVICES, "web", {"spec": {"selector": {"x": "y"}}})
        for name, labels in (("a", LABELS), ("b", {"app": "web"})):
            await self.do("create", c.create(PODS, pod(name, labels), SPACE))
        found = await c.list(PODS, SPACE, labels="rollouts-pod-template-hash")
        self.said.append([o["metadata"]["name"] for o in found.items])
        found = await c.list(ROLLOUTS, SPACE, labels="!argo-rollouts.argoproj.io/controller-instance-id")
        self.said.append([o["metadata"]["name"] for o in found.items])
        await self.do("delete, wrong uid", c.delete(REPLICA_SETS, "web-abc", SPACE, uid="wrong"))
        await self.do("delete, stale", c.delete(REPLICA_SETS, "web-abc", SPACE, resource_version="1"))
        await self.do("delete", c.delete(REPLICA_SETS, "web-abc", SPACE))
        await self.do("delete again", c.delete(REPLICA_SETS, "web-abc", SPACE))
        await self.do("after", c.get(REPLICA_SETS, "web-abc", SPACE))
        await self.do("of old", self.watched(ROLLOUTS, old["resourceVersion"], 5))
        await self.do("of pods", self.watched(PODS, old["resourceVersion"], 1, "rollouts-pod-template-hash"))
        return self.said

    async def watched(self, resource: Resource, version: str, count: int, labels: str = "") -> None:
        """Changes since a version, as a new watch sends them."""
        events = self.client.watch(resource, "", resource_version=version, labels=labels)
        found: list[Any] = []
        async for event in events:
            if event.type != "BOOKMARK":
                found.append((event.type, event.object["metadata"]["name"], event.object["spec"].get("replicas")))
            if len(found) == count:
                break
        self.said.append(found)


async def test_the_lean_store_answers_as_the_embedded_api_server_does():
    api = ApiServer(MemoryStore(), Schemas(), LoopClock(), rng=Random(1))
    await api.start()
    there = await Script(api.handle).run()
    api.close()
    loop = Loop()
    store = Store(loop)
    here: list[Any] = []

    async def handle(request: Request) -> Response:
        return await store.handle(request, "user")

    async def script() -> None:
        here.extend(await Script(handle).run())

    with loop.running():
        task = loop.create_task(script())
        loop.run(60.0)
    assert task.done()
    task.result()
    for one, other in itertools.zip_longest(here, there):
        assert one == other
    await asyncio.sleep(0)
