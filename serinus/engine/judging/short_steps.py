"""Steps and analyses that are too short for their sequential verdict to find a version with more errors. Pure and cheap.

`lint`, `doctor` and the dashboard show the same sentences. Nothing depends on them: a short step is no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec

from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.limits import number
from serinus.analysis.sequential.budget_power import BudgetPower, budget_power
from serinus.analysis.sequential.metric import (
    PLUGIN,
    SequentialMetric,
    configuration,
    sequential_metric,
)
from serinus.analysis.sequential.power import Power, power
from serinus.analysis.sequential.settings import SetupError
from serinus.analysis.validation import DUMMY, metrics_known_now
from serinus.api.analysis import AnalysisRun, Metric, RolloutAnalysis
from serinus.api.meta import Json
from serinus.api.rollout import BlueGreenStrategy, CanaryStep, CanaryStrategy, Rollout
from serinus.api.values.durations import go_duration
from serinus.api.values.times import age_words
from serinus.engine.core.analysis_runs import templates_of, typed
from serinus.engine.judging.expected_traffic import requests_of, traffic_of

RATIO = 3.0
"""A step should find a version that fails this many times more often than the stable version, or than its budget."""
ENOUGH = 0.8
"""A step that finds it in a smaller share of releases is too short."""
SURE = 0.95
EXPECT = "the traffic: set `expected: {requests: A MINUTE, rate: OF ERRORS}` in its configuration"


class ShortStep(msgspec.Struct, frozen=True):
    """`step`: from 1; 0 for an analysis of a blue-green update. `path`: of its field. `power`: the share of releases in
    which it finds harm, None if the traffic is unknown. `needed`: seconds that give 95 %, None for more than 30 days."""

    metric: str
    step: int
    path: str
    message: str
    power: float | None = None
    needed: float | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an update and its metrics. `words`: its beginning of a sentence. `lasts`: seconds. `weight`: 0 to 1."""

    step: int
    path: str
    words: str
    lasts: float
    weight: float


VerdictMetric = tuple[Metric, SequentialMetric]


def short_steps(
    rollout: Rollout, templates: Mapping[str, Json], runs: Sequence[AnalysisRun] = ()
) -> tuple[ShortStep, ...]:
    """The steps and analyses that find a threefold error rate in fewer than 80 % of releases.

    `templates`: by "Kind/name". `runs`: earlier AnalysisRuns of this Rollout. Their looks give the traffic of a metric
    without `expected`.
    """
    strategy, whole = rollout.spec.strategy, msgspec.to_builtins(rollout)
    if strategy.canary is not None:
        return tuple(_of_canary(strategy.canary, templates, runs, whole))
    if strategy.blue_green is not None:
        return tuple(_of_blue_green(strategy.blue_green, templates, runs, whole))
    return ()


def _of_canary(
    canary: CanaryStrategy, templates: Mapping[str, Json], runs: Sequence[AnalysisRun], whole: Json
) -> Iterator[ShortStep]:
    background = canary.analysis
    first = int(background.get("startingStep") or 0) if background is not None else 0
    for index, step, weight in _shared(canary):
        lasts = _pause(step)
        if background is not None and index >= first and lasts:
            for metric, asked in _sequential(typed(background), templates, whole):
                yield from _judged(metric, asked, runs, _step(index, lasts, weight))
        if step.analysis is not None:
            for metric, asked in _sequential(typed(step.analysis), templates, whole):
                count = number(metric.count)
                if count:
                    yield from _judged(metric, asked, runs, _step(index, count * asked.interval, weight))


def _shared(canary: CanaryStrategy) -> Iterator[tuple[int, CanaryStep, float]]:
    """(index, step, the canary's share of the requests) of each step at which both versions get requests."""
    routing, weight = canary.traffic_routing, 0.0
    most = (routing.max_traffic_weight if routing else None) or 100
    for index, step in enumerate(canary.steps):
        if step.set_weight is not None:
            weight = step.set_weight / most
        if 0 < weight < 1:
            yield index, step, weight


def _step(index: int, lasts: float, weight: float) -> _Part:
    words = f"step {index + 1} lasts {age_words(lasts)} at weight {100 * weight:.3g}"
    return _Part(index + 1, f"spec.strategy.canary.steps[{index}]", words, lasts, weight)


