"""A small Kubernetes API in memory: enough of the protocol to check a controller's promises in virtual time."""

from __future__ import annotations

import asyncio
import copy
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from serinus.api.names import HASH
from serinus.api.network import Service
from serinus.api.workloads import ReplicaSet
from serinus.controller.manager import Controller, Options
from serinus.engine.core.plan import Action, Event, Plan, Snapshot, Wait
from serinus.kube.client import Client
from serinus.kube.transport import Request, Response
from tests.support.kube.loop_clock import LoopClock

Json = dict[str, Any]
Place = tuple[str, str, str]
"""(plural, namespace, name)"""


class Store:
    """Objects with versions and uids, merge patches, preconditions, a status subresource, watches to resume."""

    def __init__(self) -> None:
        self.objects: dict[Place, Json] = {}
        self.log: list[tuple[int, str, str, Json]] = []
        self.version = 100
        self.created: Counter[Place] = Counter()
        self.requests: list[tuple[str, str]] = []
        self._news = asyncio.Condition()

    # The actions of a test

    async def put(self, plural: str, obj: Json, *, status: bool = True) -> Json:
        """Create or replace, as another user's `kubectl apply` would."""
        meta = obj["metadata"]
        place = (plural, meta.setdefault("namespace", "a"), meta["name"])
        old = self.objects.get(place)
        new = copy.deepcopy(obj)
        if old:
            new["metadata"] = {**old["metadata"], **meta}
            if status and "status" not in new and "status" in old:
                new["status"] = old["status"]
        return await self._store(place, old, new)

    async def replace(self, plural: str, obj: Json) -> Json:
        """Write an object unchanged, as another client."""
        place = (plural, obj["metadata"]["namespace"], obj["metadata"]["name"])
        return await self._store(place, self.objects[place], obj)

    async def drop(self, plural: str, name: str, namespace: str = "a") -> None:
        old = self.objects.pop((plural, namespace, name))
        self.version += 1
        gone = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.version)}}
        await self._tell(plural, "DELETED", gone)

    def get(self, plural: str, name: str, namespace: str = "a") -> Json:
        return self.objects[plural, namespace, name]

    def names(self, plural: str) -> list[str]:
        return sorted(name for p, _, name in self.objects if p == plural)

    async def changed_since(self, version: int) -> None:
        """Returns as soon as `version` is not the last one."""
        async with self._news:
            await self._news.wait_for(lambda: self.version != version)

    def writes(self) -> list[tuple[str, str]]:
        return [(verb, path) for verb, path in self.requests if verb != "GET" and "/events" not in path]

    # The actions of the API

    async def __call__(self, request: Request) -> Response:
        self.requests.append((request.method, request.path))
        parts = request.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if not rest:  # a group that is not served
            return _status(404, "NotFound", "the server could not find the requested resource")
        namespace = ""
        if rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        plural, name, sub = (*rest, "", "")[:3]
        body = json.loads(request.body) if request.body else {}
        if request.method == "GET" and not name:
            return (
                self._watch(plural, namespace, request)
                if request.query.get("watch")
                else self._list(plural, namespace, request)
            )
        if request.method == "POST":
            return (
                await self._create(plural, namespace, body)
                if sub != "eviction"
                else await self._delete(plural, namespace, name, {})
            )
        old = self.objects.get((plural, namespace, name))
        if old is None:
            return _status(404, "NotFound", f'{plural} "{name}" not found')
        if request.method == "GET":
            return _answer(old)
        if request.method == "DELETE":
            return await self._delete(plural, namespace, name, body.get("preconditions", {}))
        return await self._change(plural, old, body, sub, whole=request.method == "PUT")

    async def _create(self, plural: str, namespace: str, body: Json) -> Response:
        place = (plural, namespace, body["metadata"]["name"])
        if place in self.objects:
            return _status(409, "AlreadyExists", f'{plural} "{place[2]}" already exists')
        self.created[place] += 1
        return _answer(await self._store(place, None, body), 201)

    async def _change(self, plural: str, old: Json, patch: Json, sub: str, *, whole: bool) -> Response:
        meta, asked = old["metadata"], patch.get("metadata", {})
        for part in ("resourceVersion", "uid"):
            if asked.get(part, meta[part]) != meta[part]:
                return _status(
                    409, "Conflict", f"the object has been modified: {part} {asked[part]} is not {meta[part]}"
                )
        new = copy.deepcopy(patch) if whole else _merged(old, patch)
        if sub == "status":
            new = {**old, "status": new.get("status", {})}
        elif "status" in old and plural not in ("experiments", "analysisruns"):  # these have no status subresource
            new["status"] = old["status"]
        new["metadata"] = {**meta, **new["metadata"]} if whole else new["metadata"]
        if new == old:
            return _answer(old)
        return _answer(await self._store((plural, meta["namespace"], meta["name"]), old, new))

    async def _delete(self, plural: str, namespace: str, name: str, conditions: Json) -> Response:
        old = self.objects.get((plural, namespace, name))
        if old is None:
            return _status(404, "NotFound", f'{plural} "{name}" not found')
        if any(old["metadata"][k] != v for k, v in conditions.items()):
            return _status(409, "Conflict", "precondition failed")
        await self.drop(plural, name, namespace)
        return _answer({"kind": "Status", "status": "Success"})

    async def _store(self, place: Place, old: Json | None, new: Json) -> Json:
        self.version += 1
        new = copy.deepcopy(new)
        meta = new["metadata"]
        meta["namespace"], meta["resourceVersion"] = place[1], str(self.version)
        meta.setdefault("uid", f"uid-{self.version}")
        before = old["metadata"].get("generation", 0) if old else 0
        meta["generation"] = before + (old is None or old.get("spec") != new.get("spec"))
        meta.setdefault("creationTimestamp", f"2026-01-01T00:00:{self.version % 60:02}Z")
        self.objects[place] = new
        await self._tell(place[0], "MODIFIED" if old else "ADDED", new)
        return new

    async def _tell(self, plural: str, type_: str, obj: Json) -> None:
        self.log.append((self.version, plural, type_, copy.deepcopy(obj)))
        async with self._news:
            self._news.notify_all()

    def _list(self, plural: str, namespace: str, request: Request) -> Response:
        found = [
            o
            for (p, n, _), o in sorted(self.objects.items())
            if p == plural and namespace in ("", n) and _selected(o, request)
        ]
        return _answer({"metadata": {"resourceVersion": str(self.version)}, "items": found})

    def _watch(self, plural: str, namespace: str, request: Request) -> Response:
        async def stream() -> AsyncIterator[bytes]:
            place = next(
                (i for i, e in enumerate(self.log) if e[0] > int(request.query["resourceVersion"])), len(self.log)
            )
            while True:
                while place < len(self.log):  # it grows while a piece is being read
                    _, kind, type_, obj = self.log[place]
                    place += 1
                    if kind == plural and namespace in ("", obj["metadata"]["namespace"]) and _selected(obj, request):
                        yield json.dumps({"type": type_, "object": obj}).encode() + b"\n"
                async with self._news:
                    await self._news.wait_for(lambda: len(self.log) > place)  # noqa: B023

        return Response(200, stream=stream())


