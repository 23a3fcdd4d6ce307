"""Defaults that a Kubernetes API server sets in objects of built-in kinds (Kubernetes 1.34).

Pods and pod templates: `serinus.api.pods.defaults`. Source of the rest: the descriptions in the published schemas.
Functions receive a private copy and modify it; invalid objects may make them raise.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from serinus.api.pods.defaults import copied, pod_with_defaults, with_defaults
from serinus.api.values import quantity
from serinus.local.schema.defaulting import stored_defaults

Json = dict[str, Any]
Default = Callable[[Json], Json]


def _fill(target: Json, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _service(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, sessionAffinity="None", type="ClusterIP")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    for port in spec.get("ports", ()):
        _fill(port, protocol="TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port["port"]
    return obj


def _deployment(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1, strategy={}, progressDeadlineSeconds=600, revisionHistoryLimit=10)
    strategy = spec["strategy"]
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, rollingUpdate={})
        _fill(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    spec["template"] = with_defaults(spec.get("template") or {})
    return obj


def _replica_set(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1)
    if "template" in spec:
        spec["template"] = with_defaults(spec["template"])
        labels = (spec["template"].get("metadata") or {}).get("labels")
        if labels and not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)
    return obj


def _job(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        _fill(spec, completions=1, parallelism=1)
    _fill(
        spec,
        parallelism=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
    )
    spec["template"] = with_defaults(spec.get("template") or {})
    if not spec.get("manualSelector"):
        _job_selector(obj, spec)
    return obj


def _job_selector(obj: Json, spec: Json) -> None:
    """A job without `manualSelector` selects its pods by its own uid."""
    meta = obj.get("metadata") or {}
    uid = meta.get("uid")
    if not uid:
        return
    spec.setdefault("selector", {}).setdefault("matchLabels", {}).setdefault("batch.kubernetes.io/controller-uid", uid)
    labels = spec["template"]["metadata"].setdefault("labels", {})
    for prefix in ("batch.kubernetes.io/", ""):
        labels.setdefault(f"{prefix}controller-uid", uid)
        labels.setdefault(f"{prefix}job-name", meta.get("name", ""))


def _endpoint_slice(obj: Json) -> Json:
    for port in obj.get("ports") or ():
        _fill(port, name="", protocol="TCP")
    return obj


def _endpoints(obj: Json) -> Json:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            _fill(port, protocol="TCP")
    return obj


def _secret(obj: Json) -> Json:
    _fill(obj, type="Opaque")
    if texts := obj.pop("stringData", None):
        obj["data"] = {
            **(obj.get("data") or {}),
            **{k: base64.b64encode(v.encode()).decode() for k, v in texts.items()},
        }
    return obj


def _hpa(obj: Json) -> Json:
    spec = obj.setdefault("spec", {})
    _fill(spec, minReplicas=1)
    if obj.get("apiVersion") == "autoscaling/v1":
        _fill(spec, targetCPUUtilizationPercentage=80)
    elif not spec.get("metrics"):
        spec["metrics"] = [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
            }
        ]
    return obj


def _crd(obj: Json) -> Json:
    # A copy of its thousands of fields would take longer than all else that happens to it.
    spec: Json = dict(obj.get("spec") or {})
    names: Json = dict(spec.get("names") or {})
    _fill(names, singular=names.get("kind", "").lower(), listKind=names.get("kind", "") + "List")
    _fill(spec, conversion={"strategy": "None"})
    return {**obj, "spec": {**spec, "names": names}}


def _pod_template(obj: Json) -> Json:
    obj["template"] = with_defaults(obj.get("template") or {})
    return obj


def _node(obj: Json) -> Json:
    for part in ("capacity", "allocatable"):
        amounts = (obj.get("status") or {}).get(part)
        if amounts:
            obj["status"][part] = {k: quantity.canonical(v) for k, v in amounts.items()}
    return obj


_OF: dict[str, Default] = {
    "pods": pod_with_defaults,
    "podtemplates": _pod_template,
    "services": _service,
    "endpoints": _endpoints,
    "secrets": _secret,
    "nodes": _node,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "jobs.batch": _job,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "horizontalpodautoscalers.autoscaling": _hpa,
    "customresourcedefinitions.apiextensions.k8s.io": _crd,
    **stored_defaults.DEFAULTS,
}
_COPIES = {"pods", "customresourcedefinitions.apiextensions.k8s.io"}
"""Their defaults change no value of the object that they receive."""


def with_built_in_defaults(group_resource: str, obj: Json) -> Json:
    """The object with its kind's defaults. A malformed object is returned unchanged; validation reports its errors."""
    default = _OF.get(group_resource)
    if default is None:
        return obj
    try:
        return default(obj if group_resource in _COPIES else copied(obj))
    except (AttributeError, KeyError, TypeError, ValueError):
        return obj
