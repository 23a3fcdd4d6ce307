"""Kind-specific processing on writes: fields that only the server sets."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from serinus.api.resources import INGRESS_CLASSES, NAMESPACES, SERVICE_ACCOUNTS, Resource
from serinus.local.apiserver.core import Core

Json = dict[str, Any]
Prepare = Callable[[Core, Json, Json | None], None]
"""(core, object to write, the object it replaces)."""

WITH_GENERATION = frozenset(
    ("deployments.apps", "replicasets.apps", "jobs.batch", "ingresses.networking.k8s.io", "ingressclasses.networking.k8s.io",
     "statefulsets.apps", "daemonsets.apps", "cronjobs.batch", "replicationcontrollers", "networkpolicies.networking.k8s.io",
     "validatingwebhookconfigurations.admissionregistration.k8s.io", "mutatingwebhookconfigurations.admissionregistration.k8s.io",
     "validatingadmissionpolicies.admissionregistration.k8s.io", "validatingadmissionpolicybindings.admissionregistration.k8s.io",
     "poddisruptionbudgets.policy", "pods", "endpointslices.discovery.k8s.io", "customresourcedefinitions.apiextensions.k8s.io")
)  # fmt: skip
"""Built-in kinds with a `generation`; every custom resource has one."""

CREATE_ON_UPDATE = frozenset(("leases.coordination.k8s.io", "endpoints", "events", "services"))
NEEDS_VERSION = frozenset(("leases.coordination.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"))
"""Built-in kinds whose updates must contain the replaced resourceVersion; the same holds for every custom resource."""

_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"

RETURN_DELETED = frozenset(("pods", "services", "podtemplates", "serviceaccounts"))


def prepare(core: Core, group_resource: str, new: Json, old: Json | None) -> None:
    """Sets the fields that the server decides. `old` is None for a creation."""
    rule = _RULES.get(group_resource)
    if rule is not None:
        rule(core, new, old)


def companions(group_resource: str, obj: Json) -> list[tuple[Resource, Json]]:
    """Objects created together with a new object: a namespace's default service account."""
    if group_resource != NAMESPACES.group_resource:
        return []
    meta = {"name": "default", "namespace": obj["metadata"]["name"]}
    return [(SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})]


