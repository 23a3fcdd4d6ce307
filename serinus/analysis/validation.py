"""Validation of runs (spec/analysis.md §7). Texts and order are the reference's: only the first error is reported."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from serinus.analysis.arguments import ARGUMENTS, argument_values, rollout_arguments
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import METRIC, TEMPLATE, Room
from serinus.analysis.limits import number
from serinus.analysis.sequential.metric import PLUGIN, configuration, sequential_metric
from serinus.analysis.sequential.settings import SetupError
from serinus.analysis.templates import Templates, found_templates, run_spec
from serinus.analysis.templating import names_in, with_arguments
from serinus.api.analysis import AnalysisRunSpec, AnalysisTemplate, Argument, Metric, RolloutAnalysis
from serinus.api.values.durations import go_duration

DUMMY = "dummy-value"
"""Replaces a value that only an update has."""


def check_metrics(metrics: Sequence[Metric]) -> None:
    """AnalysisProblem with the first error of metrics whose arguments are filled in."""
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
    yield from _wrong_verdict(metric)


def _wrong_verdict(metric: Metric) -> Iterator[str]:
    """The error of a sequential verdict, if any. Values that only an update has are not checked."""
    config = configuration(metric)
    if config is not None:
        known = {key: value for key, value in config.items() if value != DUMMY}
        try:
            sequential_metric(msgspec.structs.replace(metric, provider={"plugin": {PLUGIN: known}}))
        except SetupError as error:
            yield f"{PLUGIN}: {error}"


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
    asked: RolloutAnalysis,
    namespaced: Templates,
    of_cluster: Templates,
    *,
    background: bool,
    rollout: Mapping[str, Any] | None = None,
    later: Collection[str] = (),
    work: Room | None = None,
) -> AnalysisRunSpec:
    """The spec of the run of this analysis of a Rollout. AnalysisProblem if it cannot be created, or would never end.

    Metrics are checked with the values of their arguments. Values that only an update has (a hash, a field of the
    status) are unknown here, so limits that depend on them are not checked. Only a background analysis may run without
    an end: a step, and a blue-green pre- or post-promotion analysis, must end. `rollout`: its JSON, None if a
    `fieldRef` cannot be resolved. `later`: further arguments without known values.
    `work`: the limit of all analyses of the Rollout; TooLarge if this one does not fit.
    """
    total = work or Room()
    templates = found_templates(asked.templates, namespaced, of_cluster)
    total.take(TEMPLATE * len(templates) + METRIC * sum(len(t.spec.metrics) for t in templates))
    unknown = {arg.name for arg in asked.args if arg.name in later or _given_later(arg, rollout)}
    room = Room(ARGUMENTS)
    given = [_known_now(arg, rollout, unknown, room) for arg in asked.args]
    spec = run_spec(templates, given, asked.dry_run, asked.measurement_retention)
    values = argument_values(spec.args, None)
    metrics: list[Metric] = []
    room = Room()
    for template in templates:
        for metric in template.spec.metrics:
            before = room.used
            filled = _filled(template, metric, values, room)
            total.take(room.used - before)
            # Its number of measurements and its end may depend on an unknown value.
            judged = not unknown & names_in(*_limits(metric))
            metrics.append(filled if judged else Metric(filled.name, filled.provider))
            if judged and not background:
                _check_that_ends(template, metric, filled)
        if not background:
            _check_sources(template)
    check_metrics(metrics)
    return spec


def metrics_known_now(
    asked: RolloutAnalysis, namespaced: Templates, of_cluster: Templates, rollout: Mapping[str, Any] | None
) -> list[Metric]:
    """The metrics of this analysis with the arguments known before an update; DUMMY for the others.

    AnalysisProblem if the run cannot be created.
    """
    templates = found_templates(asked.templates, namespaced, of_cluster)
    unknown = {arg.name for arg in asked.args if _given_later(arg, rollout)}
    room = Room(ARGUMENTS)
    given = [_known_now(arg, rollout, unknown, room) for arg in asked.args]
    values = argument_values(run_spec(templates, given, [], []).args, None)
    return [_filled(one, metric, values, room) for one in templates for metric in one.spec.metrics]


def _given_later(arg: Argument, rollout: Mapping[str, Any] | None) -> bool:
    source = arg.value_from
    if source is None:
        return False
    field = source.field_ref
    return source.pod_template_hash_value is not None or (
        field is not None and (rollout is None or field.field_path.startswith("status"))
    )


def _known_now(arg: Argument, rollout: Mapping[str, Any] | None, unknown: set[str], room: Room) -> Argument:
    if arg.name in unknown or rollout is None:
        return Argument(arg.name, DUMMY if arg.name in unknown else arg.value)
    return rollout_arguments([arg], rollout, latest=DUMMY, stable=DUMMY, room=room)[0]


def _filled(template: AnalysisTemplate, metric: Metric, values: Mapping[str, str], room: Room) -> Metric:
    try:
        return with_arguments(metric, values, room)
    except AnalysisProblem as problem:
        where = f"template '{template.metadata.name}', metric {metric.name}"
        because = ": the templates of this analysis declare no such argument" if problem.argument else ""
        raise AnalysisProblem(f"{where}: {problem}{because}") from None


def _limits(metric: Metric) -> tuple[int | str | None, ...]:
    return (
        metric.interval,
        metric.initial_delay,
        metric.count,
        metric.failure_limit,
        metric.inconclusive_limit,
        metric.consecutive_error_limit,
        metric.consecutive_success_limit,
    )


def _check_that_ends(template: AnalysisTemplate, metric: Metric, filled: Metric) -> None:
    if filled.interval and number(filled.count) <= 0:
        shown = "<nil>" if metric.count is None else metric.count
        raise AnalysisProblem(
            f"AnalysisTemplate {template.metadata.name} has metric {metric.name} which runs indefinitely. "
            f"Invalid value for count: {shown}"
        )


def _check_sources(template: AnalysisTemplate) -> None:
    for arg in template.spec.args:
        if arg.value is not None and arg.value_from is not None:
            name = template.metadata.name
            raise AnalysisProblem(f"AnalysisTemplate {name}: arg '{arg.name}' has both Value and ValueFrom fields")
