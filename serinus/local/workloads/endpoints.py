"""EndpointSlices (and Endpoints, for older clients): the pods and ports that a Service reaches.

`plan` is pure. A terminating pod becomes unready here at once, whatever its own status: so the node can end it without
losing a request. Slices and Endpoints of other writers are never changed. Manual Endpoints of a Service without
selector are mirrored into slices, as in a cluster, because gateways read only slices.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from serinus.api.meta import Json
from serinus.api.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import AlreadyExists, Conflict, NotFound
from serinus.kube.queue import WorkQueue, work
from serinus.local.workloads.caches import Caches, Key, owner_reference, quietly
from serinus.local.workloads.objects import Endpoints, EndpointSlice, Pod, Service, ServicePort

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
OURS = "endpointslice-controller.k8s.io"
MIRROR = "endpointslicemirroring-controller.k8s.io"
ENDPOINTS_MANAGED_BY = "endpoints.kubernetes.io/managed-by"
ENDPOINTS_OURS = "endpoint-controller"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
HEADLESS = "service.kubernetes.io/headless"

PER_SLICE = 500
"""Endpoints per slice; the API allows 1000. Fewer, larger slices need fewer writes when pods change."""

Ports = tuple[tuple[str, int, str, str], ...]


@dataclass(frozen=True, slots=True)
class WantedSlice:
    name: str
    labels: dict[str, str]
    endpoints: list[Json]
    ports: list[Json]


@dataclass(frozen=True, slots=True)
class EndpointsPlan:
    """`subsets`: the desired content of the Endpoints object; None if another writer manages it."""

    put: tuple[tuple[WantedSlice, EndpointSlice | None], ...] = ()
    delete: tuple[EndpointSlice, ...] = ()
    subsets: list[Json] | None = None


def plan(
    service: Service, pods: Sequence[Pod], slices: Sequence[EndpointSlice], written: Endpoints | None
) -> EndpointsPlan:
    """`pods`: of the Service's namespace; `slices`: labelled with its name; `written`: its Endpoints."""
    if service.spec.type == "ExternalName":
        return _against([], slices, None)
    if not service.spec.selector:
        mirrored = _mirror(service, written)
        return _against(mirrored, slices, None)
    groups: dict[Ports, list[Pod]] = defaultdict(list)
    selector = service.spec.selector.items()
    for pod in pods:
        if selector <= pod.metadata.labels.items() and pod.status.pod_ip and not pod.finished:
            groups[resolve(service.spec.ports, pod)].append(pod)
    desired: list[WantedSlice] = []
    for ports, members in sorted(groups.items()):
        entries = [_endpoint(service, p) for p in members]
        for i in range(0, len(entries), PER_SLICE):
            name = _slice_name(service, ports, i)
            desired.append(
                WantedSlice(name, _labels(service, OURS), entries[i : i + PER_SLICE], _slice_ports(service, ports))
            )
    if not desired:
        # An empty slice shows that the Service is processed and has no endpoints; a missing slice would not.
        desired.append(WantedSlice(_slice_name(service, (), 0), _labels(service, OURS), [], []))
    return _against(desired, slices, [_subset(service, ports, members) for ports, members in sorted(groups.items())])


def resolve(ports: Sequence[ServicePort], pod: Pod) -> Ports:
    """(name, number, protocol, app protocol) of each Service port at this pod, without named ports that it lacks."""
    resolved: list[tuple[str, int, str, str]] = []
    for port in ports:
        target = port.target_port if port.target_port not in (None, 0, "") else port.port
        number = target if isinstance(target, int) else _named(pod, str(target), port.protocol)
        if number:
            resolved.append((port.name, number, port.protocol, port.app_protocol or ""))
    return tuple(resolved)


def _named(pod: Pod, name: str, protocol: str) -> int:
    if name.isdigit():
        return int(name)
    for container in pod.spec.containers:
        for port in container.get("ports") or []:
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                return int(port.get("containerPort") or 0)
    return 0


def is_ready(service: Service, pod: Pod) -> bool:
    return service.spec.publish_not_ready_addresses or (pod.ready and not pod.leaving)


def _endpoint(service: Service, pod: Pod) -> Json:
    return {
        "addresses": [pod.status.pod_ip],
        "conditions": {"ready": is_ready(service, pod), "serving": pod.ready, "terminating": pod.leaving},
        **_target(pod),
    }


