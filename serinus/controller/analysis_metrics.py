"""Metrics of AnalysisRuns and Experiments, as Argo Rollouts names them: read from the cache while they are asked for.

Source: analysis, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serinus.analysis.phases import ERROR, FAILED, INCONCLUSIVE, PENDING, RUNNING, SUCCESSFUL
from serinus.api.analysis import AnalysisRun
from serinus.controller.cache import Cache

_OWNER = ["namespace", "name"]
PHASES = (PENDING, RUNNING, SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE)
TYPES = {"newRelic": "NewRelic", "cloudWatch": "CloudWatch", "skywalking": "skywalking", "plugin": "RPCPlugin"}
"""Provider's key → its name in metrics, where that is not the key with a capital letter."""


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
        for key, run in runs.items():
            info.add_metric([*key, run.status.phase or PENDING], 1)
            for phase in PHASES:
                phases.add_metric([*key, phase], float((run.status.phase or PENDING) == phase))
            for name, kind, dry, now in _metrics(run):
                types.add_metric([*key, name, kind], 1)
                for phase in PHASES:
                    metric_phases.add_metric([*key, name, kind, dry, phase], float(now == phase))
        yield from (info, phases, types, metric_phases)
        trials = GaugeMetricFamily("experiment_info", "One for each Experiment.", labels=[*_OWNER, "phase"])
        for key, experiment in self._cache.experiments.items.items():
            trials.add_metric([*key, experiment.status.phase or PENDING], 1)
        yield trials


def _metrics(run: AnalysisRun) -> Iterable[tuple[str, str, str, str]]:
    """(name, type of its provider, "true" for a dry run, phase) of each metric."""
    results = {result.name: result for result in run.status.metric_results}
    for metric in run.spec.metrics:
        result = results.get(metric.name)
        provider = next((name for name, config in metric.provider.items() if config is not None), "")
        kind = TYPES.get(provider) or provider[:1].upper() + provider[1:]
        dry = "true" if result is not None and result.dry_run else "false"
        yield metric.name, kind, dry, (result.phase if result and result.phase else PENDING)
