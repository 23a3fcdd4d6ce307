"""The node: binds and runs unscheduled pods, maintains its Node object and Lease, and re-adopts processes.

Pods are accepted regardless of nodeSelector, affinity, tolerations and requests: there is one machine, and it must run
a cluster's YAML.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from serinus import __version__
from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import ENDPOINT_SLICES, LEASES, NAMESPACES, NODES, PODS
from serinus.kube.client import Client
from serinus.kube.clock import Clock, rfc3339, rfc3339_micro
from serinus.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from serinus.kube.informer import Informer
from serinus.kube.queue import WorkQueue, work
from serinus.local.events import EventRecorder
from serinus.local.node import pod as pods
from serinus.local.node.config import ApiConfig
from serinus.local.node.container_logs.logs import Logs
from serinus.local.node.containers.addresses import POOL, Addresses, PoolExhausted
from serinus.local.node.containers.listeners import listening
from serinus.local.node.containers.runtime import PodRef, Runtime
from serinus.local.node.environment import Host
from serinus.local.node.images import ImageRule
from serinus.local.node.probing.traffic import TrafficState
from serinus.local.workloads.objects import EndpointSlice

log = logging.getLogger(__name__)

HEARTBEAT = 10.0
LEASE_SECONDS = 40
LEASE_NAMESPACE = "kube-node-lease"
STOP_GRACE = 5.0
RETRY, LONGEST_RETRY = 1.0, 60.0
MOST_PODS = 250


class Node:
    """`data_dir/pods` contains the pods' files. If `runtime` or `logs` is given, it must use the same directory.

    `drain`: seconds between a pod's removal from the EndpointSlices and its SIGTERM, for the gateways to follow.
    `image_rules`: precede those of the ConfigMaps `serinus-images`.
    """

    def __init__(
        self,
        client: Client,
        runtime: Runtime,
        clock: Clock,
        rng: Random,
        *,
        name: str = "serinus",
        data_dir: Path,
        pool: str = POOL,
        drain: float = 1.0,
        host_ip: str = "127.0.0.1",
        logs: Logs | None = None,
        image_rules: Sequence[ImageRule] = (),
    ) -> None:
        self._client, self._runtime, self._clock, self._name = client, runtime, clock, name
        self._host = Host(name, host_ip)
        self._pods: Informer[dict[str, Any]] = Informer(client, PODS, dict[str, Any], clock=clock)
        self._slices = Informer(client, ENDPOINT_SLICES, EndpointSlice, clock=clock)
        self._config = ApiConfig(client, clock, image_rules)
        self._events = EventRecorder(client, clock, "serinus-node", name)
        occupied = _strangers if runtime.name != "fake" else list
        self._addresses = Addresses(clock, pool, occupied)
        traffic = TrafficState(self._slices, drain=drain)
        self._shared = pods.NodeContext(client, runtime, clock, self._config, traffic, self._events, self._host)
        self._unbound: WorkQueue[tuple[str, str]] = WorkQueue(clock, rng)
        self._workers: dict[str, pods.PodWorker] = {}
        self._failures: dict[str, int] = {}
        """Failures of each pod's worker, by uid."""
        self._group: asyncio.TaskGroup | None = None
        self.logs = logs or Logs(data_dir / "pods", clock)
        self.logs.running = self._runs
        self._pods.on_change(self._changed)

    async def run(self) -> None:
        """Runs until cancelled. The processes continue for the next node; `stop_all` ends them.

        May be called again after a failure: it re-adopts the running processes, as after a crash.
        """
        self._group = None
        self._workers.clear()
        async with asyncio.TaskGroup() as group:
            for informer in (self._pods, self._slices, self._config.informer):
                group.create_task(informer.run())
            group.create_task(self._heartbeats())
            await self._pods.synced.wait()
            await self._slices.synced.wait()
            await self._remove_orphans()
            # Reserves addresses in use first: no other pod may get them.
            for pod in self._pods.items.values():
                if self._is_mine(pod) and (ip := (pod.get("status") or {}).get("podIP")):
                    self._addresses.take(pod["metadata"]["uid"], ip)
            self._group = group
            for pod in list(self._pods.items.values()):
                self._changed(None, pod)
            if self._runtime.name != "fake":
                group.create_task(self.logs.watch())
                group.create_task(self._runtime.keep())
            await work(self._unbound, self._bind, workers=4)

    async def stop_all(self, grace: float = STOP_GRACE) -> None:
        """Ends all processes of all pods: SIGTERM, then SIGKILL after `grace` seconds. The pods stay in the API."""
        await self._runtime.stop_all(grace)

    def _runs(self, namespace: str, pod: str, container: str) -> bool:
        return any(
            w.ref.namespace == namespace and w.ref.name == pod and w.runs(container) for w in self._workers.values()
        )

    def _is_mine(self, pod: Json) -> bool:
        return (pod.get("spec") or {}).get("nodeName") == self._name

    async def _remove_orphans(self) -> None:
        known = {p["metadata"]["uid"] for p in self._pods.items.values()}
        for ref in await self._runtime.pods():
            if ref.uid not in known:
                log.info("pod %s/%s is no more: its processes are ended", ref.namespace, ref.name)
                await self._runtime.forget(ref)

    def _changed(self, old: Json | None, new: Json | None) -> None:
        if self._group is None:
            return  # existing pods are processed once all that they need is available
        if old is not None and (new is None or new["metadata"]["uid"] != old["metadata"]["uid"]):
            worker = self._workers.get(old["metadata"]["uid"])
            if worker is not None:
                worker.removed()
            elif self._is_mine(old):
                meta = old["metadata"]
                self._group.create_task(self._runtime.forget(PodRef(meta["namespace"], meta["name"], meta["uid"])))
        if new is None:
            return
        meta: Json = new["metadata"]
        worker = self._workers.get(meta["uid"])
        if worker is not None:
            worker.update(new)
        elif self._is_mine(new):
            self._begin(new)
        elif (
            not new["spec"].get("nodeName")
            and not meta.get("deletionTimestamp")
            and not new["spec"].get("schedulingGates")
        ):
            self._unbound.add((meta["namespace"], meta["name"]))

    async def _bind(self, key: tuple[str, str]) -> None:
        pod = self._pods.items.get(key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            return
        namespace, name = key
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": pod["metadata"]["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._name},
        }
        try:
            await self._client.create(PODS, binding, namespace, name=name, subresource="binding")
        except NotFound:
            return
        except Conflict:
            return  # bound already: its event follows
        about = ObjectMeta(name=name, namespace=namespace, uid=pod["metadata"]["uid"])
        self._events.say(PODS, about, "Scheduled", f"Successfully assigned {namespace}/{name} to {self._name}")

    def _begin(self, pod: Json) -> None:
        status: Json = pod.get("status") or {}
        if status.get("phase") in ("Succeeded", "Failed") and not pod["metadata"].get("deletionTimestamp"):
            return
        if self._group is None:
            return
        uid = str(pod["metadata"]["uid"])
        try:
            ip = self._addresses.take(uid, str(status.get("podIP") or ""))
        except PoolExhausted as error:
            about = ObjectMeta(name=pod["metadata"]["name"], namespace=pod["metadata"]["namespace"], uid=uid)
            self._events.say(PODS, about, "FailedCreatePodSandBox", str(error), warning=True)
            return
        worker = self._workers[uid] = pods.PodWorker(self._shared, pod, ip)
        self._group.create_task(self._supervise(uid, worker))

    async def _supervise(self, uid: str, worker: pods.PodWorker) -> None:
        try:
            await worker.run()
        except Exception as error:
            # A bug in one pod's worker must not stop the others: the worker restarts from the API's state.
            log.exception("pod %s/%s: its worker failed and starts again", worker.ref.namespace, worker.ref.name)
            failures = self._failures[uid] = self._failures.get(uid, 0) + 1
            await worker.report_failure(error)
            await asyncio.sleep(min(RETRY * 2 ** min(failures - 1, 20), LONGEST_RETRY))
            self._workers.pop(uid, None)
            current = self._pods.items.get((worker.ref.namespace, worker.ref.name))
            if current is not None and current["metadata"]["uid"] == uid:
                self._begin(current)
            else:
                await self._runtime.forget(worker.ref)
                self._addresses.release(uid)
                self._failures.pop(uid, None)
            return
        self._failures.pop(uid, None)
        self._workers.pop(uid, None)
        self._addresses.release(uid)

    async def _heartbeats(self) -> None:
        registered = False
        while True:
            try:
                if not registered:
                    await self._register()
                    registered = True
                await self._renew()
            except NotFound:
                registered = False
            except ApiError as error:
                log.debug("no heartbeat: %s", error.message)
                await asyncio.sleep(RETRY)
                continue
            await asyncio.sleep(HEARTBEAT)

    async def _register(self) -> None:
        node = node_object(self._name, self._host.ip, self._clock.now(), self._runtime.name)
        with suppress(AlreadyExists):
            await self._client.create(NODES, node)
        await self._client.patch(NODES, self._name, {"status": node["status"]}, subresource="status")

    async def _renew(self) -> None:
        """Renews the Lease, which is the heartbeat; the Node object is written only on changes."""
        spec = {
            "holderIdentity": self._name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": rfc3339_micro(self._clock.now()),
        }
        try:
            await self._client.patch(LEASES, self._name, {"spec": spec}, LEASE_NAMESPACE)
        except NotFound:
            with suppress(AlreadyExists):
                namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEASE_NAMESPACE}}
                await self._client.create(NAMESPACES, namespace)
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name, "namespace": LEASE_NAMESPACE},
            }
            await self._client.create(LEASES, {**lease, "spec": spec}, LEASE_NAMESPACE)


