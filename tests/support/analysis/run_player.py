"""Runs AnalysisRuns on plain values: a provider that answers from a script, a clock that jumps to the next due time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serinus.analysis.arguments import secret_names
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.phases import COMPLETED, ERROR
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import Assessed, MetricMeasurement, RunEvent, assess, failed
from serinus.analysis.schedule import Task, tasks
from serinus.analysis.verdicts import judged
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec, Measurement
from serinus.api.meta import ObjectMeta
from serinus.api.values.times import format_time

START = 1_790_000_000.4
Answers = Mapping[str, list[Any]]
"""metric -> its provider's answers, one after the other; the last one for ever. An Exception is an error."""


def made(spec: dict[str, Any]) -> AnalysisRun:
    return AnalysisRun(ObjectMeta(name="run", namespace="ns", uid="u"), msgspec.convert(spec, AnalysisRunSpec))


@dataclass
class Player:
    run: AnalysisRun
    answers: Answers = field(default_factory=dict[str, list[Any]])
    secrets: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict[str, Any])
    now: float = START
    due: Mapping[str, float] = field(default_factory=dict[str, float])
    asked: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """(seconds since the start, metric) of each measurement."""
    events: list[RunEvent] = field(default_factory=list[RunEvent])
    forgetful: bool = False
    """Exact times are lost after each pass, as after a restart."""
    hook: Callable[[Task], Measurement | None] = lambda _task: None
    next: float | None = None

    def turn(self) -> Assessed:
        """One pass."""
        assert set(secret_names(self.run.spec.args)) <= set(self.secrets)
        try:
            resolved = resolve(self.run.spec, self.secrets)
        except AnalysisProblem as problem:
            return self._after(failed(self.run, str(problem)))
        due = {} if self.forgetful else self.due
        measured = [self._measured(task) for task in tasks(self.run, resolved, self.now, due)]
        return self._after(assess(self.run, resolved, measured, self.now, due))

    def play(self, turns: int = 50) -> AnalysisRun:
        """Passes until the run is completed, nothing is due, or the given number is reached."""
        for _ in range(turns):
            self.turn()
            if self.run.status.phase in COMPLETED or self.next is None:
                break
            self.now = max(self.now, self.next)
        return self.run

    def _after(self, found: Assessed) -> Assessed:
        self.run = msgspec.structs.replace(self.run, status=found.status)
        self.events += found.events
        self.due, self.next = found.due, found.next
        return found

    def _measured(self, task: Task) -> MetricMeasurement:
        hooked = self.hook(task)
        if hooked is not None:
            return MetricMeasurement(task, hooked, self.now)
        self.asked.append((round(self.now - START, 3), task.metric.name))
        script = self.answers[task.metric.name]
        answer = script[0] if len(script) == 1 else script.pop(0)
        at = format_time(self.now)
        if isinstance(answer, Exception):
            return MetricMeasurement(task, Measurement(ERROR, str(answer), at, at), self.now)
        phase, own, said = judged(task.metric.metric, answer, self.now)
        return MetricMeasurement(task, Measurement(phase, own + said, at, at, value=str(answer)), self.now)