def _target(pod: Pod) -> Json:
    meta = pod.metadata
    reference = {"kind": "Pod", "name": meta.name, "namespace": meta.namespace, "uid": meta.uid}
    return {**({"nodeName": pod.spec.node_name} if pod.spec.node_name else {}), "targetRef": reference}


def _slice_ports(service: Service, ports: Ports) -> list[Json]:
    return [
        {"name": name, "port": number, "protocol": protocol, **({"appProtocol": app} if app else {})}
        for name, number, protocol, app in ports
    ]


def _labels(service: Service, manager: str) -> dict[str, str]:
    headless = {HEADLESS: ""} if service.spec.cluster_ip == "None" else {}
    return {**service.metadata.labels, SERVICE_NAME: service.metadata.name, MANAGED_BY: manager, **headless}


def _slice_name(service: Service, ports: Ports, start: int) -> str:
    """Derived from the Service, the ports and the offset, so that a slice is never created twice."""
    digest = hashlib.sha256(repr((service.metadata.uid, ports, start)).encode()).hexdigest()[:8]
    return f"{service.metadata.name[:240]}-{digest}"


def _subset(service: Service, ports: Ports, members: Sequence[Pod]) -> Json:
    ready = [p for p in members if is_ready(service, p)]
    waiting = [p for p in members if not is_ready(service, p) and not p.leaving]
    subset: Json = {}
    for field, pods in (("addresses", ready), ("notReadyAddresses", waiting)):
        if pods:
            subset[field] = [{"ip": p.status.pod_ip, **_target(p)} for p in pods]
    if ports:
        subset["ports"] = [
            {**({"name": n} if n else {}), "port": number, "protocol": proto} for n, number, proto, _ in ports
        ]
    return subset


def _mirror(service: Service, written: Endpoints | None) -> list[WantedSlice]:
    if written is None or written.metadata.labels.get(SKIP_MIRROR) == "true":
        return []
    desired: list[WantedSlice] = []
    for i, subset in enumerate(written.subsets):
        entries: list[Json] = []
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or []:
                extra = {k: address[k] for k in ("nodeName", "targetRef", "hostname") if address.get(k)}
                entries.append({"addresses": [address.get("ip", "")], "conditions": {"ready": ready}, **extra})
        ports = [
            {"name": p.get("name", ""), "port": p.get("port"), "protocol": p.get("protocol", "TCP")}
            for p in subset.get("ports") or []
        ]
        desired.append(WantedSlice(_slice_name(service, (), -1 - i), _labels(service, MIRROR), entries, ports))
    return desired


def _against(desired: list[WantedSlice], slices: Sequence[EndpointSlice], subsets: list[Json] | None) -> EndpointsPlan:
    mine = {s.metadata.name: s for s in slices if s.metadata.labels.get(MANAGED_BY) in (OURS, MIRROR)}
    put = [
        (w, mine.get(w.name))
        for w in desired
        if w.name not in mine
        or (mine[w.name].endpoints or [], mine[w.name].ports or [], mine[w.name].metadata.labels)
        != (w.endpoints, w.ports, w.labels)
    ]
    names = {w.name for w in desired}
    return EndpointsPlan(
        tuple(put),
        tuple(s for n, s in mine.items() if n not in names),
        [s for s in subsets if len(s) > 1 or "ports" not in s] if subsets is not None else None,
    )


