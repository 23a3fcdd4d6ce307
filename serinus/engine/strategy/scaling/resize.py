"""The stage of sizes in a pass over a canary: the desired size of each version, compared with its observed size."""

from __future__ import annotations

from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.replicasets.services import has_requests
from serinus.engine.status import scale_down_delay
from serinus.engine.strategy.scaling.basic import resize_basic
from serinus.engine.strategy.scaling.held import follow_replicas
from serinus.engine.strategy.scaling.routed import resize_routed
from serinus.engine.strategy.scaling.scale_plan import ScalePlan, frozen
from serinus.engine.strategy.step_walk import StepState


def resize(builder: PlanBuilder, scale: ScalePlan, step: StepState) -> None:
    """Plan sizes: the stable version first, then the new one, then superseded ones. A frozen update keeps its own."""
    _keep_in_use(builder, scale)
    if frozen(builder):
        if builder.context.spec.paused:
            builder.wait(wait_reasons.PAUSED.code, "spec.paused is true: the update stays where it is")
        follow_replicas(builder, scale)
    elif builder.context.routing is None:
        resize_basic(builder, scale, step)
    else:
        resize_routed(builder, scale, step)


def _keep_in_use(builder: PlanBuilder, scale: ScalePlan) -> None:
    """Remove the old deadline of a version that is in use again. It would have passed when another version replaces it.

    With a router, the deadlines of the new version follow its weight, except while the update is frozen. With
    dynamicStableScale, so do those of the stable one. The deadline of a replaced version starts when its traffic has left.
    """
    s = builder.context
    if s.new is not None and (not s.routing or (frozen(builder) and not builder.status.abort)):
        scale_down_delay.drop_deadline(builder, s.new)
    if scale.stable and not (s.routing and scale.canary.dynamic_stable_scale):
        scale_down_delay.drop_deadline(builder, scale.stable)
    for rs in s.others if s.routing else ():
        if rs is not scale.stable and scale_down_delay.has_deadline(rs) and has_requests(builder, rs):
            scale_down_delay.drop_deadline(builder, rs)
