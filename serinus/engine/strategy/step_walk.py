"""The walk over the steps of a canary, which determines the current step.

A pass may complete a step and begin the pause after it, so that no intermediate state is visible. Source: canary
strategy, section 3.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from serinus.api.names import CANARY_PAUSE
from serinus.api.rollout import CanaryStep
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.step_kinds import StepRun, deciding, describe
from serinus.engine.status.promotion import end_pauses


class StepState(msgspec.Struct, frozen=True):
    """The position of an update in this pass. `step`: None at the end of the steps, where `index` is their number."""

    index: int
    step: CanaryStep | None


def step_state(builder: PlanBuilder) -> StepState:
    """The position that the status of this pass has now."""
    steps, index = builder.context.steps, builder.status.current_step_index or 0
    return StepState(index, steps[index] if index < len(steps) else None)


def walk(builder: PlanBuilder, arrived: Callable[[int], bool]) -> None:
    """Move `status.currentStepIndex` over complete steps. `arrived(i)`: whether ReplicaSets have the sizes of step i.

    It passes at most one setWeight: each weight is written before the next one is decided.
    """
    steps = builder.context.steps
    weighed: int | None = None
    """The number of Events before the completion of setWeight. Its Event and later ones follow that of the weight."""
    _leave_pause(builder)
    while (index := builder.status.current_step_index or 0) < len(steps):
        step = steps[index]
        if weighed is not None and step.pause is None:
            break
        events, part = len(builder.events), deciding(step)
        if part is not None and not part[0].complete(part[1], StepRun(builder, step, index, arrived)):
            break
        if weighed is None and step.set_weight is not None:
            weighed = events
        builder.status.current_step_index = index + 1
        builder.record_event(
            "RolloutStepCompleted", f"Rollout step {index + 1}/{len(steps)} completed ({describe(step)})"
        )
        if step.pause is not None:
            end_pauses(builder, CANARY_PAUSE)
    if weighed is not None:
        builder.hold_events(weighed)


def _leave_pause(builder: PlanBuilder) -> None:
    """End the pause of a step that a user skipped: the next pause has its own time."""
    step = step_state(builder).step
    if step is None or step.pause is None:
        end_pauses(builder, CANARY_PAUSE)
