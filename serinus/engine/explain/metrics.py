"""The measurements of an AnalysisRun beside its conditions, for `serinus why` and the dashboard.

This module decides no verdict: phases and counts are those that the analysis wrote. Source: the status of AnalysisRuns
(spec of analyses, section 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import Room
from serinus.analysis.limits import number
from serinus.analysis.phases import BAD, COMPLETED
from serinus.analysis.sequential.metric import configuration
from serinus.analysis.templating import with_arguments
from serinus.api.analysis import AnalysisRun, Measurement, Metric, MetricResult
from serinus.api.meta import Json
from serinus.api.names import HASH, REVISION
from serinus.api.rollout import Rollout, RolloutStatus
from serinus.api.values.times import parse_time
from serinus.engine.explain.thresholds import limit_of, number_of, value_text
from serinus.engine.explain.verdict_curve import Curve, verdict_curve

LATEST = 20
"""Measurements of a metric that are shown, the latest ones."""


class MetricThreshold(msgspec.Struct, frozen=True):
    """A limit that the values are held against. `succeeds`: whether a value on the named side is good, or bad."""

    sign: str
    value: float
    succeeds: bool


class Point(msgspec.Struct, frozen=True):
    """One measurement. `number`: the number for the limit, None without one. `at`: seconds since the epoch."""

    value: str
    phase: str
    number: float | None = None
    at: float | None = None
    message: str = ""


class ExplainedMetric(msgspec.Struct, frozen=True, rename="camel"):
    """One metric of a run. `succeeds`, `fails`: its conditions, with the arguments filled in. `newest`: the value that
    decided, or the latest one, in short. `allowed`: how many may fail, None for any number."""

    run: str
    name: str
    phase: str
    succeeds: str
    fails: str
    newest: str = ""
    lines: tuple[MetricThreshold, ...] = ()
    points: tuple[Point, ...] = ()
    failed: int = 0
    allowed: int | None = 0
    dry_run: bool = False
    message: str = ""
    curve: Curve | None = None
    """Of a metric with a sequential verdict."""


def measured(run: AnalysisRun) -> tuple[ExplainedMetric, ...]:
    """The run's metrics, in its order."""
    results = {result.name: result for result in run.status.metric_results}
    values = {a.name: str(a.value) for a in run.spec.args if a.value is not None}
    room = Room()
    return tuple(_metric(run, m, results.get(m.name, MetricResult(m.name)), values, room) for m in run.spec.metrics)


def deciding(runs: Iterable[AnalysisRun], rollout: Rollout) -> tuple[ExplainedMetric, ...]:
    """Of the runs that judge the current update: the failed metrics, or else those still measured.

    A run of an earlier revision with the same template, or of an attempt before a retry, does not count.
    """
    names = {known["name"] for known in _named(rollout.status) if known}
    current = [run for run in runs if _of_this_update(run, rollout)]
    if names and not rollout.status.abort:
        current = [run for run in current if run.metadata.name in names]
    bad = [m for run in current if run.status.phase in BAD for m in measured(run) if m.phase in BAD and not m.dry_run]
    if bad:
        return tuple(bad)
    return tuple(m for run in current if run.status.phase not in COMPLETED for m in measured(run))


def _named(status: RolloutStatus) -> tuple[Json | None, ...]:
    canary, switch = status.canary, status.blue_green
    return (
        canary.current_background_analysis_run_status,
        canary.current_step_analysis_run_status,
        switch.pre_promotion_analysis_run_status,
        switch.post_promotion_analysis_run_status,
    )


def _of_this_update(run: AnalysisRun, rollout: Rollout) -> bool:
    meta, status = run.metadata, rollout.status
    revision, judged = rollout.metadata.annotations.get(REVISION), meta.annotations.get(REVISION)
    begun, created = parse_time((status.duration or {}).get("rolloutStartedAt")), parse_time(meta.creation_timestamp)
    return (
        meta.labels.get(HASH) == status.current_pod_hash
        and (revision is None or judged is None or judged == revision)
        and (begun is None or created is None or created >= begun)
    )


def words(metric: ExplainedMetric) -> str:
    """`success-rate of web-1: 0.42, succeeds if result[0] >= 0.95 (Failed: 2 failed, 0 allowed)`."""
    rules = [f"{word} if {rule}" for word, rule in (("succeeds", metric.succeeds), ("fails", metric.fails)) if rule]
    what = ", ".join([metric.newest or "no value", *rules])
    count = (
        f": {metric.failed} failed, {metric.allowed} allowed" if metric.failed and metric.allowed is not None else ""
    )
    dry = ", a dry run that decides nothing" if metric.dry_run else ""
    return f"{metric.name} of {metric.run}: {what} ({metric.phase}{count}{dry})"


def _metric(
    run: AnalysisRun, asked: Metric, result: MetricResult, values: dict[str, str], room: Room
) -> ExplainedMetric:
    metric = Metric(
        asked.name,
        success_condition=asked.success_condition,
        failure_condition=asked.failure_condition,
        failure_limit=asked.failure_limit,
    )
    with suppress(AnalysisProblem):  # the condition stays as written with an argument from a Secret or a long one
        metric = with_arguments(metric, values, room)
    limits = [
        (limit, succeeds)
        for text, succeeds in ((metric.success_condition, True), (metric.failure_condition, False))
        if (limit := limit_of(text)) is not None
    ]
    place = limits[0][0].place if limits else ()
    points = tuple(_point(one, place) for one in result.measurements[-LATEST:])
    phase = result.phase or "Pending"
    deciding = [p for p in points if p.phase == phase] if phase in BAD else []
    newest = (deciding or [p for p in points if p.phase] or [Point("", "")])[-1]
    allowed = number(metric.failure_limit)
    # Its value is the whole verdict as JSON; its message is the same in a sentence.
    sequential = configuration(asked) is not None
    return ExplainedMetric(
        run.metadata.name,
        metric.name,
        phase,
        metric.success_condition,
        metric.failure_condition,
        newest.message if sequential else value_text(newest.value, place) or newest.message,
        tuple(MetricThreshold(limit.sign, limit.value, succeeds) for limit, succeeds in limits if limit.place == place),
        points,
        result.failed,
        None if allowed < 0 else allowed,
        result.dry_run,
        result.message,
        verdict_curve(result.measurements[-1]) if sequential and result.measurements else None,
    )


def _point(one: Measurement, place: tuple[str | int, ...]) -> Point:
    at = parse_time(one.finished_at or one.started_at)
    return Point(one.value, one.phase, number_of(one.value, place), at, one.message)
