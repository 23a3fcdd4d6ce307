"""Composes the spec of a run from templates, their references and rules (spec/analysis.md §1, Composition)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from serinus.analysis.arguments import merged_arguments, overridden
from serinus.analysis.errors import AnalysisProblem
from serinus.api.analysis import (
    AnalysisRunSpec,
    AnalysisTemplate,
    Argument,
    DryRun,
    MeasurementRetention,
    Metric,
    TemplateRef,
)

Templates = Mapping[str, AnalysisTemplate]
Reference = tuple[bool, str]
"""(cluster scope, name)."""


def found_templates(
    refs: Sequence[TemplateRef], namespaced: Templates, of_cluster: Templates
) -> list[AnalysisTemplate]:
    """The referenced templates, each once: those of the namespace, then those of the cluster.

    Nested references are followed, parents first. Circular references are harmless.
    AnalysisProblem names the first missing template.
    """
    walked = dict(_walk(refs, namespaced, of_cluster, set()))
    return [template for _, template in sorted(walked.items(), key=lambda item: item[0][0])]


def _walk(
    refs: Sequence[TemplateRef], namespaced: Templates, of_cluster: Templates, seen: set[Reference]
) -> Iterator[tuple[Reference, AnalysisTemplate]]:
    pending = list(reversed(refs))
    while pending:
        ref = pending.pop()
        key = (ref.cluster_scope, ref.template_name)
        if key in seen:
            continue
        seen.add(key)
        template = (of_cluster if ref.cluster_scope else namespaced).get(ref.template_name)
        if template is None:
            kind = "ClusterAnalysisTemplate" if ref.cluster_scope else "AnalysisTemplate"
            raise AnalysisProblem(f"{kind} '{ref.template_name}' not found", missing=(kind, ref.template_name))
        yield key, template
        pending += reversed(template.spec.templates)


def run_spec(
    templates: Sequence[AnalysisTemplate],
    args: Sequence[Argument] = (),
    dry_run: Sequence[DryRun] = (),
    retention: Sequence[MeasurementRetention] = (),
) -> AnalysisRunSpec:
    """The spec of a run of these templates with the caller's arguments and rules.

    AnalysisProblem if the templates conflict, and for an argument without a value.
    """
    return AnalysisRunSpec(
        metrics=_metrics(templates),
        args=_arguments(templates, args),
        dry_run=_dry_run([*dry_run, *(rule for t in templates for rule in t.spec.dry_run)]),
        measurement_retention=_retention([*retention, *(r for t in templates for r in t.spec.measurement_retention)]),
    )


def _arguments(templates: Sequence[AnalysisTemplate], given: Sequence[Argument]) -> list[Argument]:
    values = {arg.name for arg in given if arg.value is not None}
    declared = merged_arguments([t.spec.args for t in templates], values)
    try:
        return overridden(declared, given)
    except AnalysisProblem as problem:
        name = problem.argument
        by = [t.metadata.name for t in templates if any(arg.name == name for arg in t.spec.args)]
        why = "declares it without a value, and the analysis gives none"
        if next(arg for arg in declared if arg.name == name).value_from is not None:
            why = "takes it from a fieldRef, which works only in the arguments of a Rollout"
        raise AnalysisProblem(f"{problem}: template '{by[-1]}' {why}", argument=name) from None


def _metrics(templates: Sequence[AnalysisTemplate]) -> list[Metric]:
    metrics = [metric for t in templates for metric in t.spec.metrics]
    twice = _twice([metric.name for metric in metrics])
    if twice is not None:
        raise AnalysisProblem(f"two metrics have the same name '{twice}'")
    return metrics


def _dry_run(rules: list[DryRun]) -> list[DryRun]:
    twice = _twice([rule.metric_name for rule in rules])
    if twice is not None:
        raise AnalysisProblem(f"two Dry-Run metric rules have the same name '{twice}'")
    return rules


def _retention(rules: list[MeasurementRetention]) -> list[MeasurementRetention]:
    twice = _twice([rule.metric_name for rule in rules])
    if twice is not None:
        raise AnalysisProblem(f"two Measurement Retention metric rules have the same name '{twice}'")
    return rules


def _twice(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)