def _namespace(core: Core, new: Json, old: Json | None) -> None:
    if old is None:
        new["spec"] = {"finalizers": ["kubernetes"]}
        new["status"] = {"phase": "Active"}
    else:
        new["spec"] = old.get("spec", {})
    new["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = new["metadata"]["name"]


def _pod(core: Core, new: Json, old: Json | None) -> None:
    spec = new.get("spec")
    if old is not None or not isinstance(spec, dict):
        return
    account = spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
    spec["serviceAccount"] = account
    new["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _quality(spec: Json) -> str:
    """The QoS class: BestEffort without requests or limits, Guaranteed if all requests and limits match, else
    Burstable."""
    wants: list[tuple[Json, Json]] = []
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        resources = container.get("resources") if isinstance(container, dict) else None
        resources = resources if isinstance(resources, dict) else {}
        wants.append((resources.get("requests") or {}, resources.get("limits") or {}))
    if not any(requests or limits for requests, limits in wants):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(limits) and all(requests.get(k, v) == v for k, v in limits.items())
        for requests, limits in wants
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _service(core: Core, new: Json, old: Json | None) -> None:
    spec = new.get("spec")
    if not isinstance(spec, dict):
        return
    if spec.get("type") == "ExternalName":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
        return
    before: Json = (old or {}).get("spec") or {}
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or _free_address(core)
        spec["clusterIPs"] = before.get("clusterIPs") or [spec["clusterIP"]]
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", before.get("ipFamilies") or ["IPv4"])
    spec.setdefault("ipFamilyPolicy", before.get("ipFamilyPolicy") or "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
        _node_ports(core, spec, before)
    if old is None:
        new.setdefault("status", {"loadBalancer": {}})


def _free_address(core: Core) -> str:
    used = {(e.object().get("spec") or {}).get("clusterIP") for e in core.store.pending("services")}
    while True:
        address = f"10.{96 + core.rng.randrange(16)}.{core.rng.randrange(256)}.{core.rng.randrange(1, 255)}"
        if address not in used:
            return address


def _node_ports(core: Core, spec: Json, before: Json) -> None:
    had = {(p.get("port"), p.get("protocol", "TCP")): p.get("nodePort") for p in before.get("ports") or []}
    used: set[Any] = set()
    for entry in core.store.pending("services"):
        used |= {p.get("nodePort") for p in (entry.object().get("spec") or {}).get("ports") or []}
    for port in spec.get("ports") or []:
        if not isinstance(port, dict) or port.get("nodePort"):
            continue
        number = had.get((port.get("port"), port.get("protocol", "TCP")))
        while not number or (number in used and number not in had.values()):
            number = core.rng.randrange(30000, 32768)
        used.add(number)
        port["nodePort"] = number


def _job(core: Core, new: Json, old: Json | None) -> None:
    spec = new.get("spec")
    if old is not None or not isinstance(spec, dict) or spec.get("manualSelector"):
        return
    template = spec.setdefault("template", {})
    if not isinstance(template, dict):
        return
    uid, name = new["metadata"]["uid"], new["metadata"]["name"]
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels |= {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def _ingress(core: Core, new: Json, old: Json | None) -> None:
    """Sets the default class on new Ingresses without one, as the admission plugin DefaultIngressClass does."""
    spec = new.get("spec")
    named = (new["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    if old is not None or not isinstance(spec, dict) or spec.get("ingressClassName") or named:
        return
    classes = (entry.object()["metadata"] for entry in core.store.pending(INGRESS_CLASSES.group_resource))
    default = [m for m in classes if (m.get("annotations") or {}).get(_DEFAULT_CLASS) == "true"]
    if default:
        spec["ingressClassName"] = max(default, key=lambda m: m.get("creationTimestamp", ""))["name"]


def _volume(core: Core, new: Json, old: Json | None) -> None:
    if old is None:
        new["status"] = {"phase": "Pending"}


def _secret(core: Core, new: Json, old: Json | None) -> None:
    texts = new.pop("stringData", None)
    if isinstance(texts, dict) and texts:
        data = new.setdefault("data", {})
        if isinstance(data, dict):
            data |= {key: base64.b64encode(str(value).encode()).decode() for key, value in texts.items()}
    new.setdefault("type", "Opaque")


def _crd(core: Core, new: Json, old: Json | None) -> None:
    spec = new.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(names, dict):
        return
    kind = str(names.get("kind", ""))
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})
    before: Json = (old or {}).get("status") or {}
    versions: Any = spec.get("versions")
    versions = versions if isinstance(versions, list) else []
    stored = [v.get("name") for v in versions if isinstance(v, dict) and v.get("storage")]
    since = new["metadata"].get("creationTimestamp", "")
    conditions = before.get("conditions") or [
        {
            "type": "NamesAccepted",
            "status": "True",
            "lastTransitionTime": since,
            "reason": "NoConflicts",
            "message": "no conflicts found",
        },
        {
            "type": "Established",
            "status": "True",
            "lastTransitionTime": since,
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]
    new["status"] = {
        "conditions": conditions,
        "acceptedNames": names,
        "storedVersions": [*(v for v in before.get("storedVersions", []) if v not in stored), *stored],
    }


_RULES: dict[str, Prepare] = {
    "namespaces": _namespace,
    "pods": _pod,
    "services": _service,
    "jobs.batch": _job,
    "ingresses.networking.k8s.io": _ingress,
    "persistentvolumeclaims": _volume,
    "persistentvolumes": _volume,
    "secrets": _secret,
    "customresourcedefinitions.apiextensions.k8s.io": _crd,
}
