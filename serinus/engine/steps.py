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
from serinus.engine import analyses, experiments, step_plugins, waits
from serinus.engine.analysis_runs import STEP
from serinus.engine.draft import Draft
from serinus.engine.promotion import end_pauses
from serinus.engine.told import step_pause
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


def walk(draft: Draft, arrived: Callable[[int], bool]) -> None:
    """Move `status.currentStepIndex` over what is complete. `arrived(i)`: the ReplicaSets are as step i wants them.

    Never over two setWeights at once: each is written before the next is looked at.
    """
    steps = draft.sight.steps
    weighed: int | None = None
    """How many Events there were before the setWeight step completed: it and what follows come after its weight."""
    _leave_pause(draft)
    while (index := draft.status.current_step_index or 0) < len(steps):
        step = steps[index]
        if weighed is not None and step.pause is None:
            break
        told = len(draft.events)
        if not _complete(draft, step, index, arrived):
            break
        if weighed is None and step.set_weight is not None:
            weighed = told
        draft.status.current_step_index = index + 1
        draft.tell("RolloutStepCompleted", f"Rollout step {index + 1}/{len(steps)} completed ({describe(step)})")
        if step.pause is not None:
            end_pauses(draft, CANARY_PAUSE)
    if weighed is not None:
        draft.hold_back(weighed)


def _complete(draft: Draft, step: CanaryStep, index: int, arrived: Callable[[int], bool]) -> bool:
    if step.pause is not None:
        return _pause_over(draft, step, index)
    if step.set_weight is not None or step.set_canary_scale is not None:
        if not arrived(index):
            draft.wait(waits.PODS.code, _pods(draft, index), next_=describe(step))
            return False
        return step.set_weight is None or _confirmed(draft, step.set_weight)
    if step.set_header_route is not None or step.set_mirror_route is not None:
        return True
    if step.analysis is not None:
        if analyses.want(draft, STEP, step.analysis, index) == SUCCESSFUL:
            analyses.forget(draft, STEP)
            return True
        analyses.wait_for(draft, STEP, f"step {index + 1}")
        return False
    if step.plugin is not None:
        return step_plugins.complete(draft, step, index)
    return step.experiment is None or experiments.complete(draft, step, index)


def _pods(draft: Draft, index: int) -> str:
    new = draft.sight.new
    ready = new.status.available_replicas if new else 0
    return f"step {index + 1}: canary has {ready}/{draft.size(new)} ready pods"


def _confirmed(draft: Draft, weight: int) -> bool:
    """Whether no router that can tell is missing the weight. The wait for it is told where the weight is written."""
    if not any(used.router.capabilities.verifies for used in routers_of(draft.sight.spec)):
        return True
    weights = draft.status.canary.weights
    return weights is not None and weights.canary.weight == weight and weights.verified is not False


def _leave_pause(draft: Draft) -> None:
    """A pause that somebody stepped over has ended: the next one has its own time."""
    steps, index = draft.sight.steps, draft.status.current_step_index or 0
    if index >= len(steps) or steps[index].pause is None:
        end_pauses(draft, CANARY_PAUSE)


def _pause_over(draft: Draft, step: CanaryStep, index: int) -> bool:
    assert step.pause is not None
    status = draft.status
    begun = next((p for p in status.pause_conditions if p.reason == CANARY_PAUSE), None)
    if begun is None:
        if status.controller_pause:  # the condition was taken away: a person resumed
            status.controller_pause = False
            return True
        begun = PauseCondition(CANARY_PAUSE, format_deadline(draft.sight.now))
        status.pause_conditions.append(begun)
        status.controller_pause = True
        draft.tell("RolloutPaused", f"Rollout is paused ({CANARY_PAUSE})")
    start = parse_time(begun.start_time) or draft.sight.now
    held = step_pause(index, len(draft.sight.steps), step.pause.duration, start)
    if held.until is None or draft.sight.now < held.until:
        draft.hold(held)
        return False
    return True
