"""An AnalysisRun with a Job, on the real API server, with the real controllers and node, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from serinus.analysis.phases import COMPLETED
from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.measuring import clean_up, measure
from serinus.analysis.providers.provider import ProviderContext
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import assess
from serinus.analysis.schedule import tasks
from serinus.api.analysis import AnalysisRun
from serinus.api.resources import ANALYSIS_RUNS, JOBS
from tests.support.local.fake_node import FakeProgram

pytestmark = pytest.mark.looptime

CONTAINERS = [{"name": "test", "image": "test:1"}]
RUN: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AnalysisRun",
    "metadata": {"name": "run"},
    "spec": {
        "metrics": [
            {
                "name": "test",
                "count": 3,
                "interval": "5s",
                "failureLimit": 1,
                "provider": {
                    "job": {
                        "metadata": {"labels": {"team": "a"}},
                        "spec": {
                            "backoffLimit": 0,
                            "template": {"spec": {"restartPolicy": "Never", "containers": CONTAINERS}},
                        },
                    }
                },
            }
        ],
        "measurementRetention": [{"metricName": "test", "limit": 2}],
    },
}


async def carried_out(world: Any) -> AnalysisRun:
    """As a controller would: each pass reads the status back from the API, so the API must accept it."""
    reach = ProviderContext(Http(), world.client, world.clock.now)
    due: dict[str, float] = {}
    for _ in range(100):
        run = await world.client.get(ANALYSIS_RUNS, "run", "default", type=AnalysisRun)
        if run.status.phase in COMPLETED:
            return run
        resolved = resolve(run.spec, {})
        measured = await measure(run, tasks(run, resolved, world.clock.now(), due), reach)
        found = assess(run, resolved, measured, world.clock.now(), due)
        due = dict(found.due)
        await clean_up(run, resolved, found.trimmed, reach)
        status = {"status": msgspec.to_builtins(found.status)}
        await world.client.patch(ANALYSIS_RUNS, "run", status, "default")
        await asyncio.sleep(max(0.0, (found.next or 0.0) - world.clock.now()))
    raise AssertionError("the run does not end")


@pytest.mark.parametrize(("codes", "phase", "failed"), [([0, 3, 0], "Successful", 1), ([0, 3, 3], "Failed", 2)])
async def test_jobs_decide_a_run_and_go_with_it(world: Any, codes: list[int], phase: str, failed: int) -> None:
    def script(_image: str, _attempt: int) -> FakeProgram:
        started = sum(1 for _, what, *_ in world.runtime.history if what == "start")
        return FakeProgram(runs_for=2.0, exit_code=codes[min(started, len(codes) - 1)])

    world.runtime.script = script
    await world.client.create(ANALYSIS_RUNS, RUN, "default")
    run = await carried_out(world)
    (result,) = run.status.metric_results
    assert (run.status.phase, result.count, result.failed) == (phase, 3, failed)
    assert len(result.measurements) == 2
    jobs = (await world.client.list(JOBS, "default")).items
    assert sorted(job["metadata"]["name"] for job in jobs) == [f"{run.metadata.uid}.test.{n}" for n in (2, 3)]
    await world.client.delete(ANALYSIS_RUNS, "run", "default")
    await world.until(lambda: gone(world))


async def gone(world: Any) -> bool:
    return not (await world.client.list(JOBS, "default")).items and not await world.pods()
