"""Routing of requests: the weight of the canary, and the selectors of both Services.

A weight rises only when its Service selects enough pods, so Services move first. A lower weight is written before any
other change. Source: canary strategy, sections 4 and 8; traffic routing, section 10.
"""

from __future__ import annotations

from collections.abc import Sequence

from serinus.api.derived import once
from serinus.api.messages.plurals import count
from serinus.api.rollout import CanaryStrategy, TrafficRouting, TrafficWeights, WeightDestination
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import references, wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext, hash_of, serving
from serinus.engine.core.plan import Action, Event, HeldWrite
from serinus.engine.judging.experiments import additional, additional_ports
from serinus.engine.replicasets.revision import owner_reference
from serinus.engine.replicasets.routes import Route, managed, service_names, set_by
from serinus.engine.replicasets.services import carrier, point, replaced_has_share, selected_hash, selects
from serinus.engine.status.conditions import promoted
from serinus.engine.strategy.scaling import ScalePlan, frozen
from serinus.engine.strategy.steps.set_weight import last_weight
from serinus.routing.registry import by_hash, routers_of
from serinus.routing.router import ANY, Objects, RouteResult, Traffic, Write

TOLD_BY = 200
"""Characters that identify an error in a condition, which cuts long errors."""

VERIFY_SECONDS = 10.0
"""Seconds between two checks of a weight that a router does not confirm."""


def route(builder: PlanBuilder, scale: ScalePlan) -> bool:
    """Plan Services and weight. False if a router refused, which ends the pass."""
    s, canary = builder.context, builder.context.canary
    assert canary is not None
    weights = builder.status.canary.weights
    recorded = weights.canary.weight if weights else None
    weight = decide(builder, scale, recorded) if s.routing else None
    # The status may lack the last weight. So weight 0 is written before any other change, whatever weight it records.
    if weight is not None and recorded is not None and (weight < recorded or not weight):
        if not _write(builder, canary, weight):
            return False
        _services(builder, canary, scale)
        return True
    led = _services(builder, canary, scale)
    if s.routing is None:
        builder.status.canary.weights = None
    if weight and weight > (recorded or 0) and led not in (None, hash_of(s.new)):
        weight = recorded or 0  # more only once its Service selects the new version: a wait gives the reason
    return weight is None or _write(builder, canary, weight)


def held(s: RolloutContext) -> list[HeldWrite]:
    """Held writes to routers and Services: the routing of the last step is not in force."""
    leading = references.router_objects(s.rollout) | {("Service", name) for name in references.services(s.rollout)}
    return [
        one
        for one in s.snapshot.held
        if s.now < one.until and ((one.kind, one.name) in leading or (one.kind, ANY) in leading)
    ]


def _services(builder: PlanBuilder, canary: CanaryStrategy, scale: ScalePlan) -> str | None:
    """The revision that the canary Service selects after this pass; None if unknown."""
    s, stable = builder.context, _stable(builder)
    canary_service, stable_service = service_names(canary, builder.status)
    if stable_service:
        taken = scale.takes_over()
        point(builder, stable_service, s.new if taken else stable, role="new version" if taken else "stable version")
    back = builder.status.abort
    target = stable if back else s.new
    if canary_service and not _more_than_carried(builder, scale, canary_service, target):
        led = point(
            builder,
            canary_service,
            target,
            role="stable version, the update being aborted," if back else "new version",
        )
        return led if canary_service in s.snapshot.services else None
    return None


def _more_than_carried(builder: PlanBuilder, scale: ScalePlan, service: str, target: ReplicaSet | None) -> bool:
    """Whether the canary Service stays where it is, because `target` cannot carry its share of the requests.

    Without a recorded weight, any weight is possible. If the selected version has no serving pods, nothing is lost.
    """
    s, weights = builder.context, builder.status.canary.weights
    leads = s.named(selected_hash(builder, service))
    if s.canary is None or s.routing is None or target is None:
        return False
    if leads is None or leads is target or not serving(leads):
        return False
    if weights is None:
        return hash_of(leads) != builder.status.stable_rs
    share = weights.canary.weight
    if share and selected_hash(builder, service_names(s.canary, builder.status)[1]) == hash_of(target):
        share = s.max_weight  # `target` has the rest of the requests already
    return share > scale.capacity(builder.available_not_evicted(target, serving(target)))


