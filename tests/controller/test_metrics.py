"""What is measured of waits, AnalysisRuns and Experiments: a series lives as long as its object."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.controller.cache import Cache
from serinus.controller.metrics import Metrics
from serinus.kube.client import Client
from serinus.kube.clock import LoopClock
from serinus.kube.queue import WorkQueue

pytestmark = pytest.mark.looptime(start=0)
WEB = ("a", "web")


@pytest.fixture
async def seen(store: Any) -> tuple[Metrics, Cache]:
    clock, metrics = LoopClock(), Metrics()
    cache = Cache(Client(store), clock, Random(1), lambda _: None)
    metrics.watch(cache, WorkQueue(clock, Random(2)))
    return metrics, cache


def lines(metrics: Metrics, name: str) -> list[str]:
    return [line for line in metrics.text().decode().splitlines() if line.startswith(f"{name}{{")]


async def test_each_reason_to_wait_is_one_series_until_it_is_over(seen: tuple[Metrics, Cache]) -> None:
    metrics, _ = seen
    metrics.waits(WEB, ("PodsNotReady", "ScaleDownDelay", "ScaleDownDelay"))
    assert lines(metrics, "rollout_waiting") == [
        'rollout_waiting{name="web",namespace="a",reason="PodsNotReady"} 1.0',
        'rollout_waiting{name="web",namespace="a",reason="ScaleDownDelay"} 1.0',
    ]
    metrics.waits(WEB, ())
    assert lines(metrics, "rollout_waiting") == []


async def test_runs_and_experiments_are_told_with_their_phases(seen: tuple[Metrics, Cache]) -> None:
    metrics, cache = seen
    spec = {"metrics": [{"name": "errors", "provider": {"prometheus": {}}}]}
    results = [{"name": "errors", "phase": "Failed", "dryRun": True}]
    run: dict[str, Any] = {"metadata": {"name": "web", "namespace": "a"}, "spec": spec}
    run["status"] = {"phase": "Failed", "metricResults": results}
    cache.analysis_runs.items[WEB] = msgspec.convert(run, AnalysisRun)
    cache.experiments.items[WEB] = msgspec.convert({"metadata": {"name": "web", "namespace": "a"}}, Experiment)
    assert lines(metrics, "analysis_run_info") == ['analysis_run_info{name="web",namespace="a",phase="Failed"} 1.0']
    assert lines(metrics, "experiment_info") == ['experiment_info{name="web",namespace="a",phase="Pending"} 1.0']
    told = [line for line in lines(metrics, "analysis_run_metric_phase") if line.endswith(" 1.0")]
    labels = 'dry_run="true",metric="errors",name="web",namespace="a",phase="Failed",type="Prometheus"'
    assert told == [f"analysis_run_metric_phase{{{labels}}} 1.0"]
