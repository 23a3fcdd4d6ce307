"""The walk over the steps of a canary, which determines the current step.

A pass may complete a step and begin the pause after it, so that no intermediate state is visible. Source: canary
strategy, section 3.
"""

from __future__ import annotations

from collections.abc import Callable

from serinus.api.names import CANARY_PAUSE
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.step_kinds import StepRun, deciding, describe
from serinus.engine.status.promotion import end_pauses


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
        before, found = len(builder.events), deciding(step)
        if found is not None and not found[0].complete(found[1], StepRun(builder, step, index, arrived)):
            break
        if weighed is None and step.set_weight is not None:
            weighed = before
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
    steps, index = builder.context.steps, builder.status.current_step_index or 0
    if index >= len(steps) or steps[index].pause is None:
        end_pauses(builder, CANARY_PAUSE)
