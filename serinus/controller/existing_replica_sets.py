"""Handles an existing ReplicaSet with the name of one that a plan creates."""

from __future__ import annotations

from serinus.api.meta import Json, ObjectMeta
from serinus.api.names import HASH
from serinus.engine.core.plan import Action


def missing_label(existing: ObjectMeta, action: Action) -> Action | None:
    """The action that restores our own ReplicaSet's hash label, which another writer removed or changed."""
    pod_hash = ((action.body.get("metadata") or {}).get("labels") or {}).get(HASH)
    if existing.controller() is None or pod_hash is None or existing.labels.get(HASH) == pod_hash:
        return None
    patch: Json = {"metadata": {"labels": {HASH: pod_hash}}}
    because = f"another writer changed its label {HASH}"
    return Action("patch", "ReplicaSet", action.name, because, patch, uid=existing.uid)


def of_somebody_else(metadata: ObjectMeta, uid: str) -> bool:
    owner = metadata.controller()
    return owner is not None and owner.uid != uid
