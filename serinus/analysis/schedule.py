"""The next work of a run: metrics to measure now, and the time of the next pass (spec/analysis.md §2, Reconcile). Pure.

Times in the status are whole seconds. The controller passes the exact ones (`Assessed.due`) while it has them, so that
no interval is shorter than specified. After a restart one interval is up to a second shorter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from serinus.analysis.limits import RETRY_SECONDS, UNLIMITED, limits_of
from serinus.analysis.phases import BAD, COMPLETED, ERROR
from serinus.analysis.resolution import Resolved, ResolvedMetric
from serinus.analysis.verdicts import last_measurement
from serinus.api.analysis import AnalysisRun, Measurement, Metric, MetricResult
from serinus.api.values.times import parse_time


@dataclass(frozen=True, slots=True)
class Task:
    """One call of a provider. `measurement`: the unfinished one that is resumed or ended; None for a new one.

    `number`: which measurement of the metric it is, from 1, errors included.
    """

    metric: ResolvedMetric
    call: Literal["run", "resume", "terminate"]
    measurement: Measurement | None = None
    number: int = 1


def results_of(run: AnalysisRun) -> dict[str, MetricResult]:
    """The results by metric name; the first one if the status has two of a name."""
    return {result.name: result for result in reversed(run.status.metric_results)}


def is_terminating(run: AnalysisRun) -> bool:
    """Whether the run takes no more measurements: `terminate` is set, or a metric without dry run ended badly."""
    return run.spec.terminate or any(result.phase in BAD and not result.dry_run for result in run.status.metric_results)


def tasks(
    run: AnalysisRun,
    resolved: Resolved,
    now: float,
    due: Mapping[str, float] | None = None,
    woken: Collection[str] = (),
) -> list[Task]:
    """The calls to make now, all at the same time. None for a completed run.

    `woken`: metrics whose unfinished measurement is resumed early, because its Job has ended.
    """
    if run.status.phase in COMPLETED:
        return []
    terminating = is_terminating(run)
    due_tasks: list[Task] = []
    results = results_of(run)
    for metric in resolved.metrics:
        result = results.get(metric.name)
        number = result.count + result.error + 1 if result else 1
        last = last_measurement(result)
        if result is not None and result.phase in COMPLETED:
            continue
        unfinished = last is not None and last.finished_at is None
        if terminating:
            if unfinished:
                due_tasks.append(Task(metric, "terminate", last, number))
            continue
        at = due_at(run, metric, result, (due or {}).get(metric.name))
        if (at is not None and now >= at) or (unfinished and metric.name in woken):
            due_tasks.append(Task(metric, "resume" if unfinished else "run", last if unfinished else None, number))
    return due_tasks


def endings(run: AnalysisRun) -> list[Task]:
    """The calls that end the unfinished measurements of a run that cannot continue.

    The metrics are those of the spec, without arguments, because the arguments may be the cause of the failure. A
    measurement contains all data that its end needs.
    """
    terminations: list[Task] = []
    results = results_of(run)
    for metric in unfilled(run).metrics:
        last = last_measurement(results.get(metric.name))
        if last is not None and last.finished_at is None:
            terminations.append(Task(metric, "terminate", last))
    return terminations


def unfilled(run: AnalysisRun) -> Resolved:
    """The metrics of the spec of a run, with the default limits."""
    return Resolved(tuple(ResolvedMetric(metric, limits_of(Metric())) for metric in run.spec.metrics))


def due_at(
    run: AnalysisRun, metric: ResolvedMetric, result: MetricResult | None, exact: float | None = None
) -> float | None:
    """When the metric is measured next, in seconds since the epoch; 0 for at once, None for never.

    `exact`: the time from `Assessed.due`. It applies if it is later than the time from the status.
    """
    if result is not None and result.phase in COMPLETED:
        return None
    last = last_measurement(result)
    written = _due(run, metric, result, last)
    return written if written is None or exact is None else max(written, exact)


def _due(
    run: AnalysisRun, metric: ResolvedMetric, result: MetricResult | None, last: Measurement | None
) -> float | None:
    if result is None or last is None:
        if not metric.limits.initial_delay:
            return 0.0
        started = parse_time(run.status.started_at)
        # The delay begins with the run: its first assessment sets `startedAt`.
        return None if started is None else started + metric.limits.initial_delay
    if last.finished_at is None:
        return parse_time(last.resume_at) or 0.0
    if metric.limits.count != UNLIMITED and result.count >= metric.limits.count:
        return None
    return (parse_time(last.finished_at) or 0.0) + pause_after(metric, last)


def pause_after(metric: ResolvedMetric, last: Measurement) -> float:
    """Seconds from one measurement to the next."""
    return RETRY_SECONDS if last.phase == ERROR else metric.limits.interval
