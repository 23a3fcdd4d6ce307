"""delete and deletecollection: graceful for pods, held by finalizers, with the wish of what becomes of dependents.

Source: Kubernetes documentation, "Finalizers", "Garbage Collection", "Pod Lifecycle: Termination". The garbage collector itself
is a client of this server: here only its finalizers are set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.api.resources import Resource
from serinus.api.selectors import Selector
from serinus.kube.clock import rfc3339
from serinus.local.apiserver.failure import Failure, bad_request, conflict
from serinus.local.apiserver.write import Writer, load

Json = dict[str, Any]
DEFAULT_GRACE = 30


def options_of(value: Any, query: Mapping[str, str]) -> Json:
    """DeleteOptions from the body and the query; the body wins."""
    options: Json = {k: v for k, v in query.items() if k in ("propagationPolicy", "dryRun")}
    if query.get("gracePeriodSeconds", "").isdigit():
        options["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
    if isinstance(value, dict):
        options |= {k: v for k, v in value.items() if v is not None}
    if isinstance(options.get("dryRun"), list):
        options["dryRun"] = "All" if options["dryRun"] else ""
    policy = options.get("propagationPolicy")
    if policy not in (None, "Background", "Foreground", "Orphan"):
        raise bad_request(f'DeleteOptions: propagationPolicy: Unsupported value: "{policy}": supported values: "Foreground", "Background", "Orphan"')
    return options


def delete(writer: Writer, resource: Resource, namespace: str, name: str, options: Json, now: float) -> tuple[bytes, Json | None]:
    """(the object's last JSON, or b"" with a Status for an object that is gone at once). Raises Failure 404, 409."""
    obj = writer.live(resource, namespace, name)
    _preconditions(resource, obj, options.get("preconditions") or {})
    dry = options.get("dryRun") == "All"
    meta: Json = obj["metadata"]
    grace = _grace(resource, obj, options)
    finalizers = _finalizers(meta, options.get("propagationPolicy"))
    held = bool(finalizers) or bool(resource.group_resource == "namespaces" and obj.get("spec", {}).get("finalizers"))
    if not held and not grace:
        meta.pop("finalizers", None)
        return b"", _gone(resource, meta, writer.put(resource, obj, dry=dry, deleted=True))
    if "deletionTimestamp" in meta and meta.get("finalizers", []) == finalizers and grace >= meta.get("deletionGracePeriodSeconds", 0):
        return writer.store.objects(resource.group_resource)[(namespace, name)].body, None
    if finalizers:
        meta["finalizers"] = finalizers
    if "deletionTimestamp" not in meta or grace < meta.get("deletionGracePeriodSeconds", 0):
        meta.setdefault("deletionTimestamp", rfc3339(now + grace))
        meta["deletionGracePeriodSeconds"] = grace
        if "generation" in meta:
            meta["generation"] += 1
    if resource.group_resource == "namespaces":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
    return writer.put(resource, obj, dry=dry), None


def _gone(resource: Resource, meta: Json, body: bytes) -> Json:
    details = {"name": meta["name"], "group": resource.group, "kind": resource.plural, "uid": meta["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {k: v for k, v in details.items() if v}}


def _preconditions(resource: Resource, obj: Json, wanted: Json) -> None:
    meta = obj["metadata"]
    for field, word, key in (("uid", "UID", "uid"), ("resourceVersion", "ResourceVersion", "resourceVersion")):
        if wanted.get(field) and wanted[field] != meta.get(key):
            raise conflict(resource, meta["name"], f"Precondition failed: {word} in precondition: {wanted[field]}, {word} in object meta: {meta.get(key)}")


def _grace(resource: Resource, obj: Json, options: Json) -> int:
    """Seconds. Only pods that were given to a node end gracefully."""
    if resource.group_resource != "pods" or not obj.get("spec", {}).get("nodeName"):
        return 0
    if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    if isinstance(asked, int) and asked >= 0:
        return asked
    return int(obj["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE))


def _finalizers(meta: Json, policy: str | None) -> list[str]:
    kept = [f for f in meta.get("finalizers", []) if policy is None or f not in ("foregroundDeletion", "orphan")]
    if policy == "Foreground":
        kept.append("foregroundDeletion")
    elif policy == "Orphan":
        kept.append("orphan")
    return kept


def evict(writer: Writer, resource: Resource, namespace: str, name: str, options: Json, now: float) -> None:
    """Delete a pod unless a PodDisruptionBudget forbids it (429 then)."""
    pod = writer.live(resource, namespace, name)
    labels = pod["metadata"].get("labels") or {}
    budgets = [load(e) for (ns, _), e in writer.store.objects("poddisruptionbudgets.policy").items() if ns == namespace]
    for budget in budgets:
        if Selector.of(budget.get("spec", {}).get("selector")).matches(labels) and budget.get("status", {}).get("disruptionsAllowed", 1) <= 0:
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            cause = {"reason": "DisruptionBudget", "message": f"The disruption budget {budget['metadata']['name']} does not allow it"}
            raise Failure(429, "TooManyRequests", message, details={"causes": [cause]})
    delete(writer, resource, namespace, name, options, now)