def _strangers() -> list[str]:
    return [address for address, _, _ in listening()]


def node_object(name: str, ip: str, now: float, runtime: str) -> Json:
    """The Node as `kubectl get nodes` and `describe node` expect it."""
    resources = {"cpu": str(os.cpu_count() or 1), "memory": f"{_memory_kib()}Ki", "pods": str(MOST_PODS)}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    system = platform.system().lower()
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": system, "kubernetes.io/arch": machine}
    good = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "the machine's own memory is used"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "the machine's own disk is used"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "the machine's own processes are used"),
        ("Ready", "True", "KubeletReady", "serinus runs pods here"),
    )
    time = rfc3339(now)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "addresses": [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name}],
            "conditions": [
                {
                    "type": t,
                    "status": s,
                    "reason": r,
                    "message": m,
                    "lastHeartbeatTime": time,
                    "lastTransitionTime": time,
                }
                for t, s, r, m in good
            ],
            "nodeInfo": {
                "kubeletVersion": f"v1.37.0+serinus-{__version__}",
                "kubeProxyVersion": "",
                "containerRuntimeVersion": f"{runtime}://{__version__}",
                "operatingSystem": system,
                "architecture": machine,
                "osImage": platform.platform(terse=True),
                "kernelVersion": platform.release(),
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }


def _memory_kib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