def _stable(builder: PlanBuilder) -> ReplicaSet | None:
    s = builder.context
    return s.new if s.new and hash_of(s.new) == builder.status.stable_rs else s.named(builder.status.stable_rs)


def reached(builder: PlanBuilder) -> set[str] | None:
    """Revisions that get requests after this pass; None if every pod gets its share, whatever its version.

    This reads the Services, not only the recorded weights. After a rollback during an update, the canary's weight is
    recorded for the wanted version. Its Service still selects the abandoned one until the weight is 0.
    """
    s, status = builder.context, builder.status
    canary_service, stable_service = service_names(s.canary, status) if s.canary else ("", "")
    if s.routing is None:
        leads = [selects(builder, name) for name in (canary_service, stable_service) if name]
        return set(leads) if stable_service and all(leads) else None
    weights = status.canary.weights
    if weights is None:  # before a weight was ever written, the stable version has everything
        sides = [(stable_service, status.stable_rs)]
    else:
        pairs = ((canary_service, weights.canary), (stable_service, weights.stable))
        sides = [(name, side.pod_template_hash) for name, side in pairs if side.weight]
    leads = [selects(builder, name) if name else recorded for name, recorded in sides]
    leads += [recorded for _, recorded in sides] if by_hash(s.spec) else []
    return set(leads) if all(leads) else None


def all_on_new(builder: PlanBuilder, leads: set[str] | None) -> bool:
    """Whether every request goes to the new version, by Services and weights. `leads`: the result of `reached`."""
    return not builder.context.replicas or leads is None or leads <= {hash_of(builder.context.new)}


def decide(builder: PlanBuilder, scale: ScalePlan, recorded: int | None) -> int | None:
    """The weight to write now; None before the first weight is due."""
    s, status, top = builder.context, builder.status, builder.context.max_weight
    stable, new = _stable(builder), s.new
    assert new is not None
    want = min(_wanted(builder, scale), top)
    if stable is None:
        return recorded
    avail = serving(stable)
    if recorded is None:
        # Until the first version serves in full there is no traffic to divide.
        return want if avail >= (top - want) * s.replicas // top else None
    if promoted(status) and not replaced_has_share(builder):
        # The stable Service must be observed to select the promoted version before it gets the canary's share.
        service = service_names(s.canary, status)[1] if s.canary else ""
        led = not service or selected_hash(builder, service) == hash_of(new)
        # With dynamicStableScale few pods were left there. Once they have drained, gateways have received the switch.
        drains = s.canary and s.canary.dynamic_stable_scale and any(builder.size(r) for r in s.others)
        return 0 if led and not drains and (avail >= s.replicas or recorded == 0) else recorded
    return _given_back(builder, scale, recorded, want) if want < recorded else want


def _given_back(builder: PlanBuilder, scale: ScalePlan, recorded: int, want: int) -> int:
    """A smaller weight, except for a share that only the present version can carry. Others take over as pods serve."""
    s, top, now = builder.context, builder.context.max_weight, carrier(builder)
    service = service_names(s.canary, builder.status)[1] if s.canary else ""
    takes = s.named(selected_hash(builder, service)) or _stable(builder)
    if now is None or takes is None or now is takes or not serving(now):
        return want
    avail = serving(takes)
    carried = scale.capacity(avail)
    if carried < top - want:
        builder.wait(
            wait_reasons.STABLE_SHORT.code,
            f"{takes.metadata.name} has {avail}/{s.replicas} ready pods: it takes over what they carry",
        )
    return min(recorded, max(want, top - carried))


