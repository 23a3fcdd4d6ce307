"""Reports held writes to users: two conditions, one Event each, and the phase.

`WriteRefused`: the API server refuses a write (a right, a quota, a policy, or an invalid field). The Rollout is
Degraded meanwhile. `FieldConflict`: another writer reverts a field each time. The Rollout continues and reports the
conflict. Source of `ReplicaSetCreateError`: the Rollout resource, section 4.
"""

from __future__ import annotations

from serinus.api.messages.cutting import shortened
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.held_writes import SHOWN, summed
from serinus.engine.core.plan import HeldWrite
from serinus.engine.status.conditions import CREATE_ERROR, TRAFFIC_VERIFIED, drop, find, put, put_creation_refused
from serinus.engine.status.phase import phase_of


def report_held(builder: PlanBuilder) -> None:
    """Set the conditions of writes that this pass left out. Remove them if none is left out."""
    if not builder.held and not builder.context.snapshot.held:
        drop(builder.status, wait_reasons.REFUSED.code, wait_reasons.CONFLICT.code)
        return
    _tell(
        builder,
        wait_reasons.REFUSED.code,
        [h for h in builder.held if h.code == wait_reasons.REFUSED.code],
        "ReconciliationError",
    )
    contested = [h for h in builder.context.snapshot.held if h.code == wait_reasons.CONFLICT.code]
    for one in contested:
        if one not in builder.held:
            builder.wait(one.code, one.message)
    _tell(builder, wait_reasons.CONFLICT.code, contested, wait_reasons.CONFLICT.code)


def report_unconfirmed(builder: PlanBuilder) -> None:
    """Set the condition of an unconfirmed weight. Remove it once confirmed, or if no router can confirm it.

    Its status is Unknown after the longest wait for the reports of a router.
    """
    text = shortened(builder.unconfirmed or builder.unreported)
    if not text:
        drop(builder.status, TRAFFIC_VERIFIED)
        return
    value, before = "False" if builder.unconfirmed else "Unknown", find(builder.status, TRAFFIC_VERIFIED)
    news = before is not None and before.message != text
    put(builder.status, builder.context.now, TRAFFIC_VERIFIED, value, wait_reasons.UNCONFIRMED.code, text, renew=news)


def report_only_held(builder: PlanBuilder, rs: ReplicaSet | None = None) -> None:
    """The whole pass if every action depends on a held write. `rs`: the ReplicaSet that is not created."""
    s, status = builder.context, builder.status
    drop(status, "InvalidSpec")
    report_held(builder)
    if rs is not None:
        put_creation_refused(builder, rs)
    status.observed_generation = str(s.rollout.metadata.generation)
    status.phase, status.message = phase_of(s.spec, status)


def _tell(builder: PlanBuilder, kind: str, held: list[HeldWrite], event: str) -> None:
    status, now = builder.status, builder.context.now
    if not held:
        drop(status, kind)
        return
    text, before = shortened(summed(held)), find(status, kind)
    put(status, now, kind, "True", held[0].reason or kind, text, renew=before is not None and before.message != text)
    if (held[0].verb, held[0].kind) == ("create", "ReplicaSet"):
        event = CREATE_ERROR
    if before is None or any(_about(h) not in before.message for h in held[:SHOWN]):
        builder.record_event(event, text, warning=True)


def _about(held: HeldWrite) -> str:
    return f"{held.kind} {held.name}"
