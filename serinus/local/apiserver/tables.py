"""Tables: what `kubectl get` prints, decided by the server.

Source: Kubernetes API concepts, "Receiving resources as Tables"; columns as users of each kind know them. Columns of priority 1
are those of `-o wide`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from serinus.api.resources import Resource
from serinus.api.selectors import Selector
from serinus.api.times import age_words
from serinus.local.apiserver.pod_words import pod_cells

Json = dict[str, Any]
Cell = Callable[[Json, float], Any]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False


def at(path: str, default: Any = "") -> Cell:
    parts = path.split(".")

    def cell(obj: Json, now: float) -> Any:
        value: Any = obj
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return default if value is None else value

    return cell


def _age(obj: Json, now: float) -> str:
    text = obj["metadata"].get("creationTimestamp")
    return age_words(now - datetime.fromisoformat(text).timestamp()) if text else "<unknown>"


def _since(path: str) -> Cell:
    get = at(path, None)

    def cell(obj: Json, now: float) -> Any:
        text = get(obj, now)
        try:
            return age_words(now - datetime.fromisoformat(text).timestamp()) if text else "<unknown>"
        except (ValueError, TypeError):
            return "<invalid>"

    return cell


def _containers(field: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        return ",".join(str(c.get(field, "")) for c in obj.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []))

    return cell


def _selector(obj: Json, now: float) -> str:
    return Selector.of(obj.get("spec", {}).get("selector")).text() or "<none>"


def _plain_selector(obj: Json, now: float) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted((obj.get("spec", {}).get("selector") or {}).items())) or "<none>"


def _ports(obj: Json, now: float) -> str:
    def one(p: Json) -> str:
        node = f":{p['nodePort']}" if p.get("nodePort") else ""
        return f"{p.get('port')}{node}/{p.get('protocol', 'TCP')}"

    return ",".join(one(p) for p in obj.get("spec", {}).get("ports", [])) or "<none>"


def _hosts(obj: Json, now: float) -> str:
    return ",".join(r.get("host") or "*" for r in obj.get("spec", {}).get("rules", [])) or "*"


def _endpoints(obj: Json, now: float) -> str:
    pairs = [f"{a.get('ip')}:{p.get('port')}" for s in obj.get("subsets") or [] for a in s.get("addresses") or [] for p in s.get("ports") or [{}]]
    return ",".join(pairs[:3]) + (f" + {len(pairs) - 3} more..." if len(pairs) > 3 else "") if pairs else "<none>"


def _slice_addresses(obj: Json, now: float) -> str:
    found = [a for e in obj.get("endpoints") or [] for a in e.get("addresses", [])]
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") if found else "<unset>"


def _ready_of(obj: Json, now: float) -> str:
    status = obj.get("status", {})
    return f"{status.get('readyReplicas', 0)}/{obj.get('spec', {}).get('replicas', 0)}"


def _completions(obj: Json, now: float) -> str:
    wanted = obj.get("spec", {}).get("completions")
    return f"{obj.get('status', {}).get('succeeded', 0)}/{1 if wanted is None else wanted}"


def _job_status(obj: Json, now: float) -> str:
    return next((c["type"] for c in obj.get("status", {}).get("conditions", []) if c.get("status") == "True"), "Running")


def _node_status(obj: Json, now: float) -> str:
    ready = next((c for c in obj.get("status", {}).get("conditions", []) if c.get("type") == "Ready"), {})
    return "Ready" if ready.get("status") == "True" else "NotReady"


def _event_object(obj: Json, now: float) -> str:
    ref = obj.get("involvedObject", {})
    return f"{str(ref.get('kind', '')).lower()}/{ref.get('name', '')}"


def _count_of(field: str) -> Cell:
    return lambda obj, now: len(obj.get(field) or {})


def _pod(index: int) -> Cell:
    return lambda obj, now: pod_cells(obj, now)[index]


NAME = Column("Name", at("metadata.name"))
AGE = Column("Age", _age)
_TEMPLATE = (Column("Containers", _containers("name"), wide=True), Column("Images", _containers("image"), wide=True))
_SELECTOR = Column("Selector", _selector, wide=True)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "pods": (
        NAME, Column("Ready", _pod(0)), Column("Status", _pod(1)), Column("Restarts", _pod(2)), AGE, Column("IP", at("status.podIP", "<none>"), wide=True),
        Column("Node", at("spec.nodeName", "<none>"), wide=True), Column("Nominated Node", lambda o, n: "<none>", wide=True), Column("Readiness Gates", lambda o, n: "<none>", wide=True),
    ),
    "services": (
        NAME, Column("Type", at("spec.type", "ClusterIP")), Column("Cluster-IP", at("spec.clusterIP", "None")), Column("External-IP", lambda o, n: "<none>"),
        Column("Port(s)", _ports), AGE, Column("Selector", _plain_selector, wide=True),
    ),
    "deployments.apps": (
        NAME, Column("Ready", _ready_of), Column("Up-to-date", at("status.updatedReplicas", 0), "integer"), Column("Available", at("status.availableReplicas", 0), "integer"), AGE,
        *_TEMPLATE, _SELECTOR,
    ),
    "replicasets.apps": (
        NAME, Column("Desired", at("spec.replicas", 0), "integer"), Column("Current", at("status.replicas", 0), "integer"), Column("Ready", at("status.readyReplicas", 0), "integer"), AGE,
        *_TEMPLATE, _SELECTOR,
    ),
    "jobs.batch": (NAME, Column("Status", _job_status), Column("Completions", _completions), Column("Duration", _since("status.startTime")), AGE, *_TEMPLATE, _SELECTOR),
    "namespaces": (NAME, Column("Status", at("status.phase")), AGE),
    "nodes": (NAME, Column("Status", _node_status), Column("Roles", lambda o, n: "<none>"), AGE, Column("Version", at("status.nodeInfo.kubeletVersion"))),
    "ingresses.networking.k8s.io": (NAME, Column("Class", at("spec.ingressClassName", "<none>")), Column("Hosts", _hosts), Column("Address", lambda o, n: ""), Column("Ports", lambda o, n: "80, 443" if o.get("spec", {}).get("tls") else "80"), AGE),
    "ingressclasses.networking.k8s.io": (NAME, Column("Controller", at("spec.controller")), Column("Parameters", lambda o, n: "<none>"), AGE),
    "configmaps": (NAME, Column("Data", _count_of("data"), "integer"), AGE),
    "secrets": (NAME, Column("Type", at("type")), Column("Data", _count_of("data"), "integer"), AGE),
    "serviceaccounts": (NAME, Column("Secrets", _count_of("secrets"), "integer"), AGE),
    "endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "endpointslices.discovery.k8s.io": (NAME, Column("AddressType", at("addressType")), Column("Ports", lambda o, n: ",".join(str(p.get("port")) for p in o.get("ports") or []) or "<unset>"), Column("Endpoints", _slice_addresses), AGE),
    "leases.coordination.k8s.io": (NAME, Column("Holder", at("spec.holderIdentity")), AGE),
    "events": (Column("Last Seen", _since("lastTimestamp")), Column("Type", at("type")), Column("Reason", at("reason")), Column("Object", _event_object), Column("Message", at("message")), Column("Name", at("metadata.name"), wide=True)),
    "customresourcedefinitions.apiextensions.k8s.io": (NAME, Column("Created At", at("metadata.creationTimestamp"))),
    "horizontalpodautoscalers.autoscaling": (NAME, Column("Reference", lambda o, n: f"{at('spec.scaleTargetRef.kind')(o, n)}/{at('spec.scaleTargetRef.name')(o, n)}"), Column("MinPods", at("spec.minReplicas", 1)), Column("MaxPods", at("spec.maxReplicas")), Column("Replicas", at("status.currentReplicas", 0)), AGE),
    "poddisruptionbudgets.policy": (NAME, Column("Min Available", at("spec.minAvailable", "N/A")), Column("Max Unavailable", at("spec.maxUnavailable", "N/A")), Column("Allowed Disruptions", at("status.disruptionsAllowed", 0)), AGE),
}  # fmt: skip


def columns_of(resource: Resource, printed: list[Json]) -> tuple[Column, ...]:
    """Built-in columns, those that a CRD declares, or name and age."""
    if found := COLUMNS.get(resource.group_resource):
        return found
    own = tuple(_declared(c) for c in printed)
    return (NAME, *own) if own else (NAME, AGE)


def _declared(column: Json) -> Column:
    path = str(column.get("jsonPath", "")).strip(".")
    cell = _since(path) if column.get("type") == "date" else at(path, None)
    return Column(str(column.get("name")), cell, str(column.get("type", "string")), int(column.get("priority") or 0) > 0)


def table(columns: tuple[Column, ...], objects: list[Json], now: float, *, metadata: Json | None = None, include: str = "Metadata", headers: bool = True) -> Json:
    """A meta.k8s.io/v1 Table. `include`: how much of each object rides along (None, Metadata, Object)."""
    rows = [{"cells": [c.cell(o, now) for c in columns], **_ride(o, include)} for o in objects]
    shown = [{"name": c.name, "type": c.type, "format": "name" if c is NAME else "", "description": c.name, "priority": int(c.wide)} for c in columns]
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata or {}, "columnDefinitions": shown if headers else [], "rows": rows}


def _ride(obj: Json, include: str) -> Json:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": obj}
    return {"object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}}


def table_bytes(value: Json) -> bytes:
    return msgspec.json.encode(value)
