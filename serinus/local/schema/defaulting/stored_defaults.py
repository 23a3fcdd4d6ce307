"""Defaults of kinds that are stored without effect. Source: the descriptions in the published schemas.

They make a stored object equal to a cluster's, so that `kubectl diff` and GitOps tools find no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.api.pods.defaults import with_defaults
from serinus.api.values import quantity

Json = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"


def _fill(target: Json, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _amounts(parent: Json, *fields: str) -> None:
    for field in fields:
        if parent.get(field):
            parent[field] = {name: quantity.canonical(amount) for name, amount in parent[field].items()}


def _role_binding(obj: Json) -> Json:
    _fill(obj.setdefault("roleRef", {}), apiGroup=_RBAC)
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            _fill(subject, apiGroup=_RBAC)
    return obj


def _network_policy(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, podSelector={})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or ():
            _fill(port, protocol="TCP")
    return obj


def _stateful_set(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    keep = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    _fill(spec, replicas=1, podManagementPolicy="OrderedReady", updateStrategy={}, revisionHistoryLimit=10)
    _fill(spec, persistentVolumeClaimRetentionPolicy=keep)
    _fill(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _fill(spec["updateStrategy"], rollingUpdate={})
        _fill(spec["updateStrategy"]["rollingUpdate"], partition=0)
    spec["template"] = with_defaults(spec.get("template") or {})
    for claim in spec.get("volumeClaimTemplates") or ():
        _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
        _claim(claim)
    return obj


def _daemon_set(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, updateStrategy={}, revisionHistoryLimit=10)
    _fill(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _fill(spec["updateStrategy"], rollingUpdate={})
        _fill(spec["updateStrategy"]["rollingUpdate"], maxUnavailable=1, maxSurge=0)
    spec["template"] = with_defaults(spec.get("template") or {})
    return obj


def _replication_controller(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1)
    spec["template"] = with_defaults(spec.get("template") or {})
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels:
        _fill(spec, selector=dict(labels))
        _fill(obj["metadata"], labels=dict(labels))
    return obj


def _cron_job(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    job["template"] = with_defaults(job.get("template") or {})
    return obj


def _claim(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, volumeMode="Filesystem")
    _amounts(spec.get("resources") or {}, "requests", "limits")
    return obj


def _volume(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    _amounts(spec, "capacity")
    return obj


def _storage_class(obj: Json) -> Json:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")
    return obj


def _priority_class(obj: Json) -> Json:
    _fill(obj, preemptionPolicy="PreemptLowerPriority")
    return obj


def _limit_range(obj: Json) -> Json:
    for item in (obj.get("spec") or {}).get("limits") or ():
        _amounts(item, "max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
        if item.get("type") == "Container":
            default = {**(item.get("max") or {}), **(item.get("default") or {})}
            request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
            item |= {k: v for k, v in (("default", default), ("defaultRequest", request)) if v}
    return obj


def _quota(obj: Json) -> Json:
    _amounts(obj.get("spec") or {}, "hard")
    return obj


def _webhooks(obj: Json) -> Json:
    mutating = obj.get("kind") == "MutatingWebhookConfiguration"
    for hook in obj.get("webhooks") or ():
        _fill(
            hook,
            failurePolicy="Fail",
            matchPolicy="Equivalent",
            namespaceSelector={},
            objectSelector={},
            timeoutSeconds=10,
        )
        if mutating:
            _fill(hook, reinvocationPolicy="Never")
        service = (hook.get("clientConfig") or {}).get("service")
        if service is not None:
            _fill(service, port=443)
        for rule in hook.get("rules") or ():
            _fill(rule, scope="*")
    return obj


DEFAULTS: dict[str, Callable[[Json], Json]] = {
    "rolebindings.rbac.authorization.k8s.io": _role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _role_binding,
    "networkpolicies.networking.k8s.io": _network_policy,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "replicationcontrollers": _replication_controller,
    "cronjobs.batch": _cron_job,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "storageclasses.storage.k8s.io": _storage_class,
    "priorityclasses.scheduling.k8s.io": _priority_class,
    "limitranges": _limit_range,
    "resourcequotas": _quota,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
}
