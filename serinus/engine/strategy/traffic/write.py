"""The desired traffic of a Rollout for its routers, their writes, and the record of the weight in the status.

Source: traffic routing, section 10.
"""

from __future__ import annotations

from collections.abc import Sequence

from serinus.api.derived import once
from serinus.api.messages.counted import counted
from serinus.api.messages.cutting import shortened
from serinus.api.rollout import CanaryStrategy, TrafficRouting, TrafficWeights, WeightDestination
from serinus.api.values.times import parse_time
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext, hash_of, serving
from serinus.engine.core.plan import Action, Event
from serinus.engine.judging.experiments import additional, additional_ports
from serinus.engine.replicasets.revision import owner_reference
from serinus.engine.replicasets.routes import Route, managed, service_names, set_by
from serinus.engine.replicasets.services import carrier, replaced_has_share, selects
from serinus.engine.status.conditions import TRAFFIC_VERIFIED, find, promoted
from serinus.engine.strategy.step_walk import StepState
from serinus.engine.strategy.traffic.reach import stable_version
from serinus.routing.registry import by_hash, routers_of
from serinus.routing.router import Objects, RouteResult, Traffic, Write

IDENTIFYING = 200
"""Characters that identify an error in a condition, which cuts long errors."""

VERIFY_SECONDS = 10.0
"""Seconds between two checks of a weight that a router does not confirm."""


def write(builder: PlanBuilder, canary: CanaryStrategy, weight: int, step: StepState) -> bool:
    """Plan the routers' writes, and record the weight once all of them are planned. False if a router refused."""
    s, recorded = builder.context, builder.status.canary.weights
    traffic = desired_traffic(builder, canary, weight, step)
    snapshot = s.snapshot
    objects = Objects(
        traffic.namespace,
        snapshot.ingresses,
        snapshot.objects,
        snapshot.served,
        snapshot.read_back,
        snapshot.gateway,
    )
    answers = [used.route(traffic, objects) for used in routers_of(s.spec)]
    builder.facts += [answer.shared for answer in answers if answer.shared]
    errors = [answer.error for answer in answers if answer.error]
    # If one router fails, no router gets a larger share. A smaller share is written wherever possible.
    rises = recorded is not None and weight > recorded.canary.weight
    written = [builder.act(action_of(write)) for a in answers for write in a.writes if not (errors and rises)]
    if errors:
        notices = [Event(notice.reason, notice.message, "Warning") for answer in answers for notice in answer.notices]
        builder.refuse(wait_reasons.ROUTING_FAILED.code, Event("TrafficRoutingError", errors[0], "Warning"), *notices)
        if _is_reported(builder, errors[0]):
            builder.events.clear()  # one Event for one cause, for any number of passes
        return False
    if not all(written):
        return True  # the status keeps the last written weight, so this weight scales nothing down
    for after in (answer.again_after for answer in answers):
        if after is not None:
            builder.requeue(s.now + after)
    pending = [answer.pending for answer in answers if answer.pending]
    if pending:
        builder.wait(wait_reasons.UNCONFIRMED.code, pending[0])
        if snapshot.reads_gateways:
            builder.unconfirmed = pending[0]
        return True
    verified = _verified(builder, answers)
    _record(builder, canary, weight, traffic.canary_hash, verified)
    if verified is False:
        reasons = (a.unverified for a in answers if a.unverified and not _is_over(builder, a))
        builder.unconfirmed = next(reasons, f"the router does not confirm weight {weight} yet")
        builder.wait(wait_reasons.UNCONFIRMED.code, builder.unconfirmed)
        builder.requeue(s.now + VERIFY_SECONDS)
    else:
        builder.unreported = next((_ended(a) for a in answers if a.verified is False), "")
        builder.facts += [builder.unreported] if builder.unreported else []
    return True


def _is_over(builder: PlanBuilder, answer: RouteResult) -> bool:
    """Whether the longest wait for this router's reports is over, by the condition in the stored status."""
    before = find(builder.context.rollout.status, TRAFFIC_VERIFIED)
    if before is None or answer.unverified_for is None:
        return False
    since = parse_time(before.last_update_time) if before.message == shortened(answer.unverified) else None
    return before.status == "Unknown" or (since is not None and builder.context.now >= since + answer.unverified_for)


