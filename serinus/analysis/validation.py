"""Which runs are valid (spec/analysis.md §7). Texts are the reference's, in its order: the first one is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from serinus.analysis.arguments import argument_values, merged_arguments, overridden
from serinus.analysis.limits import number
from serinus.analysis.problems import AnalysisProblem
from serinus.analysis.templates import Templates, found_templates, run_spec
from serinus.analysis.templating import with_arguments
from serinus.api.analysis import AnalysisRunSpec, AnalysisTemplate, Argument, Metric, RolloutAnalysis
from serinus.api.durations import go_duration

DUMMY = "dummy-value"
"""What a Rollout's templates are validated with where nothing says more."""


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


def check_for_rollout(
    asked: RolloutAnalysis, namespaced: Templates, of_cluster: Templates, *, background: bool
) -> AnalysisRunSpec:
    """The spec of the run that this analysis of a Rollout would make. AnalysisProblem if it could not be made, or never end.

    Arguments that only a rollout gives (a hash, a field of the Rollout) have a stand-in here. A background analysis may run
    for ever; a step, and what blue-green waits for, may not.
    """
    templates = found_templates(asked.templates, namespaced, of_cluster)
    declared = [_with_stand_in(arg) for arg in merged_arguments([template.spec.args for template in templates])]
    given = [arg for arg in asked.args if arg.value is not None]
    args = overridden(declared, given)
    values = argument_values([_with_stand_in(arg) for arg in args], None)
    if not background:
        for template in templates:
            _check_that_ends(template, values)
    return run_spec(templates, [*asked.args, *args], asked.dry_run, asked.measurement_retention)


def _with_stand_in(arg: Argument) -> Argument:
    source = arg.value_from
    if arg.value is not None or (source is not None and source.secret_key_ref is not None):
        return arg
    return Argument(arg.name, DUMMY)


def _check_that_ends(template: AnalysisTemplate, values: Mapping[str, str]) -> None:
    name = template.metadata.name
    for metric in template.spec.metrics:
        filled = with_arguments(metric, values)
        if filled.interval and number(filled.count) <= 0:
            shown = "<nil>" if metric.count is None else metric.count
            raise AnalysisProblem(
                f"AnalysisTemplate {name} has metric {metric.name} which runs indefinitely. "
                f"Invalid value for count: {shown}"
            )
    for arg in template.spec.args:
        if arg.value is not None and arg.value_from is not None:
            raise AnalysisProblem(f"AnalysisTemplate {name}: arg '{arg.name}' has both Value and ValueFrom fields")
