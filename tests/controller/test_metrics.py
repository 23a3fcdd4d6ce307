"""Metrics of waits, AnalysisRuns and Experiments: a series lives as long as its object."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serinus.analysis.sequential.looks import Look
from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.controller.monitoring.metrics import Metrics
from serinus.engine.core.plan import Event
from serinus.kube.client import Client
from serinus.kube.queue import WorkQueue
from tests.support.engine.kept_verdict import kept_verdict
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)
WEB = ("a", "web")


@pytest.fixture
async def seen(store: Any) -> tuple[Metrics, Cache]:
    clock, metrics = LoopClock(), Metrics()
    cache = Cache(Client(store), clock, Random(1), lambda _: None)
    metrics.watch(cache, {"Rollouts": WorkQueue(clock, Random(2))})
    return metrics, cache


def lines(metrics: Metrics, name: str) -> list[str]:
    return [line for line in metrics.text().decode().splitlines() if line.startswith(f"{name}{{")]


async def test_each_reason_to_wait_is_one_series_until_it_is_over(seen: tuple[Metrics, Cache]) -> None:
    metrics, _ = seen
    metrics.waits(WEB, (("PodsNotReady", "ImagePullBackOff"), ("ScaleDownDelay", ""), ("ScaleDownDelay", "")))
    assert lines(metrics, "rollout_waiting") == [
        'rollout_waiting{name="web",namespace="a",reason="PodsNotReady"} 1.0',
        'rollout_waiting{name="web",namespace="a",reason="ScaleDownDelay"} 1.0',
    ]
    assert lines(metrics, "rollout_waiting_cause") == [
        'rollout_waiting_cause{name="web",namespace="a",reason="PodsNotReady",cause="ImagePullBackOff"} 1.0'
    ]
    metrics.waits(WEB, ())
    assert lines(metrics, "rollout_waiting") == []
    assert lines(metrics, "rollout_waiting_cause") == []


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


async def test_the_evidence_of_a_verdict_is_a_series_for_each_hypothesis(seen: tuple[Metrics, Cache]) -> None:
    metrics, cache = seen
    asked, result = kept_verdict([Look(20, 2, 180, 2)])
    run = {"metadata": {"name": "web", "namespace": "a"}, "spec": {"metrics": [asked]}}
    cache.analysis_runs.items[WEB] = msgspec.convert({**run, "status": {"metricResults": [result]}}, AnalysisRun)
    labels = 'hypothesis="harm",metric="errors",name="web",namespace="a"'
    (harm,) = [line for line in lines(metrics, "analysis_run_verdict_evidence") if "harm" in line]
    name, _, share = harm.rpartition(" ")
    assert name == f"analysis_run_verdict_evidence{{{labels}}}"
    assert float(share) == pytest.approx(5.2 / 20, abs=0.01)


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


def a_rollout(started: str, **duration: Any) -> Rollout:
    status = {"duration": {"rolloutStartedAt": f"2026-01-01T00:{started}Z", **duration}}
    return msgspec.convert({"metadata": {"name": "web", "namespace": "a"}, "status": status}, Rollout)


@pytest.mark.parametrize(
    ("after", "status", "seconds"),
    [
        (a_rollout("00:00", completionStatus="Promoted", finishedAt="2026-01-01T00:01:40Z"), "Promoted", 100),
        (a_rollout("00:00", completionStatus="Aborted", finishedAt="2026-01-01T00:00:05Z"), "Aborted", 5),
        (a_rollout("00:30"), "Superseded", 30),
        (a_rollout("00:00", completionStatus="RolledBack"), "", 0),
    ],
)
async def test_the_time_an_update_took_is_counted_once_by_how_it_ended(
    seen: tuple[Metrics, Cache], after: Rollout, status: str, seconds: float
) -> None:
    metrics, _ = seen
    metrics.durations.changed(a_rollout("00:00"), after)
    metrics.durations.changed(after, after)
    sums = [f'rollout_duration_seconds_sum{{status="{status}"}} {float(seconds)}'] if status else []
    assert lines(metrics, "rollout_duration_seconds_sum") == sums


async def test_pauses_for_a_person_are_told_apart_from_progress(seen: tuple[Metrics, Cache]) -> None:
    metrics, _ = seen
    ended = {"completionStatus": "Promoted", "finishedAt": "2026-01-01T00:01:40Z"}
    metrics.durations.changed(a_rollout("00:00"), a_rollout("00:00", **ended, totalManualPauseDurationSeconds=70))
    assert lines(metrics, "rollout_manual_pause_duration_seconds_sum") == [
        'rollout_manual_pause_duration_seconds_sum{status="Promoted"} 70.0'
    ]
    assert lines(metrics, "rollout_progression_duration_seconds_sum") == [
        'rollout_progression_duration_seconds_sum{status="Promoted"} 30.0'
    ]


NAMED = """
rollout_info rollout_info_replicas_available rollout_info_replicas_unavailable rollout_info_replicas_desired
rollout_info_replicas_updated rollout_phase rollout_events rollout_reconcile rollout_reconcile_error
experiment_reconcile experiment_reconcile_error analysis_run_reconcile analysis_run_reconcile_error
rollout_duration_seconds rollout_progression_duration_seconds rollout_manual_pause_duration_seconds
experiment_info experiment_phase analysis_run_info analysis_run_phase analysis_run_metric_type analysis_run_metric_phase
analysis_template_info analysis_template_metric_info controller_clientset_k8s_request argo_rollouts_controller_info
build_info workqueue_depth workqueue_adds workqueue_retries
"""
"""The queries of Argo Rollouts' dashboards (the CLI spec, section 5), except those of notifications, which are not sent."""


async def test_every_metric_that_dashboards_know_is_there(seen: tuple[Metrics, Cache]) -> None:
    metrics, _ = seen
    families = {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    assert families >= set(NAMED.split())


async def test_a_template_is_told_with_the_providers_of_its_metrics(seen: tuple[Metrics, Cache]) -> None:
    metrics, cache = seen
    run = {"metadata": {"name": "web", "namespace": "a"}}
    steps = [{"analysis": {"templates": [{"templateName": "errors"}]}}]
    strategy = {"canary": {"steps": steps}}
    cache.rollouts._tell(None, msgspec.convert({**run, "spec": {"strategy": strategy}}, Rollout))  # pyright: ignore[reportPrivateUsage]
    template = {"spec": {"metrics": [{"name": "rate", "provider": {"newRelic": {}}}]}}
    cache.others["AnalysisTemplate"].items |= {("a", "errors"): template, ("a", "odd"): {"spec": {"metrics": 3}}}
    assert lines(metrics, "analysis_template_info") == [
        'analysis_template_info{name="errors",namespace="a"} 1.0',
        'analysis_template_info{name="odd",namespace="a"} 1.0',
    ]
    (told,) = lines(metrics, "analysis_template_metric_info")
    assert 'metric="rate"' in told
    assert 'type="NewRelic"' in told


async def test_a_rollout_is_in_one_phase(seen: tuple[Metrics, Cache]) -> None:
    metrics, cache = seen
    cache.rollouts.items[WEB] = a_rollout("00:00")
    assert [line for line in lines(metrics, "rollout_phase") if line.endswith(" 1.0")] == [
        'rollout_phase{name="web",namespace="a",phase="Progressing",strategy="none"} 1.0'
    ]
