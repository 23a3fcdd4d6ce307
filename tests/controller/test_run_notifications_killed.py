"""Messages about AnalysisRuns and Experiments when the controller is killed at any write: each arrives once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from serinus.api.resources import ANALYSIS_RUNS, ANALYSIS_TEMPLATES, EXPERIMENTS, REPLICA_SETS, ROLLOUTS
from serinus.engine.core.plan import Event, Plan, Snapshot
from serinus.kube.client import Client
from serinus.kube.transport import Request, Response
from tests.support.controller.mortal import Mortal
from tests.support.controller.notification_scene import METRIC, NAP, Scene
from tests.support.long import few

pytestmark = pytest.mark.looptime(start=0)

PENDING = "notifications.serinus.dev/pending"
TRIGGERS = ("analysis-run-successful", "metric-successful", "experiment-successful")
CONFIG = {
    "service.slack": "apiURL: http://slack.test/api/\ntoken: t\n",
    "template.told": "message: '{{.event.reason}} of {{.analysisRun.metadata.name}}'\n",
    "template.tried": "message: '{{.event.reason}} of {{.experiment.metadata.name}}'\n",
    "trigger.on-analysis-run-successful": "- send: [told]\n",
    "trigger.on-metric-successful": "- send: [told]\n",
    "trigger.on-experiment-successful": "- send: [tried]\n",
}
SUBSCRIBED = {f"{NAP}/subscribe.on-{what}.slack": "ch" for what in TRIGGERS}
COUNTED = ("/rollouts/web", "/analysisruns/", "/experiments/trial")


Make = Callable[[Scene], Awaitable[None]]


def report(snapshot: Snapshot) -> Plan:
    """The Rollout reports the verdict of its run in its own Event, as the engine does."""
    over = [run for run in snapshot.analysis_runs if run.status.phase == "Successful"]
    if snapshot.rollout.status.phase == "Healthy" or not over:
        return Plan()
    told = Event("AnalysisRunSuccessful", f"Analysis Run '{over[0].metadata.name}' Status is Successful")
    return Plan(status={"phase": "Healthy"}, events=(told,))


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    made = Scene()
    yield made
    made.api.close()


def owned(kind: str, name: str, uid: str) -> list[dict[str, Any]]:
    api = "argoproj.io/v1alpha1"
    return [{"apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": True}]


async def run_of(scene: Scene) -> None:
    web = await scene.client.get(ROLLOUTS, "web", "default")
    owners = owned("Rollout", "web", web["metadata"]["uid"])
    metadata = {"name": "check", "annotations": SUBSCRIBED, "ownerReferences": owners}
    await scene.client.create(ANALYSIS_RUNS, {"metadata": metadata, "spec": {"metrics": [METRIC]}}, "default")


async def trial_of(scene: Scene) -> None:
    """An Experiment whose pods run, with an analysis."""
    web = await scene.client.get(ROLLOUTS, "web", "default")
    owners = owned("Rollout", "web", web["metadata"]["uid"])
    template = {"metadata": {"name": "check"}, "spec": {"metrics": [METRIC]}}
    await scene.client.create(ANALYSIS_TEMPLATES, template, "default")
    metadata = {"name": "trial", "annotations": SUBSCRIBED, "ownerReferences": owners}
    labels = {"app": "trial"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    templates = [{"name": "new", "replicas": 1, "selector": {"matchLabels": labels}, "template": pods}]
    analysis = {"name": "a", "templateName": "check", "requiredForCompletion": True}
    spec = {
        "analyses": [analysis],
        "templates": templates,
        "analysisRunMetadata": {"annotations": SUBSCRIBED},
    }
    await scene.client.create(EXPERIMENTS, {"metadata": metadata, "spec": spec}, "default")


async def serve(scene: Scene) -> None:
    """Makes the pods of ReplicaSets available, until cancelled."""
    status = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}
    while True:
        await asyncio.sleep(0.5)
        for found in (await scene.client.list(REPLICA_SETS, "default")).items:
            if found.get("spec", {}).get("replicas") and not (found.get("status") or {}).get("availableReplicas"):
                name = found["metadata"]["name"]
                await scene.client.patch(REPLICA_SETS, name, {"status": status}, "default", subresource="status")


async def killed_once(scene: Scene, dies_at: int, *, done: bool, answer: int = 500) -> Mortal:
    """Lets one controller die at a write, and another one finish."""
    scene.slack.answer = answer
    mortal = Mortal(scene, dies_at, done=done, counted=COUNTED)
    serving = asyncio.create_task(serve(scene))
    async with scene.controller(report, Client(mortal.handle)):
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await mortal.dead.wait()
    scene.slack.answer = 200
    async with scene.controller(report):
        await asyncio.sleep(60)
    serving.cancel()
    return mortal


async def begin(scene: Scene, make: Make, **more: str) -> None:
    await scene.begin({**CONFIG, **more})
    await scene.rollout("Progressing", **SUBSCRIBED)
    await make(scene)


EXPECTED: dict[Make, list[str]] = {
    run_of: ["AnalysisRunSuccessful of check", "MetricSuccessful of check"],
    trial_of: ["AnalysisRunSuccessful of trial-a", "ExperimentSuccessful of trial", "MetricSuccessful of trial-a"],
}


WRITES: dict[Make, int] = {run_of: 3, trial_of: 7}
"""Writes while the receiver is down, with the one after the last message."""
DEATHS = [(make, at) for make, count in WRITES.items() for at in range(count)]


@pytest.mark.parametrize("done", [False, True], ids=["before the write", "before its answer"])
@pytest.mark.parametrize(("make", "dies_at"), few(DEATHS, DEATHS[::3]))
async def test_each_message_arrives_once(scene: Scene, make: Make, dies_at: int, done: bool) -> None:
    await begin(scene, make)
    mortal = await killed_once(scene, dies_at, done=done)
    assert mortal.dead.is_set()
    assert sorted(scene.slack.texts()) == EXPECTED[make]
    assert PENDING not in await scene.annotations()


@pytest.mark.parametrize("done", [False, True], ids=["before the write", "before its answer"])
@pytest.mark.parametrize(("make", "dies_at"), few([*DEATHS, *WRITES.items()], [*DEATHS[::3], *WRITES.items()]))
async def test_a_message_that_was_taken_comes_again_only_if_that_was_not_written(
    scene: Scene, make: Make, dies_at: int, done: bool
) -> None:
    """The Rollout or the Experiment reports the verdict of a run again after the controller has restarted."""
    await begin(scene, make)
    mortal = await killed_once(scene, dies_at, done=done, answer=200)
    assert mortal.dead.is_set()
    assert sorted({*scene.slack.texts()}) == EXPECTED[make]
    if done or PENDING not in mortal.writes[-1]:
        assert sorted(scene.slack.texts()) == EXPECTED[make]


async def test_a_run_that_is_gone_is_still_reported(scene: Scene) -> None:
    await begin(scene, run_of, **{"template.told": "message: '{{.event.reason}} in {{.rollout.metadata.name}}'"})
    scene.slack.answer = 500
    async with scene.controller(report):
        await asyncio.sleep(30)
    await scene.client.delete(ANALYSIS_RUNS, "check", "default")
    scene.slack.answer = 200
    async with scene.controller(report):
        await asyncio.sleep(30)
    assert sorted(scene.slack.texts()) == ["AnalysisRunSuccessful in web", "MetricSuccessful in web"]


async def test_a_message_of_a_verdict_that_is_not_written_is_not_sent(scene: Scene) -> None:
    await begin(scene, run_of)

    async def handle(request: Request) -> Response:
        if request.method == "PATCH" and "/analysisruns/" in request.path:
            return Response(403, b'{"kind":"Status","code":403,"message":"no"}')
        return await scene.api.handle(request)

    async with scene.controller(report, Client(handle)):
        await asyncio.sleep(30)
    assert scene.slack.told == []
    async with scene.controller(report):
        await asyncio.sleep(30)
    assert sorted(scene.slack.texts()) == EXPECTED[run_of]
