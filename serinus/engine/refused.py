"""What people read of writes that are held back: two conditions, one Event each, and the phase.

`WriteRefused`: the API server does not do a write (a right, a quota, a policy, or a field that is not valid). The Rollout is Degraded for
as long. `FieldConflict`: another writer changes a field back each time; the Rollout goes on, and says so.
Source of `ReplicaSetCreateError`: the Rollout resource, section 4.
"""

from __future__ import annotations

from serinus.api.cutting import shortened
from serinus.api.workloads import ReplicaSet
from serinus.engine import waits
from serinus.engine.conditions import CREATE_ERROR, drop, find, put, put_creation_refused
from serinus.engine.draft import Draft
from serinus.engine.held import SHOWN, summed
from serinus.engine.phase import phase_of
from serinus.engine.plan import HeldWrite


def tell_held(draft: Draft) -> None:
    """Put the conditions of what this pass did not write; drop them where nothing is held back."""
    _tell(draft, waits.REFUSED.code, [h for h in draft.held if h.code == waits.REFUSED.code], "ReconciliationError")
    contested = [h for h in draft.sight.snapshot.held if h.code == waits.CONFLICT.code]
    for one in contested:
        if one not in draft.held:
            draft.wait(one.code, one.message)
    _tell(draft, waits.CONFLICT.code, contested, waits.CONFLICT.code)


def tell_only_held(draft: Draft, rs: ReplicaSet | None = None) -> None:
    """The whole pass where nothing can be done before a write succeeds. `rs`: the ReplicaSet that is not made."""
    s, status = draft.sight, draft.status
    drop(status, "InvalidSpec")
    tell_held(draft)
    if rs is not None:
        put_creation_refused(draft, rs)
    status.observed_generation = str(s.rollout.metadata.generation)
    status.phase, status.message = phase_of(s.spec, status)


def _tell(draft: Draft, kind: str, held: list[HeldWrite], event: str) -> None:
    status, now = draft.status, draft.sight.now
    if not held:
        drop(status, kind)
        return
    text, before = shortened(summed(held)), find(status, kind)
    put(status, now, kind, "True", held[0].reason or kind, text, renew=before is not None and before.message != text)
    if (held[0].verb, held[0].kind) == ("create", "ReplicaSet"):
        event = CREATE_ERROR
    if before is None or any(_about(h) not in before.message for h in held[:SHOWN]):
        draft.tell(event, text, warning=True)


def _about(held: HeldWrite) -> str:
    return f"{held.kind} {held.name}"