class EndpointsController:
    def __init__(self, client: Client, caches: Caches, clock: Clock, rng: Random) -> None:
        self._client, self._caches = client, caches
        self._queue: WorkQueue[Key] = WorkQueue(clock, rng)
        caches.services.on_change(self._service_changed)
        caches.pods.on_change(self._pod_changed)
        caches.slices.on_change(self._slice_changed)
        caches.endpoints.on_change(self._endpoints_changed)

    async def run(self) -> None:
        await self._caches.synced()
        # Endpoints of Services that were deleted while the controller was down.
        for key in self._caches.endpoints.items:
            self._queue.add(key)
        await work(self._queue, quietly(self._queue, self._sync), workers=2)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        obj = new or old
        if obj is not None:
            self._queue.add((obj.metadata.namespace, obj.metadata.name))

    def _endpoints_changed(self, old: Endpoints | None, new: Endpoints | None) -> None:
        obj = new or old
        if obj is not None:
            self._queue.add((obj.metadata.namespace, obj.metadata.name))

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for obj in (old, new):
            service = obj.metadata.labels.get(SERVICE_NAME) if obj is not None else None
            if obj is not None and service:
                self._queue.add((obj.metadata.namespace, service))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and new is not None and _facts(old) == _facts(new):
            return
        for pod in (old, new):
            if pod is None:
                continue
            for key, service in self._caches.services.items.items():
                selector = service.spec.selector
                if key[0] == pod.metadata.namespace and selector and selector.items() <= pod.metadata.labels.items():
                    self._queue.add(key)

    async def _sync(self, key: Key) -> None:
        caches = self._caches
        service, written = caches.services.items.get(key), caches.endpoints.items.get(key)
        if service is None:
            if written is not None and written.metadata.labels.get(ENDPOINTS_MANAGED_BY) == ENDPOINTS_OURS:
                await self._delete_endpoints(written)
            for gone in caches.slices_by_service.get(key):
                if gone.metadata.labels.get(MANAGED_BY) in (OURS, MIRROR):
                    await self._delete(gone)
            return
        todo = plan(service, caches.pods_by_namespace.get(key[0]), caches.slices_by_service.get(key), written)
        for desired, existing in todo.put:
            await self._put(service, desired, existing)
        for gone in todo.delete:
            await self._delete(gone)
        if todo.subsets is not None:
            await self._write_endpoints(service, todo.subsets, written)

    async def _put(self, service: Service, desired: WantedSlice, existing: EndpointSlice | None) -> None:
        content: Json = {"endpoints": desired.endpoints, "ports": desired.ports}
        namespace = service.metadata.namespace
        if existing is None:
            body: Json = {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": desired.name,
                    "namespace": namespace,
                    "labels": desired.labels,
                    "ownerReferences": [owner_reference(SERVICES, service.metadata)],
                },
                "addressType": "IPv4",
                **content,
            }
            try:
                await self._client.create(ENDPOINT_SLICES, body, namespace)
            except AlreadyExists as error:
                # The cache is stale: the existing slice is compared once the cache has it.
                raise Conflict(error.code, error.reason, error.message) from error
            except NotFound:
                return  # the namespace was deleted
            return
        meta = existing.metadata
        old_labels = dict.fromkeys(meta.labels.keys() - desired.labels.keys())
        metadata = {
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
            "labels": {**old_labels, **desired.labels},
        }
        await self._client.patch(ENDPOINT_SLICES, meta.name, {"metadata": metadata, **content}, namespace)

    async def _delete(self, gone: EndpointSlice) -> None:
        try:
            await self._client.delete(
                ENDPOINT_SLICES, gone.metadata.name, gone.metadata.namespace, uid=gone.metadata.uid
            )
        except NotFound:
            return

    async def _write_endpoints(self, service: Service, subsets: list[Json], written: Endpoints | None) -> None:
        meta = service.metadata
        labels = {**meta.labels, ENDPOINTS_MANAGED_BY: ENDPOINTS_OURS}
        if written is None:
            body = {"metadata": {"name": meta.name, "namespace": meta.namespace, "labels": labels}, "subsets": subsets}
            try:
                await self._client.create(ENDPOINTS, {"apiVersion": "v1", "kind": "Endpoints", **body}, meta.namespace)
            except (AlreadyExists, NotFound):
                return
        elif written.subsets != subsets or not labels.items() <= written.metadata.labels.items():
            metadata = {
                "uid": written.metadata.uid,
                "resourceVersion": written.metadata.resource_version,
                "labels": labels,
            }
            await self._client.patch(ENDPOINTS, meta.name, {"metadata": metadata, "subsets": subsets}, meta.namespace)

    async def _delete_endpoints(self, written: Endpoints) -> None:
        try:
            await self._client.delete(
                ENDPOINTS, written.metadata.name, written.metadata.namespace, uid=written.metadata.uid
            )
        except NotFound:
            return


def _facts(pod: Pod) -> tuple[object, ...]:
    """The pod data that its endpoint depends on."""
    return (
        pod.metadata.uid,
        pod.metadata.labels,
        pod.status.pod_ip,
        pod.ready,
        pod.leaving,
        pod.finished,
        pod.spec.node_name,
    )