def _selected(obj: Json, request: Request) -> bool:
    labels = obj["metadata"].get("labels", {})
    for term in filter(None, request.query.get("labelSelector", "").split(",")):
        key, _, value = term.partition("=")
        if key.startswith("!"):
            if key[1:] in labels:
                return False
        elif key not in labels or (value and labels[key] != value):
            return False
    return True


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    out = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merged(out.get(key), value)
    return out


def _answer(obj: Json, status: int = 200) -> Response:
    return Response(status, json.dumps(obj).encode())


def _status(code: int, reason: str, message: str) -> Response:
    return _answer({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}, code)


@pytest.fixture
async def store() -> Store:
    return Store()


# A planner small enough to be seen through: one ReplicaSet for each image, the Service follows when it has pods.


def toy_plan(seen: Snapshot) -> Plan:
    meta, spec = seen.rollout.metadata, seen.rollout.spec
    image = spec.template.get("image", "")
    wanted, service = f"{meta.name}-{image}", seen.services.get(f"{meta.name}-svc")
    mine = [rs for rs in seen.replica_sets if (owner := rs.metadata.controller()) and owner.uid == meta.uid]
    new = next((rs for rs in mine if rs.metadata.name == wanted), None)
    actions: list[Action] = []
    if new is None:
        owner = {"kind": "Rollout", "name": meta.name, "uid": meta.uid, "controller": True}
        body: Json = {"metadata": {"labels": {HASH: image}, "ownerReferences": [owner]}, "spec": {"replicas": 0}}
        told = Event("NewReplicaSetCreated", f"Created ReplicaSet {wanted}")
        actions.append(Action("create", "ReplicaSet", wanted, "the image changed", body, events=(told,)))
    else:
        if meta.annotations.get("image") != image:
            note = {"metadata": {"annotations": {"image": image}}}
            actions.append(Action("patch", "Rollout", meta.name, "the image is noted", note, uid=meta.uid))
        actions += _sizes(mine, new, spec.replicas or 1, service)
        if service and new.status.available_replicas and service.spec.selector.get(HASH) != image:
            m = service.metadata
            to = {"spec": {"selector": {HASH: image}}}
            actions.append(
                Action("patch", "Service", m.name, "it has pods", to, uid=m.uid, resource_version=m.resource_version)
            )
    available = new.status.available_replicas if new else 0
    served = bool(service and service.spec.selector.get(HASH) == image)
    message = "" if service else f"Service {meta.name}-svc is missing"
    status: Json = {
        "currentPodHash": image,
        "availableReplicas": available,
        "phase": "Healthy" if served else "Waiting",
    }
    status["message"] = message
    had = seen.rollout.status
    same = (had.current_pod_hash, had.available_replicas, had.phase, had.message) == tuple(status.values())
    return Plan(
        tuple(actions), None if same else status, "what is seen", waits=(Wait("Service", message),) if message else ()
    )