def _ended(answer: RouteResult) -> str:
    waited = counted(answer.unverified_for or 0, "second")
    return f"{answer.unverified}: the update continues after a wait of {waited}"


def _is_reported(builder: PlanBuilder, error: str) -> bool:
    """Whether the stored status reports this error of a router already."""
    conditions = builder.context.rollout.status.conditions
    return any(c.type == "InvalidSpec" and error[:IDENTIFYING] in c.message for c in conditions)


def desired_traffic(builder: PlanBuilder, canary: CanaryStrategy, weight: int, step: StepState) -> Traffic:
    """The whole traffic of the Rollout at this weight."""
    s, meta, stable = builder.context, builder.context.rollout.metadata, stable_version(builder)
    assert s.routing is not None
    canary_service, stable_service = service_names(canary, builder.status)
    has, recorded = _has(builder, canary_service, weight), builder.context.rollout.status.canary.weights
    carries = s.named(has) or s.new
    return Traffic(
        meta.name,
        meta.namespace,
        meta.uid,
        owner_reference(builder),
        canary,
        canary_service,
        stable_service,
        weight,
        s.max_weight,
        has,
        builder.status.stable_rs,
        _routes(builder, step) if has == hash_of(s.new) else (),
        _managed(s, s.routing),
        additional(builder),
        additional_ports(builder),
        canary_ready=serving(carries) if carries else 0,
        stable_ready=serving(stable) if stable else 0,
        shared_hash=recorded.canary.pod_template_hash if recorded and recorded.canary.weight else "",
        stable_addresses=_addresses(builder, stable) if s.snapshot.reads_gateways else (),
        now=s.now,
    )


def _managed(s: RolloutContext, routing: TrafficRouting) -> tuple[str, ...]:
    return once(s.spec, "managed routes", lambda: managed(s.steps, routing))


def _addresses(builder: PlanBuilder, stable: ReplicaSet | None) -> tuple[str, ...]:
    """IP addresses of the ready pods of a version."""
    pods = builder.context.pods_of(stable) if stable else ()
    return tuple(pod.status.pod_ip for pod in pods if pod.ready() and pod.status.pod_ip)


def _has(builder: PlanBuilder, service: str, weight: int) -> str:
    """The version that gets the canary's share. Without a share it is the new version, which is next."""
    new = hash_of(builder.context.new)
    if not weight:
        return new
    if by_hash(builder.context.spec):
        return hash_of(carrier(builder)) if replaced_has_share(builder) else new
    return (selects(builder, service) if service else "") or new


def _verified(builder: PlanBuilder, answers: Sequence[RouteResult]) -> bool | None:
    """False if one router does not confirm the weight; None if no router can confirm it, or its reports ended."""
    told = [answer for answer in answers if answer.verified is not None]
    verified = [answer.verified for answer in told if answer.verified or not _is_over(builder, answer)]
    return all(verified) if verified else None


def _routes(builder: PlanBuilder, step: StepState) -> tuple[Route, ...]:
    s, status = builder.context, builder.status
    serving = s.new is not None and s.new.status.available_replicas > 0
    if not s.routing or promoted(status) or status.abort or status.promote_full or not serving:
        return ()
    return set_by(s.steps[: step.index + 1], s.routing)


def action_of(write: Write) -> Action:
    """A router's write as an action of a plan."""
    return Action(
        write.verb,
        write.kind,
        write.name,
        write.because,
        write.body,
        uid=write.uid,
        resource_version=write.resource_version,
        events=(Event(write.reason, write.message),) if write.reason else (),
        beside=write.beside,
    )


def _record(builder: PlanBuilder, canary: CanaryStrategy, weight: int, has: str, verified: bool | None) -> None:
    s, status = builder.context, builder.status
    old, more = status.canary.weights, additional(builder)
    status.canary.weights = TrafficWeights(
        WeightDestination(weight, canary.canary_service, has),
        WeightDestination(s.max_weight - weight - sum(a.weight for a in more), canary.stable_service, status.stable_rs),
        additional=list(more),
        verified=verified,
    )
    if old is None:
        builder.record_event("TrafficWeightUpdated", f"Traffic weight updated to {weight}")
    elif old.canary.weight != weight:
        builder.record_event("TrafficWeightUpdated", f"Traffic weight updated from {old.canary.weight} to {weight}")
