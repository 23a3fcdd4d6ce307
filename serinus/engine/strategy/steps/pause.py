"""`pause`: the update waits for a user, or for a time. Source: canary strategy, section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from serinus.api.meta import Json
from serinus.api.names import CANARY_PAUSE
from serinus.api.rollout import Pause, PauseCondition
from serinus.api.validation.findings import Finding, invalid
from serinus.api.values.durations import pause_seconds, with_unit
from serinus.api.values.times import format_deadline, parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.plan import Wait
from serinus.engine.core.step_kinds import StepKind, StepPlace, StepRun, StepStatus


class PauseStep(StepKind):
    field = "pause"
    alone = True
    stops_deadline = True

    def describe(self, part: Pause) -> str:
        return "pause" if part.duration is None else f"pause: {part.duration}"

    def words(self, part: Any) -> str:
        duration = cast(Json, part).get("duration") if isinstance(part, dict) else None
        return "pause until promoted" if duration is None else f"pause for {with_unit(duration)}"

    def validate(self, part: Pause, place: StepPlace) -> Iterator[Finding]:
        if part.duration is None:
            return
        try:
            seconds = pause_seconds(part.duration)
        except ValueError:
            seconds = -1
        if seconds < 0:
            yield invalid(f"{place.path}.pause.duration", int(seconds), "Duration needs to be greater than 0")

    def complete(self, part: Pause, run: StepRun) -> bool:
        builder, status = run.builder, run.builder.status
        begun = next((p for p in status.pause_conditions if p.reason == CANARY_PAUSE), None)
        if begun is None:
            if status.controller_pause:  # a user removed the condition: the update was resumed
                status.controller_pause = False
                return True
            begun = PauseCondition(CANARY_PAUSE, format_deadline(builder.context.now))
            status.pause_conditions.append(begun)
            status.controller_pause = True
            builder.record_event("RolloutPaused", f"Rollout is paused ({CANARY_PAUSE})")
        start = parse_time(begun.start_time) or builder.context.now
        wait = pause_wait(part, run.index, len(builder.context.steps), start)
        if wait.until is None or builder.context.now < wait.until:
            builder.add_wait(wait)
            return False
        return True

    def reason(self, part: Pause, known: StepStatus) -> Wait | None:
        return pause_wait(part, known.index, known.count, known.begun)


KIND = PauseStep()


def pause_wait(pause: Pause, index: int, count: int, begun: float | None) -> Wait:
    """The wait of a pause step. `index` counts from 0 in `count` steps; `begun` is in seconds since the epoch."""
    place = f"step {index + 1} of {count}"
    if pause.duration is None:
        return Wait(wait_reasons.PAUSE_STEP.code, f"{place} waits until it is promoted", since=begun)
    until = None if begun is None else begun + pause_seconds(pause.duration)
    text = f"{place} pauses for {with_unit(pause.duration)}"
    return Wait(wait_reasons.TIMED_PAUSE.code, text, since=begun, until=until)
