"""`setCanaryScale`: the new version's number of pods, independent of its weight. Source: canary strategy, section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from serinus.api.messages.counted import counted
from serinus.api.meta import Json
from serinus.api.rollout import CanaryStep, SetCanaryScale
from serinus.api.validation.findings import Finding, required
from serinus.engine.core import wait_reasons
from serinus.engine.core.step_kinds import StepKind, StepPlace, StepRun


class Scale(StepKind):
    field = "setCanaryScale"

    def describe(self, part: SetCanaryScale) -> str:
        if part.match_traffic_weight:
            return "setCanaryScale{matchTrafficWeight: true}"
        if part.replicas is not None:
            return f"setCanaryScale{{replicas: {part.replicas}}}"
        return f"setCanaryScale{{weight: {part.weight}}}"

    def words(self, part: Any) -> str:
        scale: Json = cast(Json, part) if isinstance(part, dict) else {}
        if scale.get("matchTrafficWeight"):
            return "scale the canary with its weight"
        if scale.get("replicas") is not None:
            return f"scale the canary to {counted(scale['replicas'], 'pod')}"
        return f"scale the canary to {scale.get('weight')} %"

    def validate(self, part: SetCanaryScale, place: StepPlace) -> Iterator[Finding]:
        if place.routing is None:
            yield required("spec.strategy.trafficRouting", "SetCanaryScale requires TrafficRouting to be set")

    def complete(self, part: SetCanaryScale, run: StepRun) -> bool:
        return sizes_arrived(run, self.describe(part))


KIND = Scale()


def active_scale(steps: list[CanaryStep], index: int) -> SetCanaryScale | None:
    """The setCanaryScale in force at the step `index`; None after the last step, and once the weight decides again."""
    if index >= len(steps):
        return None
    scale = next((s.set_canary_scale for s in reversed(steps[: index + 1]) if s.set_canary_scale is not None), None)
    return None if scale is None or scale.match_traffic_weight else scale


def sizes_arrived(run: StepRun, next_: str) -> bool:
    """Whether the ReplicaSets have the sizes of the step. If not, the pass waits for pods, and then for `next_`."""
    if run.arrived(run.index):
        return True
    builder, new = run.builder, run.builder.context.new
    ready = new.status.available_replicas if new else 0
    pods = f"{run.place}: canary has {ready}/{builder.size(new)} ready pods"
    builder.wait(wait_reasons.PODS.code, pods, next_=next_)
    return False
