"""Makes every pod ready as soon as it exists, and runs nothing: one write a pod, so that the benchmark measures the other parts.

Pods are not bound to a node: the API server then removes a deleted pod at once, as if its kubelet had answered.

    fake_kubelet.py KUBECONFIG
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from serinus.api.resources import PODS
from serinus.kube.client import Client
from serinus.kube.clock import SystemClock, rfc3339
from serinus.kube.configuration.config import Flags, load
from serinus.kube.errors import ApiError, Conflict, NotFound
from serinus.kube.http.https import HttpsHandler
from serinus.kube.informer import Informer

WORKERS = 32
CONDITIONS = ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")


class Meta(msgspec.Struct, rename="camel"):
    name: str
    namespace: str
    uid: str
    resource_version: str
    deletion_timestamp: str | None = None


class Container(msgspec.Struct):
    name: str
    image: str


class Spec(msgspec.Struct):
    containers: list[Container]


class Status(msgspec.Struct):
    phase: str = ""


class Pod(msgspec.Struct):
    metadata: Meta
    spec: Spec
    status: Status


class Kubelet:
    def __init__(self, client: Client) -> None:
        self._client, self._clock = client, SystemClock()
        self._waiting: asyncio.Queue[Pod] = asyncio.Queue()
        self._number = 0
        self.pods: Informer[Pod] = Informer(client, PODS, Pod, clock=self._clock)
        self.pods.on_change(self._changed)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.pods.run())
            for _ in range(WORKERS):
                tasks.create_task(self._work())

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is not None and new.status.phase != "Running" and not new.metadata.deletion_timestamp:
            self._waiting.put_nowait(new)

    async def _work(self) -> None:
        while True:
            pod = await self._waiting.get()
            try:
                await self._ready(pod)
            except (NotFound, Conflict):
                continue  # gone meanwhile
            except ApiError:
                await asyncio.sleep(0.5)
                self._waiting.put_nowait(pod)

    async def _ready(self, pod: Pod) -> None:
        self._number += 1
        now = rfc3339(self._clock.now())
        ip = f"10.{201 + (self._number >> 16) % 50}.{(self._number >> 8) % 256}.{self._number % 256}"
        status: dict[str, Any] = {
            "phase": "Running",
            "startTime": now,
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": name, "status": "True", "lastTransitionTime": now} for name in CONDITIONS],
            "containerStatuses": [
                {
                    "name": c.name,
                    "image": c.image,
                    "imageID": c.image,
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": now}},
                }
                for c in pod.spec.containers
            ],
        }
        body = {"metadata": {"uid": pod.metadata.uid}, "status": status}
        await self._client.patch(PODS, pod.metadata.name, body, pod.metadata.namespace, subresource="status")


async def main() -> None:
    handler = HttpsHandler(load(Flags(kubeconfig=sys.argv[1])))
    try:
        await Kubelet(Client(handler, user_agent="fake-kubelet")).run()
    finally:
        await handler.close()


if __name__ == "__main__":
    asyncio.run(main())
