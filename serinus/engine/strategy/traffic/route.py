"""The stage of traffic in a pass: the weight of the canary, and the selectors of both Services.

A weight rises only when its Service selects enough pods, so Services move first. A lower weight is written before any
other change. Source: canary strategy, sections 4 and 8; traffic routing, section 10.
"""

from __future__ import annotations

from serinus.api.rollout import CanaryStrategy
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import references
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext, hash_of, serving
from serinus.engine.core.plan import HeldWrite
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import point, selected_hash
from serinus.engine.strategy.scaling.scale_plan import ScalePlan
from serinus.engine.strategy.step_walk import StepState
from serinus.engine.strategy.steps.set_weight import last_weight
from serinus.engine.strategy.traffic.reach import stable_version
from serinus.engine.strategy.traffic.weight import decide
from serinus.engine.strategy.traffic.write import write
from serinus.routing.router import ANY


def route(builder: PlanBuilder, scale: ScalePlan, step: StepState) -> bool:
    """Plan Services and the weight of the step. False if a router refused, which ends the pass."""
    s, canary = builder.context, builder.context.canary
    assert canary is not None
    weights = builder.status.canary.weights
    recorded = weights.canary.weight if weights else None
    weight = decide(builder, scale, step, recorded) if s.routing else None
    # The status may lack the last weight. So weight 0 is written before any other change, whatever weight it records.
    if weight is not None and recorded is not None and (weight < recorded or not weight):
        if not write(builder, canary, weight, step):
            return False
        _services(builder, canary, scale, step)
        return True
    led = _services(builder, canary, scale, step)
    if s.routing is None:
        builder.status.canary.weights = None
    if weight and weight > (recorded or 0) and led not in (None, hash_of(s.new)):
        weight = recorded or 0  # more only once its Service selects the new version: a wait gives the reason
    return weight is None or write(builder, canary, weight, step)


def held_routing(s: RolloutContext) -> list[HeldWrite]:
    """Held writes to routers and Services: the routing of the last step is not in force."""
    leading = references.router_objects(s.rollout) | {("Service", name) for name in references.services(s.rollout)}
    return [
        one
        for one in s.snapshot.held
        if s.now < one.until and ((one.kind, one.name) in leading or (one.kind, ANY) in leading)
    ]


def _services(builder: PlanBuilder, canary: CanaryStrategy, scale: ScalePlan, step: StepState) -> str | None:
    """The revision that the canary Service selects after this pass; None if unknown."""
    s, stable = builder.context, stable_version(builder)
    canary_service, stable_service = service_names(canary, builder.status)
    if stable_service:
        taken = scale.takes_over(step.index)
        point(builder, stable_service, s.new if taken else stable, role="new version" if taken else "stable version")
    back = builder.status.abort
    target = stable if back else s.new
    if canary_service and not _more_than_carried(builder, scale, step, canary_service, target):
        led = point(
            builder,
            canary_service,
            target,
            role="stable version, the update being aborted," if back else "new version",
            in_use=s.routing is not None and not back and target is not stable,
        )
        return led if canary_service in s.snapshot.services else None
    return None


def _more_than_carried(
    builder: PlanBuilder, scale: ScalePlan, step: StepState, service: str, target: ReplicaSet | None
) -> bool:
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
    able = scale.capacity(builder.available_not_evicted(target, serving(target)))
    if target is s.new and share <= last_weight(s.steps, step.index + 1):
        able = max(able, scale.allowed(target, step.index))  # the steps ask for this share, with a size set by hand
    return share > able
