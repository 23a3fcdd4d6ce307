"""A run after measurements: its status, Events, and the time of the next pass (spec/analysis.md §2 and §5). Pure.

Runs of Rollouts, runs of Experiments and runs without an owner are equal. A pass is

    resolve() ─► tasks() ─► the providers, all at once ─► assess()

and `failed()` if the run cannot be resolved. All state is in the run, except the exact times (schedule.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from serinus.analysis.hiding import Hidden
from serinus.analysis.limits import RESUME_SECONDS
from serinus.analysis.phases import COMPLETED, ERROR, FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL, severity
from serinus.analysis.resolution import Resolved, ResolvedMetric
from serinus.analysis.schedule import Task, due_at, is_terminating, pause_after, results_of, unfilled
from serinus.analysis.status_size import fitted
from serinus.analysis.verdicts import (
    LONGEST_VALUE,
    counted,
    exceeded,
    last_measurement,
    metric_phase,
)
from serinus.api.analysis import AnalysisRun, AnalysisRunStatus, Measurement, MetricResult, RunSummary
from serinus.api.messages.cutting import LONGEST_MESSAGE, shortened
from serinus.api.values.times import format_time, parse_time


@dataclass(frozen=True, slots=True)
class RunEvent:
    reason: str
    message: str
    type: Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class MetricMeasurement:
    """The result of a task. `ended`: the exact time, in seconds since the epoch. `metadata`: of the metric, such as
    `ResolvedPrometheusQuery`."""

    task: Task
    measurement: Measurement
    ended: float
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    clean: bool = False
    """Its texts were already searched for secrets, including those of its provider."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """`due`: metric -> the exact time of its next measurement; `next`: the earliest of them, None without any.

    `trimmed`: metrics whose old measurements left the status: their providers may clean up (metric -> how many stay).
    """

    status: AnalysisRunStatus
    events: tuple[RunEvent, ...] = ()
    due: Mapping[str, float] = field(default_factory=dict[str, float])
    next: float | None = None
    trimmed: Mapping[str, int] = field(default_factory=dict[str, int])


def failed(run: AnalysisRun, message: str, ended: Sequence[MetricMeasurement] = ()) -> Assessed:
    """A run that cannot be executed: Error, with neither `startedAt` nor `completedAt` (spec §2).

    `ended`: the results of `endings(run)`. A measurement that stays unfinished in a completed run is never ended.
    """
    after = _with_measurements(run, unfilled(run), ended) if ended else run.status
    status = msgspec.structs.replace(after, phase=ERROR, message=shortened(message))
    return Assessed(status, (_ended(ERROR),))


def assess(
    run: AnalysisRun,
    resolved: Resolved,
    measured: Sequence[MetricMeasurement],
    now: float,
    due: Mapping[str, float] | None = None,
) -> Assessed:
    """The run after these measurements (none: nothing was due). `due`: from the previous pass, if known."""
    terminating = is_terminating(run)
    after = msgspec.structs.replace(run, status=_with_measurements(run, resolved, measured))
    events: list[RunEvent] = []
    run_phase = _RunPhase("Run Terminated" if run.spec.terminate else "")
    results: list[MetricResult] = []
    old, new = results_of(run), results_of(after)
    for metric in resolved.metrics:
        before, result = old.get(metric.name), new.get(metric.name)
        if result is None:
            run_phase.unmeasured(metric)
            continue
        result = _assessed(metric, result, terminating=terminating)
        if result.phase in COMPLETED and (before is None or before.phase != result.phase):
            events.append(_metric_ended(metric.name, result.phase))
        results.append(run_phase.measured(metric, result))
    status = _status(run, results, run_phase, now, terminating=terminating)
    if status.phase in COMPLETED:
        events.append(_ended(status.phase))
    trimmed = {m.name: m.kept for m in resolved.metrics if _trims(m, new.get(m.name))}
    later = msgspec.structs.replace(run, status=status)
    if status.phase in COMPLETED or is_terminating(later):
        # Another pass, at once, ends the unfinished measurements.
        again = None if status.phase in COMPLETED else now
        return Assessed(status, tuple(events), {}, again, trimmed)
    exact = dict(due or {}) | {one.task.metric.name: _exactly(one) for one in measured}
    if run.status.started_at is None:
        exact = {m.name: now + m.limits.initial_delay for m in resolved.metrics} | exact
    latest = results_of(later)
    upcoming = {m.name: due_at(later, m, latest.get(m.name), exact.get(m.name)) for m in resolved.metrics}
    planned = {name: at for name, at in upcoming.items() if at is not None}
    return Assessed(status, tuple(events), planned, min(planned.values(), default=None), trimmed)


def _with_measurements(
    run: AnalysisRun, resolved: Resolved, measured: Sequence[MetricMeasurement]
) -> AnalysisRunStatus:
    """The status with the measurements and their counters. Results have the order of the metrics."""
    results = {result.name: result for result in run.status.metric_results}
    hidden = Hidden(resolved.secrets)
    for one in measured:
        metric = one.task.metric
        result = results.get(metric.name) or MetricResult(name=metric.name, phase=RUNNING, dry_run=metric.dry_run)
        measurement = one.measurement if one.clean else shown(one.measurement, hidden)
        earlier = result.measurements[:-1] if one.task.measurement is not None else result.measurements
        if measurement.finished_at is not None:
            result = counted(result, measurement.phase)
        metadata = {**result.metadata, **(one.metadata if one.clean else texts(one.metadata, hidden))}
        results[metric.name] = msgspec.structs.replace(result, measurements=[*earlier, measurement], metadata=metadata)
    order = {metric.name: position for position, metric in enumerate(resolved.metrics)}
    return msgspec.structs.replace(
        run.status, metric_results=sorted(results.values(), key=lambda result: order.get(result.name, len(order)))
    )


def shown(measurement: Measurement, hidden: Hidden) -> Measurement:
    """The measurement for the status: without secrets, each text within its limit."""
    return msgspec.structs.replace(
        measurement,
        message=hidden.text(measurement.message, LONGEST_MESSAGE),
        value=hidden.foreign(measurement.value, LONGEST_VALUE, short=False),
        metadata=texts(measurement.metadata, hidden),
    )


def texts(metadata: Mapping[str, str], hidden: Hidden) -> dict[str, str]:
    """The same for metadata."""
    return {
        hidden.foreign(key, LONGEST_VALUE, short=False): hidden.foreign(text, LONGEST_VALUE, short=False)
        for key, text in metadata.items()
    }


def _trims(metric: ResolvedMetric, result: MetricResult | None) -> bool:
    return result is not None and len(result.measurements) > metric.kept


def _assessed(metric: ResolvedMetric, result: MetricResult, *, terminating: bool) -> MetricResult:
    phase = metric_phase(metric.limits, result, terminating=terminating)
    retained = result.measurements[-metric.kept :]
    last = last_measurement(result)
    if phase == result.phase:
        return msgspec.structs.replace(result, measurements=retained)
    message = last.message if last is not None else result.message
    beyond = exceeded(metric.limits, result) if phase in COMPLETED and metric.dry_run else None
    if beyond is not None:
        message = f"Metric assessed {phase} due to {beyond[1]}"
    return msgspec.structs.replace(result, phase=phase, message=message, measurements=retained)


class _RunPhase:
    """Reads the metrics in the order of the spec, and finds the phase and the message of the run."""

    def __init__(self, message: str) -> None:
        self.phase, self.message = "", message
        self.completed = True
        self.summary, self.dry_run_summary = RunSummary(), RunSummary()

    def unmeasured(self, metric: ResolvedMetric) -> None:
        self.completed = False
        self._summary(metric).count += 1

    def measured(self, metric: ResolvedMetric, result: MetricResult) -> MetricResult:
        summary = self._summary(metric)
        summary.count += 1
        if result.phase not in COMPLETED:
            self.completed = False
            return result
        beyond = exceeded(metric.limits, result)
        field = {FAILED: "failed", INCONCLUSIVE: "inconclusive", ERROR: "error"}.get(beyond[0] if beyond else "")
        setattr(summary, field or "successful", getattr(summary, field or "successful") + 1)
        if metric.dry_run:
            self.phase = self.phase or SUCCESSFUL
        elif severity(result.phase) > severity(self.phase):
            self.phase = result.phase
            if beyond is not None:
                self.message = f'Metric "{metric.name}" assessed {result.phase} due to {beyond[1]}'
                if result.message:
                    self.message += f': "Error Message: {result.message}"'
        return result

    def _summary(self, metric: ResolvedMetric) -> RunSummary:
        return self.dry_run_summary if metric.dry_run else self.summary


def _status(
    run: AnalysisRun, results: list[MetricResult], assessment: _RunPhase, now: float, *, terminating: bool
) -> AnalysisRunStatus:
    phase, message = RUNNING, ""
    if terminating or assessment.completed:
        phase, message = assessment.phase or SUCCESSFUL, assessment.message
    return fitted(
        AnalysisRunStatus(
            phase=phase,
            message=shortened(message),
            metric_results=results,
            started_at=run.status.started_at or format_time(now),
            completed_at=format_time(now) if phase in COMPLETED else None,
            run_summary=assessment.summary,
            dry_run_summary=assessment.dry_run_summary,
        )
    )


def _exactly(one: MetricMeasurement) -> float:
    """When its metric may be measured again, or resumed if it is unfinished."""
    if one.measurement.finished_at is None:
        return one.ended + RESUME_SECONDS
    return one.ended + pause_after(one.task.metric, one.measurement)


def _metric_ended(name: str, phase: str) -> RunEvent:
    return RunEvent(f"Metric{phase}", f"Metric '{name}' Completed. Result: {phase}", _weight(phase))


def _ended(phase: str) -> RunEvent:
    return RunEvent(f"AnalysisRun{phase}", f"Analysis Completed. Result: {phase}", _weight(phase))


def _weight(phase: str) -> Literal["Normal", "Warning"]:
    return "Warning" if phase in (ERROR, FAILED) else "Normal"


def delete_at(run: AnalysisRun) -> float | None:
    """When the `ttlStrategy` of a completed run permits its deletion, in seconds since the epoch; None for never.

    More whole seconds than the limit must have passed since `completedAt` (spec §5, TTL).
    """
    ttl, completed = run.spec.ttl_strategy, parse_time(run.status.completed_at)
    if ttl is None or completed is None or run.status.phase not in COMPLETED:
        return None
    specific = {SUCCESSFUL: ttl.seconds_after_success, FAILED: ttl.seconds_after_failure}.get(run.status.phase)
    seconds = ttl.seconds_after_completion if specific is None else specific
    return None if seconds is None else completed + seconds + 1
