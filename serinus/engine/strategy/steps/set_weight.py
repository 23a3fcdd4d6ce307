"""`setWeight`: the share of the requests that the new version gets. Source: canary strategy, section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.rollout import CanaryStep
from serinus.api.validation.findings import Finding, invalid
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.step_kinds import StepKind, StepPlace, StepRun
from serinus.engine.strategy.steps.set_canary_scale import sizes_arrived
from serinus.routing.registry import routers_of


class SetWeight(StepKind):
    field = "setWeight"
    alone = True

    def describe(self, part: int) -> str:
        return f"setWeight: {part}"

    def words(self, part: Any) -> str:
        return f"set the weight to {part} %"

    def validate(self, part: int, place: StepPlace) -> Iterator[Finding]:
        routing = place.routing
        most = 100 if routing is None or routing.max_traffic_weight is None else routing.max_traffic_weight
        if not 0 <= part <= most:
            yield invalid(f"{place.path}.setWeight", part, f"SetWeight needs to be between 0 and {most}")

    def complete(self, part: int, run: StepRun) -> bool:
        return sizes_arrived(run, self.describe(part)) and _confirmed(run.builder, part)


KIND = SetWeight()


def last_weight(steps: list[CanaryStep], end: int) -> int:
    """The weight of the last setWeight among the first `end` steps, else 0."""
    return next((s.set_weight for s in reversed(steps[: max(0, end)]) if s.set_weight is not None), 0)


def _confirmed(builder: PlanBuilder, weight: int) -> bool:
    """Whether each router that can confirm the weight does so. The code that writes the weight adds the wait."""
    asks = builder.context.snapshot.gateway is not None
    routers = [used.router.capabilities for used in routers_of(builder.context.spec)]
    if not any(router.verifies or (asks and router.reads_gateway) for router in routers):
        return True
    weights = builder.status.canary.weights
    return weights is not None and weights.canary.weight == weight and weights.verified is not False
