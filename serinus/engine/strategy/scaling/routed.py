"""Sizes with a router: the step's sizes, the pods that weights need, and scale-down.

Source: canary strategy, sections 2 and 5.
"""

from __future__ import annotations

from serinus.api.messages.counted import counted
from serinus.api.names import REVISION_HISTORY, SCALE_DOWN_DEADLINE
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of, revision_of
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import references, selected_hash
from serinus.engine.status import scale_down_delay
from serinus.engine.status.conditions import promoted
from serinus.engine.strategy.scaling.scale_plan import ScalePlan
from serinus.engine.strategy.step_walk import StepState
from serinus.routing.registry import by_hash

DEFAULT_ABORT_DELAY = 30

DRAIN = 2
"""Seconds for which pods stay after traffic has left them, if no longer delay is set. Gateways follow within a fraction
of one, and running requests must end."""


def resize_routed(builder: PlanBuilder, scale: ScalePlan, step: StepState) -> None:
    """Plan the sizes of the step, as far as the traffic of each version allows, and retire superseded versions."""
    s, status, new, stable = builder.context, builder.status, builder.context.new, scale.stable
    assert new is not None
    want = scale.targets(step.index)
    if stable and scale.canary.dynamic_stable_scale:
        follow_traffic(builder, stable, want.stable)
    elif stable:
        builder.scale(stable, want.stable, f"the stable version has {counted(want.stable, 'pod')}")
    if status.abort and stable:
        _retire_aborted(builder, scale, new, stable, want.new)
    else:
        size = scale.carrying(want).new
        _resize_new(builder, new, size, _why(builder, scale, size, step.index))
    old = [r for r in s.others if r is not stable and builder.size(r)]
    if old:
        _retire_superseded(builder, scale, old)


def _retire_superseded(builder: PlanBuilder, scale: ScalePlan, old: list[ReplicaSet]) -> None:
    """Scale down versions that nothing refers to any more, each after its delay."""
    s, status, stable = builder.context, builder.status, scale.stable
    leading = references(builder)
    free = sorted((r for r in old if hash_of(r) not in leading), key=revision_of, reverse=True)
    updating = not promoted(status)
    for rs in free if updating else ():
        if not rs.status.ready_replicas and not rs.status.available_replicas:
            scale_down_delay.empty(builder, rs, "a newer version has taken its place and none of its pods serves")

    def delay(rs: ReplicaSet) -> int:
        if scale.canary.dynamic_stable_scale:
            return DRAIN
        # A replaced canary lost its weight when the newer one appeared, so only running requests must end. A version
        # that was stable until now has a lower number than the stable one. One with a revision history may have been
        # stable, and may have returned within its delay.
        replaced = (
            updating
            and stable is not None
            and revision_of(rs) > revision_of(stable)
            and REVISION_HISTORY not in rs.metadata.annotations
        )
        return max(least, min(s.scale_down_delay, DRAIN) if replaced else s.scale_down_delay)

    # No Service has moved away from a version that a router selects by its hash: gateways may receive its weight later.
    least = DRAIN if by_hash(s.spec) else 0
    limit = scale.canary.scale_down_delay_revision_limit
    scale_down_delay.retire(builder, free, delay=delay, limit=limit, least=least)


def _resize_new(builder: PlanBuilder, new: ReplicaSet, size: int, because: str) -> None:
    """The last pods stay for DRAIN after their weight: gateways receive weights and pods in any order."""
    serves = new.status.ready_replicas and builder.size(new) and builder.context.replicas
    written, stored = builder.status.canary.weights, builder.context.rollout.status.canary.weights
    if size or not serves:
        scale_down_delay.drop_deadline(builder, new)
        builder.scale(new, size, because)
    elif written != stored or not scale_down_delay.has_deadline(new):
        scale_down_delay.set_deadline(builder, new, DRAIN, f"{because}, and some may still be at work")
    elif scale_down_delay.passed(builder, new):
        builder.scale(new, 0, because, annotations={SCALE_DOWN_DEADLINE: None})


def follow_traffic(builder: PlanBuilder, stable: ReplicaSet, want: int) -> None:
    """dynamicStableScale: scale up at once; scale down DRAIN seconds after the last change of weights."""
    written, stored = builder.status.canary.weights, builder.context.rollout.status.canary.weights
    if want + builder.spare.get(stable.metadata.name, 0) >= builder.size(stable):
        scale_down_delay.drop_deadline(builder, stable)
        builder.scale(stable, want, f"the stable version has {counted(want, 'pod')}")
    elif written != stored or not scale_down_delay.has_deadline(stable):
        scale_down_delay.set_deadline(
            builder, stable, DRAIN, f"its weight needs {counted(want, 'pod')}, and some may still be at work"
        )
    elif scale_down_delay.passed(builder, stable):
        notes = {SCALE_DOWN_DEADLINE: None}
        builder.scale(
            stable, want, f"its weight needs {counted(want, 'pod')}, and the others have drained", annotations=notes
        )


def _why(builder: PlanBuilder, scale: ScalePlan, size: int, index: int) -> str:
    s = builder.context
    if promoted(builder.status):
        return f"{counted(s.replicas, 'replica')} wanted"
    where = f"step {index + 1}/{len(s.steps)}" if index < len(s.steps) else "the end of the steps"
    return f"{where} wants {counted(size, 'pod')} of the new version (weight {scale.weight(index)})"


def _retire_aborted(builder: PlanBuilder, scale: ScalePlan, new: ReplicaSet, stable: ReplicaSet, want: int) -> None:
    """Scale down the aborted version once it has no traffic, its delay has passed, and the stable one carries all."""
    s, canary = builder.context, scale.canary
    weights = s.rollout.status.canary.weights
    service = service_names(canary, builder.status)[0]
    drained = (weights is None or weights.canary.weight == 0) and selected_hash(builder, service) != hash_of(new)
    delay = canary.abort_scale_down_delay_seconds
    delay = (DRAIN if canary.dynamic_stable_scale else DEFAULT_ABORT_DELAY) if delay is None else delay
    size = builder.size(new)
    if not drained or stable.status.available_replicas < s.replicas:
        builder.wait(
            wait_reasons.ABORTED.code,
            f"the aborted version keeps its {counted(size, 'pod')} until the stable one has all of the traffic",
        )
        builder.scale(new, max(size, want), "aborted: sizes follow the traffic")
    elif delay == 0 and by_hash(s.spec):
        # No Service has moved away from it: gateways may not have received the weight yet.
        _resize_new(builder, new, want, "aborted: no traffic leads to it and no delay is wanted")
    elif delay == 0:
        builder.scale(new, want, "aborted: no traffic leads to it and no delay is wanted")
    elif size > 0 and not scale_down_delay.has_deadline(new):
        scale_down_delay.set_deadline(builder, new, delay, "the update was aborted and its traffic is gone")
    elif size > 0 and scale_down_delay.passed(builder, new):
        builder.scale(new, 0, "aborted: its scale-down delay has passed")
