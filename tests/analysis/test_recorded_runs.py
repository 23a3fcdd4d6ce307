"""Runs of the recorded plays, carried out with our providers and verdicts: they end as the reference's did."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import yaml

from serinus.analysis.arguments import rollout_arguments, secret_names
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.phases import COMPLETED
from serinus.analysis.providers.measuring import measure
from serinus.analysis.resolution import resolve
from serinus.analysis.run_status import assess, failed
from serinus.analysis.schedule import tasks
from serinus.analysis.templates import found_templates, run_spec
from serinus.api.analysis import AnalysisRun, AnalysisTemplate, RolloutAnalysis
from serinus.api.meta import ObjectMeta
from tests.support.analysis.vendor import Reply, World
from tests.support.plays.recordings import Json, reference, scenario


def objects(play: str, world: World) -> list[Json]:
    text = str(scenario(play)["objects"]).replace("$METRICS", world.url.partition("://")[2])
    return [obj for obj in yaml.safe_load_all(text) if obj]


def recorded(play: str, name: str) -> Json:
    """The status of a run at the end, without times."""
    status: Json = {}
    for line in reference(play):
        if line.get("object") == f"AnalysisRun/{name}":
            status |= {key.removeprefix("status."): v for key, v in line.items() if key.startswith("status.")}
    return {key: value for key, value in status.items() if value is not None}


def flat(run: AnalysisRun) -> Json:
    """The same of our run: times as the recorder writes them, summaries flat, metrics without an order."""
    status: Json = msgspec.to_builtins(run.status)
    for name in ("startedAt", "completedAt"):
        status.pop(name, None)
    for summary in ("runSummary", "dryRunSummary"):
        status |= {f"{summary}.{key}": value for key, value in (status.pop(summary, None) or {}).items()}
    return status


def comparable(status: Json) -> Json:
    metrics: list[Json] = json.loads(json.dumps(status.get("metricResults") or []))
    for metric in metrics:
        for measurement in metric["measurements"]:
            for key in ("startedAt", "finishedAt"):
                measurement.pop(key, None)
    return {**status, "metricResults": sorted(metrics, key=lambda metric: metric["name"])}


async def carried_out(world: World, run: AnalysisRun, *, terminate_after: float = 0.0) -> AnalysisRun:
    """Passes, each when it is due, on a clock that jumps."""
    due: dict[str, float] = {}
    begin = world.now
    world.run = run
    for _ in range(60):
        if terminate_after and world.now - begin >= terminate_after:
            run.spec.terminate = True
        try:
            secrets: dict[str, Any] = {n: await world.reach().secret("ns", n) for n in secret_names(run.spec.args)}
            resolved = resolve(run.spec, secrets)
        except AnalysisProblem as problem:
            run.status = failed(run, str(problem)).status
            return run
        measured = await measure(run, tasks(run, resolved, world.now, due), world.reach())
        found = assess(run, resolved, measured, world.now, due)
        run.status, due = found.status, dict(found.due)
        if run.status.phase in COMPLETED or found.next is None:
            return run
        world.now = max(world.now, found.next)
    raise AssertionError("the run does not end")


@pytest.mark.parametrize("name", ["good", "endless", "no-arg", "wrong", "consecutive", "plain", "initial-delay"])
async def test_a_run_of_its_own_ends_as_recorded(world: World, name: str) -> None:
    play = "analysis-run-alone"
    world.vendor.says("/value", {"value": 0.99})
    obj = next(o for o in objects(play, world) if o["metadata"]["name"] == name)
    run = msgspec.convert(obj, AnalysisRun)
    # `endless` had six measurements before it was terminated.
    await carried_out(world, run, terminate_after=5.5 if name == "endless" else 0.0)
    assert comparable(flat(run)) == comparable(recorded(play, name))


@pytest.mark.parametrize(
    ("play", "answers"),
    [
        ("analysis-step", {"/value": {"value": 0.99}}),
        ("analysis-step-fails", {"/value": {"value": 0.2}}),
        ("analysis-errors", {"/value": Reply("broken", 500)}),
        ("analysis-inconclusive", {"/value": {"value": 0.85}}),
        ("analysis-nested", {"/value": {"value": 0.99}}),
        ("analysis-args", {"/value": {"value": 0.99}}),
        ("analysis-prometheus", {"/api/v1/query": "recorded"}),
    ],
)
async def test_a_run_of_a_step_ends_as_recorded(world: World, play: str, answers: dict[str, Any]) -> None:
    for path, answer in answers.items():
        steps = [step["answer"][path] for step in scenario(play)["do"] if path in step.get("answer", {})]
        world.vendor.says(path, steps[0] if answer == "recorded" else answer)
    found = objects(play, world)
    world.cluster.secret("ns", "token", key="s3cret")
    rollout = next(o for o in found if o["kind"] == "Rollout")
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    asked = msgspec.convert(next(s["analysis"] for s in steps if "analysis" in s), RolloutAnalysis)
    known = {
        o["metadata"]["name"]: msgspec.convert(o, AnalysisTemplate) for o in found if o["kind"] == "AnalysisTemplate"
    }
    args = rollout_arguments(asked.args, rollout, latest="77f97bbcbf", stable="68fb5766d6")
    spec = run_spec(found_templates(asked.templates, known, {}), args, asked.dry_run, asked.measurement_retention)
    name = "web-77f97bbcbf-2-1"
    run = await carried_out(world, AnalysisRun(ObjectMeta(name=name, namespace="ns", uid="u"), spec))
    assert comparable(flat(run)) == comparable(recorded(play, name))
    asked_for = sorted({str(line["asked"]).partition(" ")[2] for line in reference(play) if "asked" in line})
    assert {a.path + (f"?{a.raw_query}" if a.raw_query else "") for a in world.vendor.asked} <= set(asked_for)
