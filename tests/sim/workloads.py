"""A cluster's own controllers: ReplicaSets get pods, pods become ready and end gracefully, orphans are collected.

Each part acts a little later than its cause, as controllers of a real cluster do, and none of them is faulty: only
the pods are, as the history wants it. A pod that is deleted serves on for its grace period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from serinus.api.names import HASH
from tests.sim.loop import Loop
from tests.sim.store import Change, Store

Json = dict[str, Any]
JUDGES = ("experiments", "analysisruns")
"""Kinds that a Rollout owns, and that own something themselves."""
NODE, SETS, COLLECTOR = "node", "replicaset-controller", "garbage-collector"


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the pods of an image behave: ready after `seconds` (times 0.5 to 1.5), or never."""

    seconds: float = 1.0
    never: bool = False


@dataclass(slots=True)
class Running:
    """A pod in its node's state."""

    name: str
    number: int
    """Pods are numbered as they are born."""
    owner: str
    """uid of its ReplicaSet."""
    pod_hash: str
    labels: dict[str, str]
    serving: bool = False
    """Whether it answers; the API shows it (Ready) from the same moment on."""
    ready_since: float | None = None
    ending: bool = False
    hit: float | None = None
    """When the history, not the controller, removed or crashed it."""


class Workloads:
    """`pods` by name, as they are; `on_serving` is called when a pod begins or ends to serve."""

    def __init__(self, loop: Loop, store: Store, rng: Random, images: dict[str, Image], grace: float) -> None:
        self.loop, self.store, self.rng, self.images, self.grace = loop, store, rng, images, grace
        self.pods: dict[str, Running] = {}
        self.lost: list[tuple[float, str]] = []
        """(when, hash) of pods that the history removed."""
        self.on_serving: Callable[[], None] = lambda: None
        self.routed = "ingresses"
        """Plural of the router's object."""
        self._due: set[str] = set()
        self._names = self._born = 0
        store.listeners.append(self._seen)

    def _seen(self, change: Change) -> None:
        if change.plural == "replicasets":
            self._wake(change.name)
            if change.new is None or change.old is None:  # one may be made for an owner that is gone
                self.loop.call_later(self.rng.uniform(0.01, 0.2), self._collect)
        elif change.plural in JUDGES:
            if change.new is None or change.old is None:
                self.loop.call_later(self.rng.uniform(0.01, 0.2), self._collect)
        elif change.plural == "pods":
            some: Json = change.new or change.old or {}
            self._wake(owner_of(some))
            self._pod_seen(change)
        elif change.plural == "rollouts" and change.new is None:
            self.loop.call_later(self.rng.uniform(0.01, 0.2), self._collect)

    # ReplicaSets

    def _wake(self, name: str, after: float | None = None) -> None:
        if name not in self._due:
            self._due.add(name)
            self.loop.call_later(self.rng.uniform(0.005, 0.15) if after is None else after, self._sync, name)

    def _sync(self, name: str) -> None:
        self._due.discard(name)
        rs = self.store.get("replicasets", name)
        if rs is None:
            return
        uid = rs["metadata"]["uid"]
        live = [p for p in self.pods.values() if p.owner == uid and not p.ending]
        want = rs["spec"].get("replicas", 1)
        for _ in range(want - len(live)):
            live.append(self.pods[self._make_pod(rs)["metadata"]["name"]])
        if len(live) > want:
            # Those that do not serve go first, then the youngest.
            live.sort(key=lambda p: (p.serving, -p.number))
            gone, live = live[: len(live) - want], live[len(live) - want :]
            for pod in gone:
                self.store.delete("pods", pod.name, SETS)
        self._report(rs, live)

    def _make_pod(self, rs: Json) -> Json:
        self._names += 1
        template = rs["spec"]["template"]
        meta = rs["metadata"]
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": meta["name"], "uid": meta["uid"]}
        metadata: Json = {
            "name": f"{meta['name']}-{self._names}",
            "labels": template["metadata"].get("labels", {}),
            "annotations": template["metadata"].get("annotations", {}),
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        }
        return self.store.create("pods", {"metadata": metadata, "spec": template["spec"]}, SETS)

    def _report(self, rs: Json, live: list[Running]) -> None:
        wait = float(rs["spec"].get("minReadySeconds", 0))
        serving = [p for p in live if p.serving]
        available, soonest = 0, None
        for pod in serving:
            left = wait - (self.loop.at - (self.loop.at if pod.ready_since is None else pod.ready_since))
            if left <= 0.001:
                available += 1
            else:
                soonest = left if soonest is None else min(left, soonest)
        if soonest is not None:
            self._wake(rs["metadata"]["name"], soonest)
        status: Json = {"observedGeneration": rs["metadata"]["generation"], "replicas": len(live)}
        status["readyReplicas"] = len(serving) or None
        status["availableReplicas"] = available or None
        self.store.patch("replicasets", rs["metadata"]["name"], {"status": status}, SETS, status=True)

    # Pods

    def _pod_seen(self, change: Change) -> None:
        new = change.new
        if change.old is None and new is not None:
            meta = new["metadata"]
            labels = meta.get("labels") or {}
            self._born += 1
            pod = Running(meta["name"], self._born, owner_uid(new), labels.get(HASH, ""), labels)
            self.pods[pod.name] = pod
            image = self._image(new)
            if not image.never:
                self.loop.call_later(image.seconds * self.rng.uniform(0.5, 1.5), self._begins, pod)
        elif new is not None and "deletionTimestamp" not in new["metadata"]:
            if change.name in self.pods:
                self.pods[change.name].labels = new["metadata"].get("labels") or {}
        elif new is not None:
            pod = self.pods[change.name]
            if not pod.ending:
                pod.ending = True
                self.loop.call_later(self.grace, self._ends, pod)

    def _image(self, pod: Json) -> Image:
        name = pod["spec"]["containers"][0]["image"].partition(":")[2]
        return self.images.get(name, Image())

    def _begins(self, pod: Running) -> None:
        if self.pods.get(pod.name) is not pod or pod.ending or pod.serving:
            return
        pod.serving = True
        pod.ready_since, pod.hit = self.loop.at, None
        self._say(pod, "Running", "True")
        self.on_serving()

    def _ends(self, pod: Running) -> None:
        pod.serving = False
        self.pods.pop(pod.name, None)
        self.store.remove("pods", pod.name, NODE)
        self.on_serving()

    def _say(self, pod: Running, phase: str, is_ready: str) -> None:
        conditions = [{"type": "Ready", "status": is_ready}]
        status = {"status": {"phase": phase, "conditions": conditions}}
        self.store.patch("pods", pod.name, status, NODE, status=True)

    def _hit(self, pod: Running) -> None:
        pod.hit = self.loop.at
        self.lost.append((self.loop.at, pod.pod_hash))

    def crash(self, pod: Running, seconds: float) -> None:
        """The pod stops to serve at once, and is ready again after `seconds`."""
        if pod.ending or not pod.serving:
            return
        self._hit(pod)
        pod.serving, pod.ready_since = False, None
        self._say(pod, "Running", "False")
        self.on_serving()
        self.loop.call_later(seconds, self._begins, pod)

    def evict(self, pod: Running) -> None:
        """A user drains the node: the pod ends gracefully, its ReplicaSet creates another."""
        if not pod.ending:
            self._hit(pod)
            self.store.delete("pods", pod.name, "somebody")

    # Garbage

    def _collect(self) -> None:
        """Objects of a deleted owner are deleted as well."""
        uids = {o["metadata"]["uid"] for kind in ("rollouts", "replicasets", *JUDGES) for o in self.store.all(kind)}
        for kind in ("replicasets", self.routed, "services", "pods", "jobs", *JUDGES):
            for obj in self.store.all(kind):
                owner = owner_uid(obj)
                if owner and owner not in uids and not (kind == "pods" and "deletionTimestamp" in obj["metadata"]):
                    self.store.delete(kind, obj["metadata"]["name"], COLLECTOR)


def owner_of(obj: Json) -> str:
    """Name of the controlling owner, "" for none."""
    return next((o["name"] for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), "")


def owner_uid(obj: Json) -> str:
    return next((o["uid"] for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), "")


def kind_of_owner(obj: Json) -> str:
    """Kind of the controlling owner, "" for none."""
    return next((o["kind"] for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), "")
