"""What a run needs next: which metrics to measure now, and when to look again (spec/analysis.md §2, Reconcile). Pure.

Times in the status are whole seconds. A controller that remembers the exact ones (`Assessed.due`) hands them in, so that an
interval is never shorter than written; after a restart it is up to a second shorter, once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from serinus.analysis.limits import RETRY_SECONDS, UNLIMITED, limits_of
from serinus.analysis.phases import BAD, COMPLETED, ERROR
from serinus.analysis.resolved import Resolved, ResolvedMetric
from serinus.analysis.verdicts import last_measurement
from serinus.api.analysis import AnalysisRun, Measurement, Metric, MetricResult
from serinus.api.times import parse_time


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
    """By the metric's name; the first one where somebody wrote two of a name."""
    return {result.name: result for result in reversed(run.status.metric_results)}


def is_terminating(run: AnalysisRun) -> bool:
    """No more measurements: it was asked for, or a metric that counts has ended badly."""
    return run.spec.terminate or any(result.phase in BAD and not result.dry_run for result in run.status.metric_results)


def tasks(
    run: AnalysisRun,
    resolved: Resolved,
    now: float,
    due: Mapping[str, float] | None = None,
    woken: Collection[str] = (),
) -> list[Task]:
    """The calls to make now, all at the same time. None for a run that is completed.

    `woken`: metrics whose unfinished measurement is looked at before its time, as what it waits for has changed: its Job
    has ended.
    """
    if run.status.phase in COMPLETED:
        return []
    terminating = is_terminating(run)
    found: list[Task] = []
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
                found.append(Task(metric, "terminate", last, number))
            continue
        at = due_at(run, metric, result, (due or {}).get(metric.name))
        if (at is not None and now >= at) or (unfinished and metric.name in woken):
            found.append(Task(metric, "resume" if unfinished else "run", last if unfinished else None, number))
    return found


def endings(run: AnalysisRun) -> list[Task]:
    """The calls that end the unfinished measurements of a run that cannot go on.

    Its metrics are those of the spec, without arguments: filling them in may be the reason why it cannot go on, and a
    measurement says itself what to end.
    """
    found: list[Task] = []
    results = results_of(run)
    for metric in unfilled(run).metrics:
        last = last_measurement(results.get(metric.name))
        if last is not None and last.finished_at is None:
            found.append(Task(metric, "terminate", last))
    return found


def unfilled(run: AnalysisRun) -> Resolved:
    """The metrics of a run as its spec has them, with the default limits."""
    return Resolved(tuple(ResolvedMetric(metric, limits_of(Metric())) for metric in run.spec.metrics))


def due_at(
    run: AnalysisRun, metric: ResolvedMetric, result: MetricResult | None, exact: float | None = None
) -> float | None:
    """When the metric is measured next, in seconds since the epoch; 0 for at once, None for never.

    `exact`: what `Assessed.due` said, where that is later than what the status can say.
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
        # The delay begins when the run does: at its first assessment, which sets `startedAt`.
        return None if started is None else started + metric.limits.initial_delay
    if last.finished_at is None:
        return parse_time(last.resume_at) or 0.0
    if metric.limits.count != UNLIMITED and result.count >= metric.limits.count:
        return None
    return (parse_time(last.finished_at) or 0.0) + pause_after(metric, last)


def pause_after(metric: ResolvedMetric, last: Measurement) -> float:
    """Seconds from one measurement to the next."""
    return RETRY_SECONDS if last.phase == ERROR else metric.limits.interval
