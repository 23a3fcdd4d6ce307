"""Sizes without a router: pods divide the traffic, within maxSurge and maxUnavailable.

Source: canary strategy, section 2.
"""

from __future__ import annotations

from serinus.api.messages.counted import counted
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.replicasets.replicas import trim_others
from serinus.engine.strategy.scaling.scale_plan import ScalePlan, count_of
from serinus.engine.strategy.step_walk import StepState


def resize_basic(builder: PlanBuilder, scale: ScalePlan, step: StepState) -> None:
    """Plan the next sizes towards those of the step."""
    s, new, stable = builder.context, builder.context.new, scale.stable
    assert new is not None
    if builder.missing(new):
        if stable:
            builder.scale(
                stable, s.replicas, f"the stable version has {counted(s.replicas, 'pod')}: there is no other yet"
            )
        return
    want = scale.targets(step.index)
    if stable:
        if want.keeps_stable_pod:
            name = scale.canary.stable_service
            builder.wait(
                wait_reasons.SERVICE.code, f"{stable.metadata.name} keeps a pod until Service {name} has moved"
            )
        builder.scale(stable, want.stable, f"pods of both versions divide the traffic: {want.stable} of the stable one")
    builder.scale(new, want.new, f"pods of both versions divide the traffic: {want.new} of the new one")
    trim(builder, scale)


def trim(builder: PlanBuilder, scale: ScalePlan) -> None:
    """Scale down superseded versions without a router, as far as maxUnavailable allows."""
    s = builder.context
    others = [r for r in s.others if r is not scale.stable]
    if any(builder.size(r) for r in others):
        # Pods above a ReplicaSet's size are ending, although its status still counts them. So are evicted ones.
        total = sum(min(of.size, of.avail) for of in (count_of(builder, r) for r in s.sets))
        for rs, size in zip(
            others,
            trim_others(
                tuple(count_of(builder, r, ready=True) for r in others), total, s.replicas - scale.limits.unavailable
            ),
            strict=True,
        ):
            builder.scale(rs, size, "a newer version has taken its place")
