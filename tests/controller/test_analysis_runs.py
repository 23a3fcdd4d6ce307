"""AnalysisRuns carried out by the whole controller, in virtual time, against the real API server in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from serinus.analysis.schedule import Task, tasks
from serinus.api.analysis import AnalysisRun
from serinus.api.resources import ANALYSIS_RUNS, EVENTS, JOBS, ROLLOUTS, SECRETS
from serinus.controller.bounded import TooMuch
from serinus.kube.client import Client
from serinus.kube.errors import NotFound
from serinus.kube.transport import Request, Response
from serinus.local.apiserver.server import ApiServer
from serinus.local.apiserver.storage.store import MemoryStore
from serinus.local.schema.kinds import Schemas
from tests.support.controller.analysis_stage import SPACE, Stage

pytestmark = pytest.mark.looptime(start=0)
Json = dict[str, Any]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    await made.api.start()
    made.begin()
    yield made
    await made.end()
    made.api.close()


async def test_it_measures_as_often_as_was_asked_and_on_time(stage: Stage) -> None:
    await stage.run(count=4, interval="5s")
    status = await stage.until("Successful")
    assert [m["value"] for m in status["metricResults"][0]["measurements"]] == ["0.99"] * 4
    times = [at for at, _ in stage.metrics.asked]
    assert [round(b - a, 2) for a, b in pairwise(times)] == [5.0, 5.0, 5.0]
    assert stage.metrics.asked[0][1] == "http://metrics/value?key=all"


async def test_a_bad_value_fails_the_run_and_is_told(stage: Stage) -> None:
    stage.metrics.value = 0.2
    await stage.run(count=3, interval="1s")
    status = await stage.until("Failed")
    assert status["message"] == 'Metric "value" assessed Failed due to failed (1) > failureLimit (0)'
    await asyncio.sleep(1)
    events = (await stage.client.list(EVENTS, SPACE)).items
    assert {(e["involvedObject"]["kind"], e["reason"]) for e in events} == {
        ("AnalysisRun", "MetricFailed"),
        ("AnalysisRun", "AnalysisRunFailed"),
    }


async def test_a_killed_controller_counts_no_measurement_twice(stage: Stage) -> None:
    await stage.run(count=6, interval="4s")
    for _ in range(5):
        await asyncio.sleep(2.9)
        await stage.end()
        stage.begin()
    status = await stage.until("Successful")
    assert (status["metricResults"][0]["count"], status["metricResults"][0]["successful"]) == (6, 6)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_long_job_is_the_verdict_the_moment_it_ends(stage: Stage, elsewhere: bool) -> None:
    jobs = stage.client
    if elsewhere:
        other = ApiServer(MemoryStore(), Schemas(), stage.clock, rng=Random(3))
        await other.start()
        jobs = Client(other.handle, user_agent="user")
        await stage.end()
        stage.begin(jobs=jobs)
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "test", "image": "test"}]}}
    await stage.run(provider={"job": {"spec": {"template": pod}}}, successCondition="")
    await asyncio.sleep(100)  # by now the provider itself polls every 14 seconds
    (job,) = (await jobs.list(JOBS, SPACE)).items
    assert ("ownerReferences" in job["metadata"]) is not elsewhere, "nobody there would know the owner"
    done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    await jobs.patch(JOBS, job["metadata"]["name"], done, SPACE, subresource="status")
    began = stage.clock.now()
    await stage.until("Successful")
    assert stage.clock.now() - began < 1


async def test_one_that_is_only_for_analyses_leaves_rollouts_to_another(stage: Stage) -> None:
    await stage.end()
    stage.begin(only_analyses=True)
    await stage.client.create(ROLLOUTS, {"metadata": {"name": "web"}, "spec": {"replicas": 1}}, SPACE)
    await stage.run(count=1)
    await stage.until("Successful")
    assert "status" not in await stage.client.get(ROLLOUTS, "web", SPACE)


async def test_told_to_stop_in_the_middle_of_a_slow_answer_it_ends_and_keeps_what_it_measured(stage: Stage) -> None:
    stage.metrics.takes = 3
    await stage.run(count=10, interval="1s")
    await asyncio.sleep(1)
    await stage.client.patch(ANALYSIS_RUNS, "check", {"spec": {"terminate": True}}, SPACE)
    status = await stage.until("Successful")
    assert status["message"] == "Run Terminated"
    assert status["metricResults"][0]["count"] == 1


async def test_a_secret_is_used_and_shown_nowhere(stage: Stage) -> None:
    data = {"stringData": {"token": "s3cr3t"}}
    await stage.client.create(SECRETS, {"metadata": {"name": "login"}, **data}, SPACE)
    stage.metrics.value = 0.1
    web = {"web": {"url": "http://metrics/?t={{args.key}}", "jsonPath": "{$.value}"}}
    reference = {"secretKeyRef": {"name": "login", "key": "token"}}
    spec = {
        "metrics": [{"name": "value", "provider": web, "successCondition": "result > 0.9"}],
        "args": [{"name": "key", "valueFrom": reference}],
    }
    await stage.client.create(ANALYSIS_RUNS, {"metadata": {"name": "check"}, "spec": spec}, SPACE)
    status = await stage.until("Failed")
    assert stage.metrics.asked[0][1] == "http://metrics/?t=s3cr3t"
    assert "s3cr3t" not in json.dumps(status)


async def test_a_missing_secret_ends_the_run_with_its_name(stage: Stage) -> None:
    spec = {
        "metrics": [{"name": "value", "provider": {"web": {"url": "http://m/{{args.key}}"}}}],
        "args": [{"name": "key", "valueFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}],
    }
    await stage.client.create(ANALYSIS_RUNS, {"metadata": {"name": "check"}, "spec": spec}, SPACE)
    status = await stage.until("Error")
    assert status["message"] == 'Unable to resolve metric arguments: secrets "login" not found (argument "key")'


@pytest.mark.parametrize(
    ("why", "refuses", "attempts"),
    [
        ("a Secret goes", lambda body: False, 0),
        ("measurements are refused", lambda body: body["status"].get("phase") != "Error", 1),
        ("long statuses are refused", lambda body: "metricResults" in body["status"], 2),
    ],
)
async def test_a_run_that_cannot_go_on_leaves_no_job_behind(
    stage: Stage, why: str, refuses: Callable[[Json], bool], attempts: int
) -> None:
    """A Job that is never ended runs for as long as its pods do, and tests a version that may be gone."""
    refused: list[Json] = []
    stop = asyncio.Event()
    message = {"kind": "Status", "status": "Failure", "code": 422, "reason": "Invalid", "message": "against the policy"}

    async def handle(request: Request) -> Response:
        if stop.is_set() and request.method == "PATCH" and "/analysisruns/" in request.path:
            body = json.loads(request.body)
            if refuses(body):
                refused.append(body)
                return Response(422, json.dumps(message).encode())
        return await stage.api.handle(request)

    await stage.end()
    stage.begin(handle=handle)
    await stage.client.create(SECRETS, {"metadata": {"name": "login"}, "stringData": {"token": "s3cr3t"}}, SPACE)
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "test", "image": "test"}]}}
    web = {"web": {"url": "http://metrics/?t={{args.key}}", "jsonPath": "{$.value}"}}
    metrics: list[Json] = [
        {"name": "job", "provider": {"job": {"spec": {"template": pod}}}},
        {"name": "value", "provider": web, "interval": "5s"},
    ]
    reference = {"secretKeyRef": {"name": "login", "key": "token"}}
    spec = {"metrics": metrics, "args": [{"name": "key", "valueFrom": reference}]}
    await stage.client.create(ANALYSIS_RUNS, {"metadata": {"name": "check"}, "spec": spec}, SPACE)
    await asyncio.sleep(3)
    assert len((await stage.client.list(JOBS, SPACE)).items) == 1
    stop.set()
    if not attempts:
        await stage.client.delete(SECRETS, "login", SPACE)
    status = await stage.until("Error")
    assert ("against the policy" in status["message"]) is bool(attempts)
    assert len(refused) == attempts
    (job,) = (await stage.client.list(JOBS, SPACE)).items
    assert job["metadata"].get("deletionTimestamp"), "it is deleted in the foreground: its pods first"
    (result,) = (result for result in status["metricResults"] if result["name"] == "job")
    assert ("finishedAt" in result["measurements"][-1]) is (why != "long statuses are refused")


async def test_a_run_with_a_time_to_live_is_deleted_after_it(stage: Stage) -> None:
    await stage.run()
    await stage.client.patch(ANALYSIS_RUNS, "check", {"spec": {"ttlStrategy": {"secondsAfterSuccess": 10}}}, SPACE)
    await stage.until("Successful")
    await asyncio.sleep(8)
    assert (await stage.status())["phase"] == "Successful"
    await asyncio.sleep(5)
    with pytest.raises(NotFound):
        await stage.status()


async def test_a_rotated_secret_and_a_changed_spec_count_from_the_next_round(stage: Stage) -> None:
    """A run is resolved once; the result is reused for as long as it is true."""
    await stage.client.create(SECRETS, {"metadata": {"name": "login"}, "stringData": {"token": "old"}}, SPACE)
    web = {"web": {"url": "http://metrics/?t={{args.key}}", "jsonPath": "{$.value}"}}
    metric: Json = {"name": "value", "interval": "5s", "provider": web, "successCondition": "result > 0.9"}
    argument = {"name": "key", "valueFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}
    spec = {"metrics": [metric], "args": [argument]}
    await stage.client.create(ANALYSIS_RUNS, {"metadata": {"name": "check"}, "spec": spec}, SPACE)
    await asyncio.sleep(6)
    await stage.client.patch(SECRETS, "login", {"stringData": {"token": "new"}}, SPACE)
    await asyncio.sleep(5)
    longer = {"metrics": [{**metric, "interval": "20s"}]}
    await stage.client.patch(ANALYSIS_RUNS, "check", {"spec": longer}, SPACE)
    await asyncio.sleep(30)
    assert [url[-3:] for _, url in stage.metrics.asked] == ["old", "old", "new", "new"]
    pauses = [round(b - a) for (a, _), (b, _) in pairwise(stage.metrics.asked)]
    assert pauses == [5, 5, 20]


async def test_a_run_that_would_become_too_large_ends_and_names_the_bound(stage: Stage) -> None:
    web = {"web": {"url": "{{args.key}}" * 2_000}}
    spec: Json = {"metrics": [{"name": f"m{i}", "provider": web} for i in range(10)]}
    spec["args"] = [{"name": "key", "value": "x" * 100_000}]
    await stage.client.create(ANALYSIS_RUNS, {"metadata": {"name": "check"}, "spec": spec}, SPACE)
    status = await stage.until("Error")
    assert "more than 1500000 characters (at metrics['m0'].provider.web.url)" in status["message"]
    assert not stage.metrics.asked


@pytest.mark.parametrize(
    ("error", "attempts"), [(TooMuch("it takes more than 2 s of CPU time"), 1), (KeyError("x"), 5)]
)
async def test_a_run_that_cannot_be_assessed_ends_and_others_go_on(
    stage: Stage, error: Exception, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def fails(run: AnalysisRun, *more: Any) -> list[Task]:
        if run.metadata.name == "bad":
            tried.append(stage.clock.now())
            raise error
        return tasks(run, *more)

    monkeypatch.setattr("serinus.controller.analysis_runs.tasks", fails)
    bad: Json = {
        "metadata": {"name": "bad"},
        "spec": {"metrics": [{"name": "m", "provider": {"web": {"url": "http://x"}}}]},
    }
    await stage.client.create(ANALYSIS_RUNS, bad, SPACE)
    await stage.run(count=4, interval="5s")
    await stage.until("Successful")
    status = await stage.until("Error", "bad")
    assert type(error).__name__ in status["message"] or str(error) in status["message"]
    assert len(tried) == attempts
    assert all(b - a > 0.9 for a, b in pairwise(tried))
