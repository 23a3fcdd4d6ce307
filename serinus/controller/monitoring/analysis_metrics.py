"""Metrics of AnalysisRuns and Experiments, with the names of Argo Rollouts. Each scrape reads them from the cache.

Source: analysis, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serinus.analysis.phases import ERROR, FAILED, INCONCLUSIVE, PENDING, RUNNING, SUCCESSFUL
from serinus.analysis.providers.registry import known
from serinus.analysis.sequential.metric import configuration
from serinus.api.analysis import AnalysisRun, AnalysisTemplateSpec
from serinus.api.analysis import Metric as AnalysisMetric
from serinus.api.decoding.reading import converted
from serinus.api.messages.verdict_words import evidence_shares
from serinus.api.meta import Json
from serinus.controller.cache import Cache

_OWNER = ["namespace", "name"]
PHASES = (PENDING, RUNNING, SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE)


class AnalysisGauges(Collector):
    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterable[Metric]:
        runs = self._cache.analysis_runs.items
        info = GaugeMetricFamily("analysis_run_info", "One for each AnalysisRun.", labels=[*_OWNER, "phase"])
        phases = GaugeMetricFamily("analysis_run_phase", "1 for the phase that it is in.", labels=[*_OWNER, "phase"])
        types = GaugeMetricFamily(
            "analysis_run_metric_type", "The provider of each metric.", labels=[*_OWNER, "metric", "type"]
        )
        metric_phases = GaugeMetricFamily(
            "analysis_run_metric_phase",
            "1 for the phase that the metric is in.",
            labels=[*_OWNER, "metric", "type", "dry_run", "phase"],
        )
        evidence = GaugeMetricFamily(
            "analysis_run_verdict_evidence",
            "Evidence of a sequential verdict over its limit: 1 is a verdict.",
            labels=[*_OWNER, "metric", "hypothesis"],
        )
        for key, run in runs.items():
            info.add_metric([*key, run.status.phase or PENDING], 1)
            for phase in PHASES:
                phases.add_metric([*key, phase], float((run.status.phase or PENDING) == phase))
            for name, kind, dry, now in _metrics(run):
                types.add_metric([*key, name, kind], 1)
                for phase in PHASES:
                    metric_phases.add_metric([*key, name, kind, dry, phase], float(now == phase))
            for name, hypothesis, share in _evidence(run):
                evidence.add_metric([*key, name, hypothesis], share)
        yield from (info, phases, types, metric_phases, evidence)
        trials = GaugeMetricFamily("experiment_info", "One for each Experiment.", labels=[*_OWNER, "phase"])
        trial_phases = GaugeMetricFamily(
            "experiment_phase", "1 for the phase that it is in.", labels=[*_OWNER, "phase"]
        )
        for key, experiment in self._cache.experiments.items.items():
            trials.add_metric([*key, experiment.status.phase or PENDING], 1)
            for phase in PHASES:
                trial_phases.add_metric([*key, phase], float((experiment.status.phase or PENDING) == phase))
        yield from (trials, trial_phases)
        yield from self._templates()

    def _templates(self) -> Iterable[Metric]:
        """Templates of the kinds that an object refers to. The cache does not watch other kinds."""
        info = GaugeMetricFamily("analysis_template_info", "One for each template.", labels=_OWNER)
        metrics = GaugeMetricFamily(
            "analysis_template_metric_info", "The provider of each of its metrics.", labels=[*_OWNER, "type", "metric"]
        )
        for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate"):
            informer = self._cache.others.get(kind)
            for key, template in informer.items.items() if informer else ():
                info.add_metric([*key], 1)
                for metric in _metrics_of(template):
                    metrics.add_metric([*key, _type(metric), metric.name], 1)
        yield from (info, metrics)


def _metrics(run: AnalysisRun) -> Iterable[tuple[str, str, str, str]]:
    """(name, type of its provider, "true" for a dry run, phase) of each metric."""
    results = {result.name: result for result in run.status.metric_results}
    for metric in run.spec.metrics:
        result = results.get(metric.name)
        dry = "true" if result is not None and result.dry_run else "false"
        yield metric.name, _type(metric), dry, (result.phase if result and result.phase else PENDING)


def _evidence(run: AnalysisRun) -> Iterable[tuple[str, str, float]]:
    """(metric, hypothesis, evidence over its limit) of its metrics with a sequential verdict."""
    sequential = {metric.name for metric in run.spec.metrics if configuration(metric) is not None}
    for result in run.status.metric_results:
        if result.name in sequential and result.measurements:
            for hypothesis, share in evidence_shares(result.measurements[-1].value).items():
                yield result.name, hypothesis, share


def _metrics_of(template: Json) -> list[AnalysisMetric]:
    """The metrics of a template; empty if it cannot be read. The objects that use the template report the error."""
    try:
        return converted(template.get("spec") or {}, AnalysisTemplateSpec).metrics
    except msgspec.ValidationError:
        return []


def _type(metric: AnalysisMetric) -> str:
    """The type of the metric's provider. For an unknown provider: its key, capitalized."""
    key = next((name for name, config in metric.provider.items() if config is not None), "")
    provider = known(key)
    return provider.type if provider is not None else key[:1].upper() + key[1:]
