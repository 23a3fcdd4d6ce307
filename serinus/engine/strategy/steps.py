"""The steps of a canary: which is the current one, when it is complete, and what it asks of weight and size.

Source: canary strategy, section 3. A pass may complete a step and begin the pause after it, so that nobody sees a state in
between that means nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from serinus.analysis.phases import SUCCESSFUL
from serinus.api.names import CANARY_PAUSE
from serinus.api.rollout import CanaryStep, PauseCondition, SetCanaryScale
from serinus.api.times import format_deadline, parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.analysis_runs import STEP
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.judging import analyses, experiments, step_plugins
from serinus.engine.status.promotion import end_pauses
from serinus.engine.status.status_reason import step_pause
from serinus.routing.registry import routers_of


def last_weight(steps: list[CanaryStep], end: int) -> int:
    """The weight of the last setWeight among the first `end` steps, else 0."""
    return next((s.set_weight for s in reversed(steps[: max(0, end)]) if s.set_weight is not None), 0)


def active_scale(steps: list[CanaryStep], index: int) -> SetCanaryScale | None:
    """The setCanaryScale in force at the step `index`; none once the steps are done or the weight rules again."""
    if index >= len(steps):
        return None
    scale = next((s.set_canary_scale for s in reversed(steps[: index + 1]) if s.set_canary_scale is not None), None)
    return None if scale is None or scale.match_traffic_weight else scale


def describe(step: CanaryStep) -> str:
    """As the event RolloutStepCompleted names it."""
    if step.set_weight is not None:
        return f"setWeight: {step.set_weight}"
    if step.pause is not None:
        return "pause" if step.pause.duration is None else f"pause: {step.pause.duration}"
    if step.set_canary_scale is not None:
        scale = step.set_canary_scale
        return (
            "setCanaryScale{matchTrafficWeight: true}"
            if scale.match_traffic_weight
            else f"setCanaryScale{{replicas: {scale.replicas}}}"
            if scale.replicas is not None
            else f"setCanaryScale{{weight: {scale.weight}}}"
        )
    if step.set_header_route is not None:
        return f"setHeaderRoute: {step.set_header_route.name}"
    if step.set_mirror_route is not None:
        return f"setMirrorRoute: {step.set_mirror_route.name}"
    if step.plugin is not None:
        return f"plugin: {step.plugin.name}"
    return "experiment" if step.experiment is not None else "analysis"


def walk(builder: PlanBuilder, arrived: Callable[[int], bool]) -> None:
    """Move `status.currentStepIndex` over what is complete. `arrived(i)`: the ReplicaSets are as step i wants them.

    Never over two setWeights at once: each is written before the next is looked at.
    """
    steps = builder.context.steps
    weighed: int | None = None
    """How many Events there were before the setWeight step completed: it and what follows come after its weight."""
    _leave_pause(builder)
    while (index := builder.status.current_step_index or 0) < len(steps):
        step = steps[index]
        if weighed is not None and step.pause is None:
            break
        told = len(builder.events)
        if not _complete(builder, step, index, arrived):
            break
        if weighed is None and step.set_weight is not None:
            weighed = told
        builder.status.current_step_index = index + 1
        builder.record_event(
            "RolloutStepCompleted", f"Rollout step {index + 1}/{len(steps)} completed ({describe(step)})"
        )
        if step.pause is not None:
            end_pauses(builder, CANARY_PAUSE)
    if weighed is not None:
        builder.hold_events(weighed)


def _complete(builder: PlanBuilder, step: CanaryStep, index: int, arrived: Callable[[int], bool]) -> bool:
    if step.pause is not None:
        return _pause_over(builder, step, index)
    if step.set_weight is not None or step.set_canary_scale is not None:
        if not arrived(index):
            builder.wait(wait_reasons.PODS.code, _pods(builder, index), next_=describe(step))
            return False
        return step.set_weight is None or _confirmed(builder, step.set_weight)
    if step.set_header_route is not None or step.set_mirror_route is not None:
        return True
    if step.analysis is not None:
        if analyses.want(builder, STEP, step.analysis, index) == SUCCESSFUL:
            analyses.forget(builder, STEP)
            return True
        analyses.wait_for(builder, STEP, f"step {index + 1}")
        return False
    if step.plugin is not None:
        return step_plugins.complete(builder, step, index)
    return step.experiment is None or experiments.complete(builder, step, index)


def _pods(builder: PlanBuilder, index: int) -> str:
    new = builder.context.new
    ready = new.status.available_replicas if new else 0
    return f"step {index + 1}: canary has {ready}/{builder.size(new)} ready pods"


def _confirmed(builder: PlanBuilder, weight: int) -> bool:
    """Whether no router that can tell is missing the weight. The wait for it is told where the weight is written."""
    if not any(used.router.capabilities.verifies for used in routers_of(builder.context.spec)):
        return True
    weights = builder.status.canary.weights
    return weights is not None and weights.canary.weight == weight and weights.verified is not False


def _leave_pause(builder: PlanBuilder) -> None:
    """A pause that somebody stepped over has ended: the next one has its own time."""
    steps, index = builder.context.steps, builder.status.current_step_index or 0
    if index >= len(steps) or steps[index].pause is None:
        end_pauses(builder, CANARY_PAUSE)


def _pause_over(builder: PlanBuilder, step: CanaryStep, index: int) -> bool:
    assert step.pause is not None
    status = builder.status
    begun = next((p for p in status.pause_conditions if p.reason == CANARY_PAUSE), None)
    if begun is None:
        if status.controller_pause:  # the condition was taken away: a person resumed
            status.controller_pause = False
            return True
        begun = PauseCondition(CANARY_PAUSE, format_deadline(builder.context.now))
        status.pause_conditions.append(begun)
        status.controller_pause = True
        builder.record_event("RolloutPaused", f"Rollout is paused ({CANARY_PAUSE})")
    start = parse_time(begun.start_time) or builder.context.now
    held = step_pause(index, len(builder.context.steps), step.pause.duration, start)
    if held.until is None or builder.context.now < held.until:
        builder.hold(held)
        return False
    return True