def _wanted(builder: PlanBuilder, scale: ScalePlan) -> int:
    s, status, new = builder.context, builder.status, builder.context.new
    assert new is not None
    avail, steps = builder.available_not_evicted(new, new.status.available_replicas), len(s.steps)
    if promoted(status) or status.abort or avail == 0:
        return 0
    if by_hash(s.spec) and replaced_has_share(builder):
        return 0  # subsets change only while they have no share
    if status.promote_full:
        return scale.capacity(avail)
    if not steps:
        return 0
    index = status.current_step_index or 0
    if index >= steps:
        # A scale-down does not complete a held update, although all remaining pods are of the new version.
        whole = not frozen(builder) and scale.arrived(steps)
        want = s.max_weight if whole else last_weight(s.steps, steps)
    else:
        # While spec.paused stops a setWeight step, its weight is still written. A smaller weight needs no pods.
        asked, before = s.steps[index].set_weight, last_weight(s.steps, index)
        want = asked if asked is not None and (asked <= before or scale.arrived(index)) else before
    allowed = scale.allowed(new, index)
    if allowed < want:
        builder.wait(
            wait_reasons.PODS.code,
            f"the canary has {count(avail, 'ready pod')}: enough for weight {allowed}, not {want}",
        )
    return min(want, allowed)


def _write(builder: PlanBuilder, canary: CanaryStrategy, weight: int) -> bool:
    s, recorded = builder.context, builder.status.canary.weights
    wanted = _wanted_traffic(builder, canary, weight)
    snapshot = s.snapshot
    objects = Objects(wanted.namespace, snapshot.ingresses, snapshot.objects, snapshot.served, snapshot.read_back)
    answers = [used.route(wanted, objects) for used in routers_of(s.spec)]
    errors = [answer.error for answer in answers if answer.error]
    # If one router fails, no router gets a larger share. A smaller share is written wherever possible.
    rises = recorded is not None and weight > recorded.canary.weight
    written = [builder.act(action_of(write)) for a in answers for write in a.writes if not (errors and rises)]
    if errors:
        notices = [Event(notice.reason, notice.message, "Warning") for answer in answers for notice in answer.notices]
        builder.refuse(wait_reasons.ROUTING_FAILED.code, Event("TrafficRoutingError", errors[0], "Warning"), *notices)
        if _told(builder, errors[0]):
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
        if snapshot.read_back is not None:
            builder.unconfirmed = pending[0]
        return True
    _record(builder, canary, weight, wanted.canary_hash, _verified(answers))
    if builder.status.canary.weights and builder.status.canary.weights.verified is False:
        reasons = (answer.unverified for answer in answers if answer.unverified)
        builder.unconfirmed = next(reasons, f"the router does not confirm weight {weight} yet")
        builder.wait(wait_reasons.UNCONFIRMED.code, builder.unconfirmed)
        builder.requeue(s.now + VERIFY_SECONDS)
    return True


def _told(builder: PlanBuilder, error: str) -> bool:
    """Whether the stored status reports this error of a router already."""
    conditions = builder.context.rollout.status.conditions
    return any(c.type == "InvalidSpec" and error[:TOLD_BY] in c.message for c in conditions)


def _wanted_traffic(builder: PlanBuilder, canary: CanaryStrategy, weight: int) -> Traffic:
    s, meta, stable = builder.context, builder.context.rollout.metadata, _stable(builder)
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
        _routes(builder) if has == hash_of(s.new) else (),
        _managed(s, s.routing),
        additional(builder),
        additional_ports(builder),
        canary_ready=serving(carries) if carries else 0,
        stable_ready=serving(stable) if stable else 0,
        shared_hash=recorded.canary.pod_template_hash if recorded and recorded.canary.weight else "",
        stable_addresses=_addresses(builder, stable) if s.snapshot.read_back is not None else (),
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


def _verified(answers: Sequence[RouteResult]) -> bool | None:
    """False if one router does not confirm the weight; None if no router can confirm it."""
    told = [answer.verified for answer in answers if answer.verified is not None]
    return all(told) if told else None


def _routes(builder: PlanBuilder) -> tuple[Route, ...]:
    s, status = builder.context, builder.status
    serving = s.new is not None and s.new.status.available_replicas > 0
    if not s.routing or promoted(status) or status.abort or status.promote_full or not serving:
        return ()
    return set_by(s.steps[: (status.current_step_index or 0) + 1], s.routing)


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
