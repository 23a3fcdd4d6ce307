"""Adds the reason why pods are not ready to the waits, the status and the deadline's message.

The rules are in `api/pods/trouble.py`. Only a version with fewer available pods than desired is checked.
"""

from __future__ import annotations

from msgspec import structs

from serinus.api.pods.trouble import Trouble, overdue, trouble
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext
from serinus.engine.core.plan import Wait

ABOUT_PODS = (
    "more replicas need to be updated",
    "updated replicas are still becoming available",
    "active service cutover pending",
)
"""Messages of `phase.py` after which the trouble of the new version's pods follows."""

TIMED_OUT = "has timed out progressing."
"""The end of the message for a passed progress deadline, before the trouble of the pods."""

_NEW = frozenset({wait_reasons.PODS.code, wait_reasons.SERVICE.code, wait_reasons.RESTARTING.code})
_STABLE = frozenset(
    {wait_reasons.RESTARTING.code, wait_reasons.STABLE_SHORT.code, wait_reasons.ABORTED.code, wait_reasons.TRAFFIC.code}
)
_LEAVING = frozenset({wait_reasons.OLD_PODS.code, wait_reasons.PODS.code})


def of_version(s: RolloutContext, rs: ReplicaSet | None) -> Trouble | None:
    """Why the version lacks pods; None if it has enough, or if no cause is known."""
    if rs is None or rs.status.available_replicas >= rs.spec.replicas:
        return None
    return trouble(
        s.pods_of(rs),
        s.now,
        desired=rs.spec.replicas,
        existing=rs.status.replicas,
        conditions=rs.status.conditions,
        events=s.snapshot.pod_events,
    )


def write_down(builder: PlanBuilder) -> None:
    """Append a lasting trouble to a `status.message` about pods of the new version."""
    status = builder.status
    if status.phase == "Progressing" and status.message in ABOUT_PODS:
        cause = of_version(builder.context, builder.context.new)
        if cause is not None and cause.lasting:
            status.message += f": {cause.lasting}"


def name_causes(builder: PlanBuilder) -> None:
    """Add the trouble to each wait for pods."""
    builder.waits = [_with_cause(builder.context, wait) for wait in builder.waits]


def _with_cause(s: RolloutContext, wait: Wait) -> Wait:
    code = wait.reason
    cause = of_version(s, s.new) if code in _NEW else None
    if cause is None and code in _STABLE:
        cause = of_version(s, s.stable)
    if cause is None and code in _LEAVING:
        cause = overdue((pod for pod in s.snapshot.pods), s.now)
    if cause is None:
        return wait
    before, timed_out, _ = wait.message.partition(TIMED_OUT)
    if timed_out:  # the rest is the trouble at the time when the deadline passed
        message = f"{before}{timed_out} {cause.sentence}"
    elif cause.lasting and cause.lasting in wait.message:  # the status contains it already
        message = wait.message.replace(cause.lasting, cause.sentence)
    else:
        message = f"{wait.message}: {cause.sentence}"
    return structs.replace(wait, cause=cause.code, message=message)
