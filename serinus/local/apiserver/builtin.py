"""What the server itself adds to objects of some built-in kinds: addresses, finalizers, first states."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def prepare_new(resource: str, obj: Json, *, now: str, rng: random.Random, taken: Iterable[str]) -> None:
    """Complete a new object in place. `taken`: cluster addresses in use."""
    match resource:
        case "namespaces":
            obj["spec"] = {**obj.get("spec", {}), "finalizers": ["kubernetes"]}
            obj["status"] = {"phase": "Active"}
            obj["metadata"]["labels"] = {**obj["metadata"].get("labels", {}), "kubernetes.io/metadata.name": obj["metadata"]["name"]}
        case "services":
            _addresses(obj, rng, set(taken))
            obj["status"] = {"loadBalancer": {}}
        case "pods":
            obj["status"] = {"phase": "Pending", "qosClass": quality(obj)}
            obj["spec"].setdefault("serviceAccountName", "default")
            obj["spec"].setdefault("serviceAccount", obj["spec"]["serviceAccountName"])
        case _:
            pass


def prepare_update(resource: str, live: Json, obj: Json, *, rng: random.Random, taken: Iterable[str]) -> None:
    """Keep in place what only the server gives."""
    if resource == "services":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if field in live.get("spec", {}) and not obj.get("spec", {}).get(field):
                obj.setdefault("spec", {})[field] = live["spec"][field]
        _addresses(obj, rng, set(taken))
    elif resource == "namespaces" and "finalizers" in live.get("spec", {}):
        obj.setdefault("spec", {})["finalizers"] = live["spec"]["finalizers"]


def _addresses(obj: Json, rng: random.Random, taken: set[str]) -> None:
    spec: Json = obj.setdefault("spec", {})
    if spec.get("type") == "ExternalName" or spec.get("clusterIP"):
        if spec.get("clusterIP"):
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
        return
    while (address := f"10.96.{rng.randrange(256)}.{rng.randrange(1, 255)}") in taken:
        pass
    spec |= {"clusterIP": address, "clusterIPs": [address], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
    spec.setdefault("internalTrafficPolicy", "Cluster")


def quality(pod: Json) -> str:
    """The pod's quality of service class (KEP-2400's rules for containers)."""
    containers: list[Json] = pod.get("spec", {}).get("containers", [])
    pairs = [((c.get("resources") or {}).get("requests") or {}, (c.get("resources") or {}).get("limits") or {}) for c in containers]
    if not any(r or lim for r, lim in pairs):
        return "BestEffort"
    exact = all({"cpu", "memory"} <= set(lim) and all(r.get(k, lim[k]) == lim[k] for k in ("cpu", "memory")) for r, lim in pairs)
    return "Guaranteed" if exact else "Burstable"
