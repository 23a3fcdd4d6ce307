"""Why a Rollout waits: turns a plan into sentences for users.

`plan` is pure, so any client with the same objects (the command line, the dashboard's page of a Rollout) can compute
the explanation. It is not stored, and it is never out of date. The first reason is the one from the status alone
(`status/status_reason.py`), so a list of Rollouts shows the same reason.
"""

from __future__ import annotations

import msgspec
from msgspec import to_builtins
from msgspec.structs import replace

from serinus.api.rollout import Rollout, RolloutStatus
from serinus.api.values.times import age_words, parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.context import RolloutContext, build_context, revision_of
from serinus.engine.core.held_writes import known_from
from serinus.engine.core.plan import Plan, Snapshot, Wait
from serinus.engine.core.step_kinds import step_words
from serinus.engine.explain.metrics import ExplainedMetric, deciding
from serinus.engine.judging.short_steps import short_steps
from serinus.engine.planner import plan
from serinus.engine.status import conditions
from serinus.engine.status.phase import phase_of
from serinus.engine.status.pod_troubles import of_version
from serinus.engine.status.status_reason import reason_from_status

_WAITS = {reason.code: reason for reason in wait_reasons.ALL}


class WhyReason(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One reason. Times are seconds since the epoch; `gives_up_at`: when the progress deadline passes."""

    code: str
    message: str
    meaning: str
    ends: str
    """The event that would end the wait."""
    since: float | None = None
    until: float | None = None
    gives_up_at: float | None = None
    cause: str = ""
    """Kubernetes' reason why the awaited pods are not ready."""


class PodTrouble(msgspec.Struct, frozen=True):
    """Why pods of a version cannot start. `code`, `sentence`, `lasting`: as in `api/pods/trouble.py`."""

    revision: int
    available: int
    desired: int
    code: str
    sentence: str
    lasting: str


class Why(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`reasons`: the waits, first the one from the status. `next`: the following step. `pending`: planned writes; they
    stay pending only without a running controller. `observed`: the facts behind the decision.
    """

    phase: str
    message: str
    reasons: tuple[WhyReason, ...] = ()
    next: str = ""
    pending: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()
    metrics: tuple[ExplainedMetric, ...] = ()
    """The metrics that decided or are being measured, if analyses judge the version."""
    short_steps: tuple[str, ...] = ()
    """Steps that are too short for their sequential verdict, as sentences."""
    troubles: tuple[PodTrouble, ...] = ()
    """Of the new version, then of the stable one. A trouble that a usual pod start has for a moment is none."""
    unread: str = ""
    """Why the reader did not read some objects, as a sentence: the reasons are then those of the status."""
    asked: str = ""
    """The cluster of the objects that may be in another one, as a sentence; "" for the Rollout's own."""


def explain(snapshot: Snapshot) -> Why:
    """Why this Rollout has its present state. Never raises for an invalid object."""
    if any(c.type == wait_reasons.SET_ASIDE.code for c in snapshot.rollout.status.conditions):
        return glance(snapshot.rollout)  # the planner failed for this Rollout: do not repeat the plan here
    decided, status = _decided(snapshot), snapshot.rollout.status
    phase, message = _stated(snapshot.rollout)
    pending = tuple(f"{a.verb} {a.kind} {a.name}: {a.because}" for a in decided.actions)
    pending += tuple(f"call plugin {c.name}: {c.because}" for c in decided.calls)
    if any(
        wait.reason in (wait_reasons.INVALID.code, wait_reasons.WAITING_FOR_REFERENCE.code) for wait in decided.waits
    ):
        return Why(phase, message, _reasons(decided, None, snapshot), pending=pending)
    metrics = () if conditions.promoted(status) else deciding(snapshot.analysis_runs, snapshot.rollout)
    context = build_context(snapshot)
    reasons = _reasons(decided, context, snapshot)
    observed, short = (
        _observed(context, reasons, decided.facts),
        short_steps(snapshot.rollout, snapshot.objects, snapshot.analysis_runs),
    )
    told_steps = tuple(one.message for one in short)
    return Why(phase, message, reasons, _next(context), pending, observed, metrics, told_steps, _troubles(context))


def _troubles(context: RolloutContext) -> tuple[PodTrouble, ...]:
    versions = [context.new, *([context.stable] if context.stable is not context.new else [])]
    return tuple(
        PodTrouble(
            revision_of(rs),
            rs.status.available_replicas,
            rs.spec.replicas,
            trouble.code,
            trouble.sentence,
            trouble.lasting,
        )
        for rs in versions
        if rs is not None and (trouble := of_version(context, rs)) is not None and trouble.lasting
    )


def _stated(rollout: Rollout) -> tuple[str, str]:
    """The phase and message of the status; computed for the status of an older controller, which has neither."""
    status = rollout.status
    return (
        (status.phase, status.message) if status.phase or status == RolloutStatus() else phase_of(rollout.spec, status)
    )


def _decided(snapshot: Snapshot) -> Plan:
    """The plan of the controller, with the held writes that the status reports."""
    decided, status = plan(snapshot), snapshot.rollout.status
    while held := known_from(status, decided.actions, snapshot.now):
        if all(one in snapshot.held for one in held):
            break
        snapshot = replace(snapshot, held=(*snapshot.held, *held))
        decided = plan(snapshot)
    return decided


def glance(rollout: Rollout) -> Why:
    """The explanation from the status alone, for users who may not read the objects that `explain` needs."""
    phase, message = _stated(rollout)
    wait = reason_from_status(rollout.spec, replace(rollout.status, phase=phase, message=message))
    return Why(phase, message, (known(wait),) if wait else ())


def sentence(why: Why, now: float) -> str:
    """One line: `waiting: canary 3/5 ready, for 2m10s, gives up in 7m50s, next: setWeight: 40`."""
    if not why.reasons:
        return why.message or ("nothing waits" if why.phase == "Healthy" else why.phase)
    reason = why.reasons[0]
    parts = [reason.message]
    if reason.since is not None and now >= reason.since:
        parts.append(f"for {age_words(now - reason.since)}")
    if reason.until is not None and reason.until > now:
        parts.append(f"until {age_words(reason.until - now)} from now")
    elif reason.gives_up_at is not None and reason.gives_up_at > now:
        parts.append(f"gives up in {age_words(reason.gives_up_at - now)}")
    if why.next:
        parts.append(f"next: {why.next}")
    return f"waiting: {', '.join(parts)}"


def _reasons(decided: Plan, context: RolloutContext | None, snapshot: Snapshot) -> tuple[WhyReason, ...]:
    reasons: dict[str, WhyReason] = {}
    for wait in decided.waits:
        since = wait.since if wait.since is not None else _moved(snapshot)
        reason = replace(known(wait), since=since, gives_up_at=_gives_up(wait, context, snapshot))
        reasons.setdefault(wait.message, reason)
    first = reason_from_status(snapshot.rollout.spec, snapshot.rollout.status)
    return tuple(sorted(reasons.values(), key=lambda reason: first is None or reason.code != first.reason))


def known(wait: Wait) -> WhyReason:
    """The wait, with the meaning of its code and the event that ends it."""
    reason = _WAITS[wait.reason]
    return WhyReason(wait.reason, wait.message, reason.meaning, reason.ends, wait.since, wait.until, cause=wait.cause)


def _moved(snapshot: Snapshot) -> float | None:
    """When the Rollout last made progress."""
    progressing = conditions.find(snapshot.rollout.status, "Progressing")
    return parse_time(progressing.last_update_time) if progressing else None


def _gives_up(wait: Wait, context: RolloutContext | None, snapshot: Snapshot) -> float | None:
    if context is None or _WAITS[wait.reason].deadline != "progressDeadlineSeconds":
        return None
    return conditions.deadline(context, snapshot.rollout.status)


def _next(context: RolloutContext) -> str:
    """The step after the current one. After a pause, it is the result of the promotion."""
    status, steps = context.rollout.status, context.steps
    if conditions.promoted(status) or status.abort:
        return ""
    if context.blue_green:
        return "the active Service moves to the new version"
    if status.current_step_index is None:
        return ""
    following = steps[status.current_step_index + 1 :]
    return step_words(to_builtins(following[0])) if following else "all traffic to the new version"


def _observed(context: RolloutContext, reasons: tuple[WhyReason, ...], facts: tuple[str, ...]) -> tuple[str, ...]:
    """The facts behind the decision with `facts` of the plan, and the trouble of pods that no wait mentions."""
    lines: list[str] = []
    weights = context.rollout.status.canary.weights
    if weights:
        lines.append(f"weight {weights.canary.weight} of {context.max_weight}")
    lines += facts
    for role, rs in (("new", context.new), ("stable", context.stable)):
        if rs is None or (role == "stable" and rs is context.new):
            continue
        line = f"{role} {rs.metadata.name}: {rs.status.available_replicas}/{rs.spec.replicas} pods serve"
        trouble = of_version(context, rs)
        told = trouble is None or any(trouble.sentence in reason.message for reason in reasons)
        lines.append(line if trouble is None or told else f"{line}; {trouble.sentence}")
    return tuple(lines)
