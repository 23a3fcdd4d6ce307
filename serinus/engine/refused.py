"""A ReplicaSet that the API refuses (no rights, a pod template that is not valid): people see why in the Rollout itself.

Source: the Rollout resource, section 4 (`ReplicaSetCreateError`).
"""

from __future__ import annotations

from serinus.api.meta import Json
from serinus.api.rollout import Rollout
from serinus.engine.conditions import find, put
from serinus.engine.draft import Draft, difference, settled
from serinus.engine.phase import phase_of


def create_failed(rollout: Rollout, name: str, why: str, now: float) -> Json | None:
    """Patch of the status that tells why the ReplicaSet `name` could not be made; None while it says so already."""
    status, text = Draft.copy_of(rollout.status), f'Failed to create new replica set "{name}": {why}'
    before = find(status, "Progressing")
    changed = before is not None and before.message != text
    put(status, now, "Progressing", "False", "ReplicaSetCreateError", text, renew=changed)
    phase, _ = phase_of(rollout.spec, status)
    status.phase, status.message = "Progressing" if phase == "Healthy" else phase, text
    return difference(settled(rollout.status), settled(status)) or None
