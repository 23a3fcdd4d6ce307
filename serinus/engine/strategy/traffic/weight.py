"""The weight of the canary in this pass: that of the step, as far as pods can carry it.

Source: canary strategy, section 4.
"""

from __future__ import annotations

from serinus.api.messages.counted import counted
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of, serving
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import carrier, replaced_has_share, selected_hash
from serinus.engine.status.conditions import promoted
from serinus.engine.strategy.scaling.scale_plan import ScalePlan, frozen
from serinus.engine.strategy.step_walk import StepState
from serinus.engine.strategy.steps.set_weight import last_weight
from serinus.engine.strategy.traffic.reach import stable_version
from serinus.routing.registry import by_hash


def decide(builder: PlanBuilder, scale: ScalePlan, step: StepState, recorded: int | None) -> int | None:
    """The weight to write now; None before the first weight is due. `recorded`: the weight in the status."""
    s, status, top = builder.context, builder.status, builder.context.max_weight
    stable, new = stable_version(builder), s.new
    assert new is not None
    want = min(_of_step(builder, scale, step), top)
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
    takes = s.named(selected_hash(builder, service)) or stable_version(builder)
    if now is None or takes is None or now is takes or not serving(now):
        return want
    avail = serving(takes)
    carried = scale.capacity(avail)
    if carried < top - want:
        builder.wait(
            wait_reasons.STABLE_SHORT.code,
            f"{takes.metadata.name} has {avail}/{s.replicas} ready pods: it takes over what they carry",
        )
    remaining, weights = top - carried, s.rollout.status.canary.weights
    if weights and weights.canary.pod_template_hash not in ("", hash_of(now)):
        # The recorded weight is another version's. The Service moved to this one with no more than its pods carry, so
        # there is no larger share to keep.
        remaining = min(remaining, scale.capacity(builder.available_not_evicted(now, serving(now))))
    return min(recorded, max(want, remaining))


def _of_step(builder: PlanBuilder, scale: ScalePlan, step: StepState) -> int:
    """The weight that the step, the end of the steps or a command wants, as far as the new version's pods carry it."""
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
    if step.step is None:
        # A scale-down does not complete a held update, although all remaining pods are of the new version.
        whole = not frozen(builder) and scale.arrived(steps)
        want = s.max_weight if whole else last_weight(s.steps, steps)
    else:
        # While spec.paused stops a setWeight step, its weight is still written. A smaller weight needs no pods.
        asked, before = step.step.set_weight, last_weight(s.steps, step.index)
        want = asked if asked is not None and (asked <= before or scale.arrived(step.index)) else before
    allowed = scale.allowed(new, step.index)
    if allowed < want:
        builder.wait(
            wait_reasons.PODS.code,
            f"the canary has {counted(avail, 'ready pod')}: enough for weight {allowed}, not {want}",
        )
    return min(want, allowed)
