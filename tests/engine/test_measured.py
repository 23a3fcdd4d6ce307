"""The deciding runs: those of the current update, not of another one with the same template."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.analysis import AnalysisRun, Measurement
from serinus.api.names import HASH, REVISION
from serinus.api.rollout import Rollout
from serinus.engine.explain.metrics import deciding, words

Json = dict[str, Any]
STARTED = "2026-01-02T00:00:00Z"


def run(
    name: str, phase: str, *, revision: str = "4", pods: str = "h", made: str = "2026-01-02T00:00:05Z"
) -> AnalysisRun:
    meta = {
        "name": name,
        "labels": {HASH: pods},
        "annotations": {REVISION: revision} if revision else {},
        "creationTimestamp": made,
    }
    metric = {"name": "m", "provider": {"web": {}}}
    status = {"phase": phase, "metricResults": [{"name": "m", "phase": phase}]}
    return msgspec.convert({"metadata": meta, "spec": {"metrics": [metric]}, "status": status}, AnalysisRun)


def rollout(*, abort: bool = False, step: str = "", background: str = "", started: str = STARTED) -> Rollout:
    canary: Json = {}
    if step:
        canary["currentStepAnalysisRunStatus"] = {"name": step, "status": "Running"}
    if background:
        canary["currentBackgroundAnalysisRunStatus"] = {"name": background, "status": "Running"}
    duration = {"duration": {"rolloutStartedAt": started}} if started else {}
    return msgspec.convert(
        {
            "metadata": {"name": "web", "annotations": {REVISION: "4"}},
            "status": {"currentPodHash": "h", "stableRS": "s", "abort": abort, "canary": canary, **duration},
        },
        Rollout,
    )


OLD = "2026-01-01T00:00:00Z"
EARLIER = run("web-h-2-1", "Failed", revision="2", made=OLD)
TRY = run("web-h-4-1", "Failed", made=OLD)
RETRIED = run("web-h-4-1.1", "Running")
FAILED = run("web-h-4-1.1", "Failed")


@pytest.mark.parametrize(
    ("about", "runs", "decided"),
    [
        pytest.param(rollout(step="web-h-4-1"), [EARLIER, run("web-h-4-1", "Running")], "web-h-4-1", id="came back"),
        pytest.param(rollout(), [EARLIER], None, id="came back, and nothing is measured yet"),
        pytest.param(rollout(step="web-h-4-1.1"), [TRY, RETRIED], "web-h-4-1.1", id="retried"),
        pytest.param(rollout(step="web-h-4-1.1", started=""), [TRY, RETRIED], "web-h-4-1.1", id="retried, named"),
        pytest.param(rollout(), [TRY], None, id="retried, and nothing is measured yet"),
        pytest.param(rollout(abort=True), [EARLIER, TRY, FAILED], "web-h-4-1.1", id="aborted again"),
        pytest.param(rollout(abort=True), [EARLIER, FAILED], "web-h-4-1.1", id="aborted"),
        pytest.param(rollout(abort=True, started=""), [EARLIER, FAILED], "web-h-4-1.1", id="without a time"),
        pytest.param(rollout(), [run("web-h", "Failed", revision="")], "web-h", id="without a revision"),
        pytest.param(rollout(), [run("web-x-4-1", "Failed", pods="x")], None, id="another template"),
        pytest.param(
            rollout(background="web-h-4"), [run("web-h-4", "Running"), run("web-h-4-1", "Failed")], "web-h-4", id="left"
        ),
    ],
)
def test_the_run_that_decided_is_of_this_update(about: Rollout, runs: list[AnalysisRun], decided: str | None):
    """A run of an earlier revision with the same template was named, or one from before a retry."""
    assert {metric.run for metric in deciding(runs, about)} == ({decided} if decided else set())


def test_a_sequential_metric_shows_its_sentence_and_not_its_json() -> None:
    """`serinus why` prints one line; the value is the whole verdict."""
    judged = run("web-h-4-1", "Running")
    judged.spec.metrics[0].provider = {"plugin": {"serinus.dev/sequential": {}}}
    sentence = "evidence of harm 11 of 20, of safety 0.4 of 20"
    measurement = Measurement(phase="Running", message=sentence, value='{"verdict": "undecided"}')
    judged.status.metric_results[0].measurements = [measurement]
    (metric,) = deciding([judged], rollout(step="web-h-4-1"))
    assert words(metric) == f"m of web-h-4-1: {sentence} (Running)"
