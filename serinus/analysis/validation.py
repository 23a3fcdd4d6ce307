"""Which runs are valid (spec/analysis.md §7). Texts are the reference's, in its order: the first one is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serinus.analysis.limits import number
from serinus.analysis.problems import AnalysisProblem
from serinus.analysis.templating import OPEN
from serinus.api.analysis import AnalysisTemplate, Argument, Metric
from serinus.api.durations import go_duration


def check_metrics(metrics: Sequence[Metric]) -> None:
    """AnalysisProblem with the first thing that is wrong with metrics whose arguments are filled in."""
    if not metrics:
        raise AnalysisProblem("no metrics specified")
    seen: set[str] = set()
    for index, metric in enumerate(metrics):
        if metric.name in seen:
            raise AnalysisProblem(f"metrics[{index}]: duplicate name '{metric.name}'")
        seen.add(metric.name)
        wrong = next(_wrong(metric), None)
        if wrong is not None:
            raise AnalysisProblem(f"metrics[{index}]: {wrong}")


def _wrong(metric: Metric) -> Iterator[str]:
    failures, successes = number(metric.failure_limit), number(metric.consecutive_success_limit)
    if successes < 0:
        yield "consecutiveSuccessLimit must be >= 0"
    if failures < -1:
        yield "failureLimit must be >= 0, or -1 to be disabled"
    if failures == -1 and successes == 0:
        yield "failureLimit and consecutiveSuccessLimit cannot both be disabled"
    if number(metric.inconclusive_limit) < 0:
        yield "inconclusiveLimit must be >= 0"
    if number(metric.consecutive_error_limit) < 0:
        yield "consecutiveErrorLimit must be >= 0"
    yield from _wrong_count(number(metric.count), failures, successes, metric)
    yield from _wrong_duration("invalid interval string", metric.interval)
    yield from _wrong_duration("invalid startDelay string", metric.initial_delay)
    providers = [name for name, config in metric.provider.items() if config is not None]
    if not providers:
        yield "no provider specified"
    if len(providers) > 1:
        yield "multiple providers specified"


def _wrong_count(count: int, failures: int, successes: int, metric: Metric) -> Iterator[str]:
    if count > 0:
        if failures >= 0 and count < failures + successes:
            yield (
                f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failures} + {successes}) "
                "if both >= 0"
            )
        if failures == -1 and count < successes:
            yield "count must be >= consecutiveSuccessLimit"
        if count < number(metric.inconclusive_limit):
            yield "count must be >= inconclusiveLimit"
    if count > 1 and not metric.interval:
        yield "interval must be specified when count > 1"


def _wrong_duration(what: str, text: str) -> Iterator[str]:
    if text:
        try:
            go_duration(text)
        except ValueError as error:
            yield f"{what}: {error}"


def check_for_rollout(template: AnalysisTemplate, *, background: bool) -> None:
    """AnalysisProblem if a step of a Rollout could never end with this template, or an argument says two things.

    A background analysis may run for ever.
    """
    name = template.metadata.name
    for metric in template.spec.metrics:
        if not background and _endless(metric):
            shown = "<nil>" if metric.count is None else metric.count
            raise AnalysisProblem(
                f"AnalysisTemplate {name} has metric {metric.name} which runs indefinitely. "
                f"Invalid value for count: {shown}"
            )
    for arg in template.spec.args:
        if not background and arg.value is not None and arg.value_from is not None:
            raise AnalysisProblem(f"AnalysisTemplate {name}: arg '{arg.name}' has both Value and ValueFrom fields")


def _endless(metric: Metric) -> bool:
    """With an interval and no count. A count that an argument gives is trusted to be one."""
    if not metric.interval or metric.interval == "0":
        return False
    templated = isinstance(metric.count, str) and OPEN in metric.count
    return not templated and number(metric.count) <= 0


def dummies(declared: Sequence[Argument]) -> list[Argument]:
    """What a Rollout's templates are validated with where no default says it."""
    return [
        arg if arg.value is not None or arg.value_from is not None else Argument(arg.name, "dummy-value")
        for arg in declared
    ]