def _sizes(mine: list[ReplicaSet], new: ReplicaSet, wanted: int, service: Service | None) -> list[Action]:
    found: list[Action] = []
    for rs in mine:
        free = service is None or service.spec.selector.get(HASH) != rs.metadata.labels[HASH]
        size = wanted if rs is new else 0 if free else rs.spec.replicas
        if rs.spec.replicas != size:
            m = rs.metadata
            to = {"spec": {"replicas": size}}
            found.append(
                Action("patch", "ReplicaSet", m.name, "its size", to, uid=m.uid, resource_version=m.resource_version)
            )
    return found


async def kubelet(store: Store) -> None:
    """Makes pods of ReplicaSets, as far as their status shows it: after a second each has its desired pods."""
    while True:
        for (plural, _, _), rs in list(store.objects.items()):
            size = rs.get("spec", {}).get("replicas", 1) if plural == "replicasets" else None
            if size is not None and rs.get("status", {}).get("availableReplicas", 0) != size:
                counts = {"replicas": size, "readyReplicas": size, "availableReplicas": size}
                counts["observedGeneration"] = rs["metadata"]["generation"]
                await store.put(plural, {**rs, "status": counts}, status=False)
        await asyncio.sleep(1)


def rollout(image: str, name: str = "web", **labels: str) -> Json:
    return {
        "metadata": {"name": name, "namespace": "a", "labels": labels},
        "spec": {
            "replicas": 3,
            "template": {"image": image},
            "strategy": {"canary": {"stableService": f"{name}-svc"}},
        },
    }


def service(name: str = "web") -> Json:
    return {"metadata": {"name": f"{name}-svc", "namespace": "a"}, "spec": {"selector": {"app": name}}}


@dataclass
class Play:
    """A world in which controllers run: `controller` starts one; all end with the test."""

    store: Store
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    rollout = staticmethod(rollout)
    service = staticmethod(service)
    plan = staticmethod(toy_plan)

    def controller(self, handler: Any = None, **options: Any) -> tuple[Controller, asyncio.Task[None]]:
        plan = options.pop("plan", toy_plan)
        clock = options.pop("clock", None) or LoopClock()
        options.setdefault("leader_elect", False)
        if not self.tasks:  # not in the fixture, where time is real
            self.tasks.append(asyncio.create_task(kubelet(self.store)))
        made = Controller(
            Client(handler or self.store),
            clock,
            Random(7),
            options=Options(**options),
            plan=plan,
        )
        task = asyncio.create_task(made.run())
        self.tasks.append(task)
        return made, task

    async def until(self, true: Callable[[], Any], seconds: float = 600, every: float = 0.1) -> None:
        """Let virtual time pass until the condition is true."""
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - the condition may be any state of the world
                await asyncio.sleep(every)

    def healthy(self, name: str = "web") -> bool:
        found = self.store.get("rollouts", name)
        status = found.get("status", {})
        return status.get("phase") == "Healthy" and status["currentPodHash"] == found["spec"]["template"]["image"]


@pytest.fixture
async def play(store: Store) -> AsyncIterator[Play]:
    made = Play(store)
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)
