"""delete and deletecollection: preconditions, finalizers, grace periods, propagation.

An object with finalizers, or a running pod, is only marked (`deletionTimestamp`). It is removed with its last
finalizer, or when the node deletes the pod with grace 0. The garbage collector deletes dependents: this module sets the
`foregroundDeletion` and `orphan` finalizers for it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.resources import CRDS, Resource
from serinus.kube.clock import rfc3339
from serinus.kube.transport import JSON, Response
from serinus.local.apiserver import strategy
from serinus.local.apiserver.core import ApiCall, Core
from serinus.local.apiserver.errors import bad_request, conflict, forbidden, invalid, not_found
from serinus.local.apiserver.requests.negotiation import YAML, answer, body_of
from serinus.local.apiserver.requests.parameters import invalid_parameter, number, truth
from serinus.local.apiserver.storage.store import Entry
from serinus.local.apiserver.verbs.read import listed, selection
from serinus.local.schema.field_errors import FieldError

Json = dict[str, Any]

_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_LONGEST_GRACE = 2**31 - 1
"""Seconds: 68 years. A longer time has no calendar date, and the pod could not be deleted."""

_PERMANENT = ("default", "kube-system", "kube-public")


def is_free(obj: Json) -> bool:
    """Whether an object that is marked for deletion can be removed now."""
    meta = obj["metadata"]
    if meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return False
    return not (obj.get("kind") == "Namespace" and (obj.get("spec") or {}).get("finalizers"))


def options_of(call: ApiCall) -> Json:
    """DeleteOptions from the body, with the query for absent fields. Raises 400 and 422."""
    body: Any = body_of(call.request, media=(JSON, YAML)) or {}
    if not isinstance(body, dict) or body.get("kind", "DeleteOptions") != "DeleteOptions":
        raise bad_request("the body of a deletion must be DeleteOptions")
    options: Json = dict(body)
    query = call.request.query
    if query.get("gracePeriodSeconds"):
        options.setdefault("gracePeriodSeconds", query["gracePeriodSeconds"])
    for key in ("propagationPolicy", "orphanDependents"):
        if query.get(key):
            options.setdefault(key, query[key])
    if (asked := options.get("gracePeriodSeconds")) is not None:
        options["gracePeriodSeconds"] = number(asked)
        if options["gracePeriodSeconds"] is None:
            raise invalid_parameter("gracePeriodSeconds", asked, "must be a whole number of seconds")
    if not isinstance(options.get("preconditions") or {}, dict):
        raise bad_request("preconditions: must be a map with uid and resourceVersion")
    policy = options.get("propagationPolicy")
    if policy not in (None, "", "Background", "Foreground", "Orphan"):
        flaw = FieldError(
            "propagationPolicy",
            "FieldValueNotSupported",
            policy,
            'supported values: "Foreground", "Background", "Orphan", "nil"',
        )
        raise invalid("meta.k8s.io", "DeleteOptions", "", [flaw])
    orphans = options.get("orphanDependents")
    if not policy and truth({} if orphans is None else {"orphanDependents": str(orphans)}, "orphanDependents"):
        options["propagationPolicy"] = "Orphan"
    return options


async def delete(core: Core, call: ApiCall, *, dry: bool, options: Json) -> Response:
    entry = core.store.latest(call.key, call.namespace, call.name)
    if entry is None:
        raise not_found(call.resource, call.name)
    left, gone = await delete_entry(core, call.resource, entry, options, dry=dry)
    if gone and call.key not in strategy.RETURN_DELETED:
        details: Json = {
            "name": call.name,
            "group": call.resource.group,
            "kind": call.resource.plural,
            "uid": left.object()["metadata"].get("uid"),
        }
        if not call.resource.group:
            del details["group"]
        return answer(
            call.view, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )
    return answer(call.view, left.body)


async def delete_collection(core: Core, call: ApiCall, *, dry: bool, options: Json) -> Response:
    selects = selection(core, call)
    chosen = [entry for entry in core.store.list(call.key, call.namespace) if selects(entry)]
    options = {k: v for k, v in options.items() if k != "preconditions"}
    for entry in chosen:
        latest = core.store.latest(call.key, entry.namespace, entry.name)
        if latest is not None:
            await delete_entry(core, call.resource, latest, options, dry=dry)
    head = {
        "kind": f"{call.resource.kind}List",
        "apiVersion": call.resource.api_version,
        "metadata": {"resourceVersion": str(core.store.revision)},
    }
    return answer(call.view, listed(head, (entry.body for entry in chosen)))


async def delete_entry(
    core: Core, resource: Resource, entry: Entry, options: Json, *, dry: bool = False
) -> tuple[Entry, bool]:
    """Deletes or marks one object. Returns (its state afterwards, whether it is removed)."""
    obj = entry.object()
    meta: Json = obj["metadata"]
    _check_preconditions(resource, entry, meta, options.get("preconditions") or {})
    if resource.group_resource == "namespaces" and entry.name in _PERMANENT:
        raise forbidden(resource, entry.name, "this namespace may not be deleted")
    grace = _grace(resource, obj, options)
    before = msgspec.json.encode(obj)
    _hold(core, resource, obj, options)
    if meta.get("deletionTimestamp"):
        # Already marked: only a shorter grace period has an effect.
        if grace < int(meta.get("deletionGracePeriodSeconds") or 0):
            meta["deletionGracePeriodSeconds"] = grace
            meta["deletionTimestamp"] = rfc3339(core.clock.now() + grace)
    else:
        meta["deletionTimestamp"] = rfc3339(core.clock.now() + grace)
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] += 1
    if is_free(obj):
        return (entry, True) if dry else (await remove(core, resource, entry), True)
    if dry or msgspec.json.encode(obj) == before:
        return entry, False
    return await core.store.put(resource.group_resource, obj, expected=entry.version), False


def _check_preconditions(resource: Resource, entry: Entry, meta: Json, preconditions: Json) -> None:
    for key, word, actual in (
        ("uid", "UID", meta.get("uid")),
        ("resourceVersion", "ResourceVersion", str(entry.version)),
    ):
        if preconditions.get(key) and preconditions[key] != actual:
            raise conflict(
                resource,
                entry.name,
                f"Precondition failed: {word} in precondition: {preconditions[key]}, {word} in object meta: {actual}",
            )


def _grace(resource: Resource, obj: Json, options: Json) -> int:
    """Seconds. Only pods that a node may be running get a grace period."""
    if resource.group_resource != "pods":
        return 0
    spec: Json = obj.get("spec") or {}
    phase = (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    if asked is None:
        asked = spec.get("terminationGracePeriodSeconds")
    return 30 if asked is None else min(int(asked), _LONGEST_GRACE) if int(asked) >= 0 else 1


def _hold(core: Core, resource: Resource, obj: Json, options: Json) -> None:
    """Sets the finalizers and status that keep the object until its cleanup is done."""
    meta: Json = obj["metadata"]
    finalizers: list[str] = [f for f in meta.get("finalizers", []) if f not in ("foregroundDeletion", "orphan")]
    policy = options.get("propagationPolicy")
    if policy == "Foreground":
        finalizers.append("foregroundDeletion")
    elif policy == "Orphan":
        finalizers.append("orphan")
    elif not policy:
        finalizers = list(meta.get("finalizers", []))
    if resource.group_resource == "namespaces" and (obj.get("spec") or {}).get("finalizers"):
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)


async def remove(core: Core, resource: Resource, entry: Entry) -> Entry:
    """Removes the object from the store."""
    if resource == CRDS:
        return await _remove_crd(core, entry)
    gone = await core.store.delete(resource.group_resource, entry.namespace, entry.name, expected=entry.version)
    if "." in resource.group and not core.store.list(resource.group_resource):
        await _finish_crd(core, resource)
    return gone


async def _remove_crd(core: Core, entry: Entry) -> Entry:
    """Removes a definition with its objects; it stays while finalizers hold any of them."""
    spec: Json = entry.object()["spec"]
    rows = [
        r
        for rows in core.registry.groups().get(spec["group"], {}).values()
        for r in rows
        if r.plural == spec["names"]["plural"]
    ]
    held = False
    for instance in list(core.store.pending(f"{spec['names']['plural']}.{spec['group']}")):
        if rows:
            held = not (await delete_entry(core, rows[0], instance, {}))[1] or held
    latest = core.store.latest(CRDS.group_resource, "", entry.name)
    if latest is None:
        return entry
    if held:
        obj = latest.object()
        obj["metadata"]["finalizers"] = sorted({*obj["metadata"].get("finalizers", []), _CLEANUP})
        obj["metadata"].setdefault("deletionTimestamp", core.now())
        return await core.store.put(CRDS.group_resource, obj, expected=latest.version)
    gone = await core.store.delete(CRDS.group_resource, "", entry.name, expected=latest.version)
    _unserve(core, entry.name)
    return gone


async def _finish_crd(core: Core, resource: Resource) -> None:
    """Removes a definition that waited for the removal of its last object."""
    entry = core.store.latest(CRDS.group_resource, "", resource.group_resource)
    if entry is None or _CLEANUP.encode() not in entry.body:
        return
    obj = entry.object()
    obj["metadata"]["finalizers"] = [f for f in obj["metadata"].get("finalizers", []) if f != _CLEANUP]
    if obj["metadata"].get("deletionTimestamp") and is_free(obj):
        await core.store.delete(CRDS.group_resource, "", entry.name, expected=entry.version)
        _unserve(core, entry.name)


def _unserve(core: Core, definition: str) -> None:
    """Stops serving the kinds of a definition, and ends their watches: the name of one is that of its resource."""
    core.registry.remove_crd(definition)
    core.store.log(definition).wake()