def _of_blue_green(
    strategy: BlueGreenStrategy, templates: Mapping[str, Json], runs: Sequence[AnalysisRun], whole: Json
) -> Iterator[ShortStep]:
    for field, label, analysis in (
        ("prePromotionAnalysis", "pre-promotion", strategy.pre_promotion_analysis),
        ("postPromotionAnalysis", "post-promotion", strategy.post_promotion_analysis),
    ):
        for metric, asked in _sequential(typed(analysis), templates, whole) if analysis is not None else ():
            count = number(metric.count)
            if not count:
                continue  # it lasts until it has a verdict
            lasts = count * asked.interval
            words = f"the {label} analysis lasts {age_words(lasts)}"
            part = _Part(0, f"spec.strategy.blueGreen.{field}", words, lasts, 1.0)
            if label == "pre-promotion" and asked.compares:
                yield from _preview(metric, asked, runs, part)
            elif asked.settings.budget is None:
                yield _without_stable(metric, part)
            else:
                yield from _against_budget(metric, asked, runs, part)


def _without_stable(metric: Metric, part: _Part) -> ShortStep:
    return ShortStep(
        metric.name,
        part.step,
        part.path,
        f"{part.words}; metric {metric.name} compares with the stable version, which has no requests then, so it finds "
        "nothing. Set `budget`, the error rate that is allowed, and leave out `counts.stable`",
        0.0,
    )


def _preview(metric: Metric, asked: SequentialMetric, runs: Sequence[AnalysisRun], part: _Part) -> Iterator[ShortStep]:
    """A preview beside the active version: its share of the requests is only known from an earlier run."""
    requests = requests_of(metric.name, asked, runs)
    share = requests.share if requests is not None else None
    if share is None or not 0 < share < 1:
        yield _unknown(metric, part, "the share of the requests that the preview has; an earlier AnalysisRun gives it")
        return
    yield from _judged(metric, asked, runs, replace(part, weight=share))


def _against_budget(
    metric: Metric, asked: SequentialMetric, runs: Sequence[AnalysisRun], part: _Part
) -> Iterator[ShortStep]:
    # A run that counted the canary alone says nothing about the requests at another weight.
    requests = requests_of(metric.name, asked, runs if part.weight == 1 else ())
    if requests is None:
        yield _unknown(metric, part, EXPECT)
        return
    chance = budget_power(asked.settings, requests.requests * part.weight, asked.interval, RATIO)
    yield from _short(
        metric, asked, part, chance, f"three times its budget of {asked.settings.budget:g}", requests.source
    )


def _pause(step: CanaryStep) -> float:
    """Seconds of a pause with a duration; 0 for other steps, and for a pause until promotion."""
    duration = step.pause.duration if step.pause is not None else None
    if duration is None:
        return 0.0
    with suppress(ValueError):
        return float(duration) if str(duration).isdigit() else go_duration(str(duration))
    return 0.0


def _sequential(asked: RolloutAnalysis, templates: Mapping[str, Json], rollout: Json) -> Iterator[VerdictMetric]:
    """The metrics with a sequential verdict. Other checks report invalid analyses."""
    with suppress(AnalysisProblem, SetupError):
        for metric in metrics_known_now(asked, *templates_of(templates), rollout):
            config = configuration(metric)
            if config is None:
                continue
            known = {key: value for key, value in config.items() if value != DUMMY}
            sequential = sequential_metric(msgspec.structs.replace(metric, provider={"plugin": {PLUGIN: known}}))
            yield metric, sequential


def _unknown(metric: Metric, part: _Part, without: str) -> ShortStep:
    return ShortStep(
        metric.name,
        part.step,
        part.path,
        f"{part.words}; how often metric {metric.name} finds a threefold error rate within it is not known without {without}",
    )


def _judged(metric: Metric, asked: SequentialMetric, runs: Sequence[AnalysisRun], part: _Part) -> Iterator[ShortStep]:
    """A part in which both versions have requests."""
    if not asked.compares:
        yield from _against_budget(metric, asked, runs, part)
        return
    traffic, source = traffic_of(metric.name, asked, runs)
    if traffic is None:
        yield _unknown(metric, part, EXPECT)
        return
    chance = power(asked.settings, traffic, part.weight, RATIO)
    yield from _short(metric, asked, part, chance, "a threefold error rate", source)


def _short(
    metric: Metric, asked: SequentialMetric, part: _Part, chance: Power | BudgetPower, harm: str, source: str
) -> Iterator[ShortStep]:
    share = chance.within(part.lasts)
    if share >= ENOUGH:
        return
    needed = chance.by(SURE)
    least = "at least " if asked.compares and asked.settings.budget is not None else ""
    needs = "no length of up to 30 days gives" if needed is None else f"{age_words(needed)} give"
    yield ShortStep(
        metric.name,
        part.step,
        part.path,
        f"{part.words}; metric {metric.name} finds {harm} within it in {least}{share:.0%} of releases; {needs} "
        f"{SURE:.0%} ({source})",
        share,
        needed,
    )
