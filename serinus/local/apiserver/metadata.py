"""Metadata that only the server writes: names, uids, versions, generations.

Source: Kubernetes API conventions, "Metadata"; a change of anything but metadata and status is a new generation.
"""

from __future__ import annotations

import random
import uuid
from typing import Any

from serinus.api.resources import Resource
from serinus.local.apiserver.failure import Failure, invalid

Json = dict[str, Any]

LETTERS = "bcdfghjklmnpqrstvwxz2456789"
WITHOUT_GENERATION = frozenset({"services", "namespaces", "nodes", "endpoints", "configmaps", "secrets", "serviceaccounts", "events", "podtemplates", "leases.coordination.k8s.io", "endpointslices.discovery.k8s.io"})
SERVER_SIDE = ("uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds")


def random_suffix(rng: random.Random) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(5))


def born(resource: Resource, obj: Json, namespace: str, now: str, rng: random.Random) -> None:
    """Fill in the metadata of a new object. Raises Failure 422 without a name."""
    meta: Json = obj["metadata"]
    for field in (*SERVER_SIDE, "resourceVersion", "managedFields"):
        meta.pop(field, None)
    if not meta.get("name"):
        if not meta.get("generateName"):
            raise invalid(resource, "", [("FieldValueRequired", "metadata.name", "Required value: name or generateName is required")])
        meta["name"] = str(meta["generateName"])[:58] + random_suffix(rng)
    if resource.namespaced:
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)
    meta["uid"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    meta["creationTimestamp"] = now
    if resource.group_resource not in WITHOUT_GENERATION:
        meta["generation"] = 1


def carried(resource: Resource, live: Json, obj: Json) -> None:
    """What an update cannot change stays; a changed spec is a new generation. Raises Failure for a wrong uid or name."""
    old, meta = live["metadata"], obj["metadata"]
    if meta.get("uid") and meta["uid"] != old["uid"]:
        message = f'Operation cannot be fulfilled on {resource.group_resource} "{old["name"]}": Precondition failed: UID in precondition: {meta["uid"]}, UID in object meta: {old["uid"]}'
        raise Failure(409, "Conflict", message, details={"name": old["name"], "group": resource.group, "kind": resource.plural})
    for field in SERVER_SIDE:
        if field in old:
            meta[field] = old[field]
        else:
            meta.pop(field, None)
    meta["name"] = old["name"]
    if "namespace" in old:
        meta["namespace"] = old["namespace"]
    if "generation" in old and content(live) != content(obj):
        meta["generation"] = old["generation"] + 1


def content(obj: Json) -> Json:
    """All but metadata, status and type."""
    return {k: v for k, v in obj.items() if k not in ("metadata", "status", "apiVersion", "kind")}


def same(a: Json, b: Json) -> bool:
    """Equal but for what every write changes."""
    def stripped(obj: Json) -> Json:
        return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k not in ("resourceVersion", "managedFields")}}

    return stripped(a) == stripped(b)
