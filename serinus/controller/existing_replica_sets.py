"""Handles an existing ReplicaSet with the name of one that a plan creates."""

from __future__ import annotations

from serinus.api.meta import Json, ObjectMeta
from serinus.api.names import HASH
from serinus.engine.core.plan import Action


def missing_label(found: ObjectMeta, action: Action) -> Action | None:
    """The action that restores our own ReplicaSet's hash label, which another writer removed or changed."""
    wanted = ((action.body.get("metadata") or {}).get("labels") or {}).get(HASH)
    if found.controller() is None or wanted is None or found.labels.get(HASH) == wanted:
        return None
    patch: Json = {"metadata": {"labels": {HASH: wanted}}}
    because = f"another writer changed its label {HASH}"
    return Action("patch", "ReplicaSet", action.name, because, patch, uid=found.uid)


def of_somebody_else(metadata: ObjectMeta, uid: str) -> bool:
    owner = metadata.controller()
    return owner is not None and owner.uid != uid
