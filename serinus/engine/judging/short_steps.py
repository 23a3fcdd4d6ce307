"""Canary steps that are too short for their sequential verdict to find a version with more errors. Pure and cheap.

`lint`, `doctor` and the dashboard show the same sentences. Nothing depends on them: a short step is no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.limits import number
from serinus.analysis.sequential.metric import (
    PLUGIN,
    SequentialMetric,
    configuration,
    sequential_metric,
)
from serinus.analysis.sequential.planning import Traffic
from serinus.analysis.sequential.power import power
from serinus.analysis.sequential.settings import SetupError
from serinus.analysis.validation import DUMMY, metrics_known_now
from serinus.api.analysis import AnalysisRun, Metric, RolloutAnalysis
from serinus.api.decoding.reading import converted
from serinus.api.meta import Json
from serinus.api.rollout import CanaryStep, Rollout
from serinus.api.values.durations import go_duration
from serinus.api.values.times import age_words
from serinus.engine.core.analysis_runs import templates_of, typed

RATIO = 3.0
"""A step should find a version that fails this many times more often than the stable version."""
ENOUGH = 0.8
"""A step that finds it in a smaller share of releases is too short."""
SURE = 0.95


class ShortStep(msgspec.Struct, frozen=True):
    """`step`: from 1. `path`: of its field. `found`: the share of releases in which the step finds harm, None if the
    traffic is unknown. `needed`: seconds that give 95 %, None for more than 30 days."""

    metric: str
    step: int
    path: str
    message: str
    found: float | None = None
    needed: float | None = None


def short_steps(
    rollout: Rollout, templates: Mapping[str, Json], runs: Sequence[AnalysisRun] = ()
) -> tuple[ShortStep, ...]:
    """The steps that find a threefold error rate in fewer than 80 % of releases.

    `templates`: by "Kind/name". `runs`: earlier AnalysisRuns of this Rollout. Their looks give the traffic of a metric
    without `expected`.
    """
    return tuple(_short_steps(rollout, templates, runs))


def _short_steps(rollout: Rollout, templates: Mapping[str, Json], runs: Sequence[AnalysisRun]) -> Iterator[ShortStep]:
    canary = rollout.spec.strategy.canary
    if canary is None:
        return
    whole = msgspec.to_builtins(rollout)
    routing = canary.traffic_routing
    most = (routing.max_traffic_weight if routing else None) or 100
    weight, first = 0.0, 0
    if canary.analysis is not None:
        first = int(canary.analysis.get("startingStep") or 0)
    for index, step in enumerate(canary.steps):
        if step.set_weight is not None:
            weight = step.set_weight / most
        if not 0 < weight < 1:
            continue
        lasts = _pause(step)
        if canary.analysis is not None and index >= first and lasts:
            for metric, asked in _sequential(typed(canary.analysis), templates, whole):
                yield from _judged(metric, asked, runs, index, weight, lasts)
        if step.analysis is not None:
            for metric, asked in _sequential(typed(step.analysis), templates, whole):
                count = number(metric.count)
                if count:
                    yield from _judged(metric, asked, runs, index, weight, count * asked.interval)


def _pause(step: CanaryStep) -> float:
    """Seconds of a pause with a duration; 0 for other steps, and for a pause until promotion."""
    duration = step.pause.duration if step.pause is not None else None
    if duration is None:
        return 0.0
    with suppress(ValueError):
        return float(duration) if str(duration).isdigit() else go_duration(str(duration))
    return 0.0


def _sequential(
    asked: RolloutAnalysis, templates: Mapping[str, Json], rollout: Json
) -> Iterator[tuple[Metric, SequentialMetric]]:
    """The metrics with a sequential verdict against the stable version. Other checks report invalid analyses."""
    with suppress(AnalysisProblem, SetupError):
        for metric in metrics_known_now(asked, *templates_of(templates), rollout):
            config = configuration(metric)
            if config is None:
                continue
            known = {key: value for key, value in config.items() if value != DUMMY}
            found = sequential_metric(msgspec.structs.replace(metric, provider={"plugin": {PLUGIN: known}}))
            if found.compares:
                yield metric, found


def _judged(
    metric: Metric, asked: SequentialMetric, runs: Sequence[AnalysisRun], index: int, weight: float, lasts: float
) -> Iterator[ShortStep]:
    traffic, source = traffic_of(metric.name, asked, runs)
    path = f"spec.strategy.canary.steps[{index}]"
    step = f"step {index + 1} lasts {age_words(lasts)} at weight {100 * weight:.3g}"
    if traffic is None:
        yield ShortStep(
            metric.name,
            index + 1,
            path,
            f"{step}; how often metric {metric.name} finds a threefold error rate within it is not known without the "
            "traffic: set `expected: {requests: A MINUTE, rate: OF ERRORS}` in its configuration",
        )
        return
    chance = power(asked.settings, traffic, weight, RATIO)
    found = chance.within(lasts)
    if found >= ENOUGH:
        return
    needed = chance.by(SURE)
    least = "at least " if asked.settings.budget is not None else ""
    needs = "no length of up to 30 days gives" if needed is None else f"{age_words(needed)} give"
    yield ShortStep(
        metric.name,
        index + 1,
        path,
        f"{step}; metric {metric.name} finds a threefold error rate within it in {least}{found:.0%} of releases; {needs} "
        f"{SURE:.0%} ({source})",
        found,
        needed,
    )


def traffic_of(name: str, asked: SequentialMetric, runs: Sequence[AnalysisRun]) -> tuple[Traffic | None, str]:
    """(the traffic of a metric, its source): `expected`, or the looks of the latest run; None if neither exists."""
    if asked.expected is not None:
        requests, rate = asked.expected.requests, asked.expected.rate
        return Traffic(requests, rate, asked.interval), f"{_traffic_words(requests, rate)} expected"
    for run in sorted(runs, key=lambda one: one.metadata.creation_timestamp or "", reverse=True):
        seen = _seen(run, name, asked.interval)
        if seen is not None:
            words = f"{_traffic_words(seen.requests, seen.rate)} in {run.metadata.name}"
            return seen, words
    return None, ""


def _traffic_words(requests: float, rate: float) -> str:
    return f"{requests:.3g} requests a minute with {rate:.2%} errors"


class _Value(msgspec.Struct):
    """The part of a verdict's value that contains the amount of traffic."""

    looks: int = 0
    requests: dict[str, float] = {}
    errors: dict[str, float] = {}


def _seen(run: AnalysisRun, name: str, interval: float) -> Traffic | None:
    result = next((one for one in run.status.metric_results if one.name == name and one.measurements), None)
    if result is None:
        return None
    try:
        value = converted(msgspec.json.decode(result.measurements[-1].value), _Value)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    stable, errors = value.requests.get("stable", 0), value.errors.get("stable", 0)
    if not (value.looks and stable and 0 < errors < stable):
        return None
    requests = (stable + value.requests.get("canary", 0)) / (value.looks * interval / 60)
    return Traffic(requests, errors / stable, interval)
