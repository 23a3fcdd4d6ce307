"""One pod on this node: its containers in order, its status, its end.

A deleted pod gets SIGTERM only after every EndpointSlice has dropped it as ready and the gateway had time to follow.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import PODS
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Conflict, Invalid, NotFound
from serinus.local.events import EventRecorder
from serinus.local.node.container import Container
from serinus.local.node.containers.runtime import PodRef, Runtime
from serinus.local.node.environment import Host
from serinus.local.node.pod_context import Config, ContainerContext
from serinus.local.node.podstatus import PodView, status_of
from serinus.local.node.probing.traffic import TrafficState

log = logging.getLogger(__name__)

FORCED_GRACE = 2.0
"""Grace period in seconds for a pod that was force-deleted from the API, as in a kubelet."""

TRAFFIC_PATIENCE = 10.0
"""Maximum seconds that a pod's end waits for its address to leave the EndpointSlices."""

RETRY = 0.5


@dataclass(frozen=True, slots=True)
class NodeContext:
    """Objects that all pods of a node share."""

    client: Client
    runtime: Runtime
    clock: Clock
    config: Config
    traffic: TrafficState
    events: EventRecorder
    host: Host


class PodWorker:
    def __init__(self, node: NodeContext, pod: Json, ip: str) -> None:
        self._node, self.pod, self.ip = node, pod, ip
        meta: Json = pod["metadata"]
        self.ref = PodRef(str(meta.get("namespace")), str(meta["name"]), str(meta["uid"]))
        self._about = ObjectMeta(name=self.ref.name, namespace=self.ref.namespace, uid=self.ref.uid)
        self._dirty, self._leaving = asyncio.Event(), asyncio.Event()
        self._taken_over = asyncio.Event()
        self._gone = False
        self._written: Json | None = None
        self._began = node.clock.now()
        home = ContainerContext(
            node.runtime, node.clock, node.config, node.host, self.ref, ip, lambda: self.pod, self._dirty.set, self._say
        )
        spec: Json = pod["spec"]
        policy = str(spec.get("restartPolicy") or "Always")
        before = {
            str(s.get("name")): s
            for f in ("initContainerStatuses", "containerStatuses")
            for s in (pod.get("status") or {}).get(f) or []
        }
        # Init containers that keep running beside the others (KEP-753).
        self.sidecars = frozenset(
            str(c["name"]) for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"
        )
        self.init = [
            Container(home, str(c["name"]), "initContainers", _init_policy(c, policy), before.get(str(c["name"])))
            for c in spec.get("initContainers") or []
        ]
        self.containers = [
            Container(home, str(c["name"]), "containers", policy, before.get(str(c["name"])))
            for c in spec.get("containers") or []
        ]
        self._background: set[asyncio.Task[None]] = set()

    def _say(self, reason: str, message: str, warning: bool, field: str) -> None:
        self._node.events.say(PODS, self._about, reason, message, warning=warning, field=field)

    async def report_failure(self, error: Exception) -> None:
        """Reports a failure of the worker, caused by a bug, in the pod's status and in an Event."""
        while isinstance(error, ExceptionGroup) and error.exceptions:
            error = error.exceptions[0]
        message = f"the node failed on this pod ({type(error).__name__}: {error}); it tries again ever more rarely"
        self._say("FailedSync", message, True, "")
        body = {"metadata": {"uid": self.ref.uid}, "status": {"reason": "FailedSync", "message": message[:1024]}}
        with suppress(ApiError):
            await self._node.client.patch(PODS, self.ref.name, body, self.ref.namespace, subresource="status")

    def update(self, pod: Json) -> None:
        """Handles a change of the pod in the API."""
        before, self.pod = self.pod, pod
        if pod["metadata"].get("deletionTimestamp"):
            self._leaving.set()
            return
        old = {c.get("name"): c.get("image") for c in before["spec"].get("containers") or []}
        for container in self.containers:
            if old.get(container.name) != container.spec.get("image"):
                task = asyncio.create_task(container.restart())
                self._background.add(task)
                task.add_done_callback(self._background.discard)
        if (before.get("status") or {}).get("conditions") != (pod.get("status") or {}).get("conditions"):
            self._dirty.set()  # a readiness gate, perhaps

    def removed(self) -> None:
        """Handles the pod's removal from the API."""
        self._gone = True
        self._leaving.set()

    def runs(self, container: str) -> bool:
        """Whether the container runs now."""
        return any(c.name == container and "running" in c.state.state for c in (*self.init, *self.containers))

    async def run(self) -> None:
        """Runs until the pod has ended and is removed from the API. Cancellation leaves all processes running."""
        if self.pod["metadata"].get("deletionTimestamp"):
            self._leaving.set()
        living, writing = asyncio.create_task(self._live()), asyncio.create_task(self._write())
        leaving = asyncio.create_task(self._leaving.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (living, writing, leaving)
        try:
            await asyncio.wait((living, leaving, writing), return_when=asyncio.FIRST_COMPLETED)
            while not leaving.done() and not writing.done() and not _failed(living):
                await asyncio.wait((leaving, writing), return_when=asyncio.FIRST_COMPLETED)
            for task in (living, writing):
                if _failed(task):
                    task.result()
            await self._end(living)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self) -> None:
        try:
            adopted = {r.container: r for r in await self._node.runtime.still_running(self.ref)}
        except BaseException:
            self._taken_over.set()
            raise
        async with asyncio.TaskGroup() as group:
            if self._leaving.is_set():
                # Starts no containers; adopts the running ones so that they end in order.
                for container in (*self.init, *self.containers):
                    if container.name in adopted:
                        group.create_task(container.run(adopted[container.name]))
                await asyncio.sleep(0)
                self._taken_over.set()
                return
            self._taken_over.set()
            for container in self.init:
                if container.name in self.sidecars:
                    group.create_task(container.run(adopted.get(container.name)))
                    while not container.state.started:  # noqa: ASYNC110 - a state of several causes, rarely waited for
                        await asyncio.sleep(0.02)
                    continue
                await container.run(adopted.get(container.name))
                if container.state.exit_code != 0:
                    return
            for container in self.containers:
                group.create_task(container.run(adopted.get(container.name)))

    def view(self) -> PodView:
        return PodView(
            [c.state for c in self.init],
            [c.state for c in self.containers],
            self.sidecars,
            self.ip,
            self._node.host.ip,
            self._began,
        )

    async def _write(self) -> None:
        """Writes the status whenever it changes; rapid changes are merged into one write."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            live: Json = self.pod.get("status") or {}
            status = status_of({**self.pod, "status": self._merged(live)}, self.view(), self._node.clock.now())
            if (self._written is not None and status == self._written) or _same(status, live):
                continue
            try:
                await self._patch(status)
            except NotFound:
                return
            except (Conflict, Invalid) as error:
                if isinstance(error, Conflict):
                    return  # another pod has this name now
                log.warning("status of pod %s/%s is refused: %s", self.ref.namespace, self.ref.name, error.message)
                await asyncio.sleep(RETRY)
                self._dirty.set()
            except ApiError:
                await asyncio.sleep(RETRY)
                self._dirty.set()
            else:
                self._written = status

    def _merged(self, live: Json) -> Json:
        """The API's status with the fields that this node wrote last: the cache may lag behind them."""
        if self._written is None:
            return live
        ours = {c["type"]: c for c in self._written["conditions"]}
        theirs = [c for c in live.get("conditions") or [] if c.get("type") not in ours]
        return {**live, "startTime": self._written["startTime"], "conditions": [*theirs, *ours.values()]}

    async def _patch(self, status: Json) -> None:
        body = {"metadata": {"uid": self.ref.uid}, "status": {**status, "reason": None, "message": None}}
        await self._node.client.patch(PODS, self.ref.name, body, self.ref.namespace, subresource="status")

    async def _end(self, living: asyncio.Task[None]) -> None:
        await self._taken_over.wait()
        grace = self._grace()
        if grace > 0 and any("running" in c.state.state for c in self.containers):
            await self._node.traffic.left(self.ip, TRAFFIC_PATIENCE)
        regular = [c for c in (*self.init, *self.containers) if c.name not in self.sidecars]
        await asyncio.gather(*(c.stop(grace) for c in regular))
        await asyncio.gather(*(c.stop(min(grace, FORCED_GRACE)) for c in self.init if c.name in self.sidecars))
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        if self.pod["metadata"].get("finalizers") and not self._gone:
            for container in (*self.init, *self.containers):
                container.state.over = container.state.over or container.state.exit_code is not None
            with suppress(ApiError):
                await self._patch(status_of(self.pod, self.view(), self._node.clock.now()))
        await self._node.runtime.forget(self.ref)
        while not self._gone:
            try:
                await self._node.client.delete(PODS, self.ref.name, self.ref.namespace, uid=self.ref.uid, grace=0)
                return
            except (NotFound, Conflict):
                return
            except ApiError as error:
                log.warning(
                    "pod %s/%s has ended but cannot be removed: %s", self.ref.namespace, self.ref.name, error.message
                )
                await asyncio.sleep(RETRY)

    def _grace(self) -> float:
        if self._gone:
            return FORCED_GRACE
        given = self.pod["metadata"].get("deletionGracePeriodSeconds")
        if given is None:
            given = self.pod["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if given is None else float(given)


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


def _init_policy(container: Json, policy: str) -> str:
    if container.get("restartPolicy") == "Always":
        return "Always"
    return "Never" if policy == "Never" else "OnFailure"


def _same(status: Json, live: Json) -> bool:
    return all(live.get(k) == v for k, v in status.items())
