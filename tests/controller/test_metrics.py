"""What is measured of waits, AnalysisRuns and Experiments: a series lives as long as its object."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.controller.metrics import Metrics
from serinus.engine.plan import Event
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


async def test_what_is_counted_of_a_rollout_is_read_by_prometheus_and_goes_with_it(seen: tuple[Metrics, Cache]) -> None:
    metrics, cache = seen
    rollout = msgspec.convert(
        {"metadata": {"name": "web", "namespace": "a"}, "status": {"availableReplicas": 2}}, Rollout
    )
    cache.rollouts.items[WEB] = rollout
    for seconds in (0.005, 0.2, 3.0):
        metrics.reconciled(WEB, seconds)
    metrics.failed(WEB)
    metrics.told(rollout, Event("Said", 'it says "no"', "Warning"))

    def samples() -> dict[tuple[str, str], float]:
        families = text_string_to_metric_families(metrics.text().decode())
        return {
            (s.name, s.labels.get("le") or s.labels.get("reason") or ""): s.value
            for family in families
            for s in family.samples
            if s.labels.get("name") == "web" and s.labels["namespace"] == "a"
        }

    found = samples()
    assert {le: n for (name, le), n in found.items() if name == "rollout_reconcile_bucket"} == {
        "0.01": 1,
        "0.15": 1,
        "0.25": 2,
        "0.5": 2,
        "1.0": 2,
        "+Inf": 3,
    }
    assert found["rollout_reconcile_count", ""] == 3
    assert found["rollout_reconcile_sum", ""] == pytest.approx(3.205)
    assert (found["rollout_reconcile_error_total", ""], found["rollout_events_total", "Said"]) == (1, 1)
    assert found["rollout_info_replicas_available", ""] == 2
    del cache.rollouts.items[WEB]
    metrics.forget(WEB)
    assert samples() == {}
