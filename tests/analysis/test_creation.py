"""AnalysisRuns to create: their names, labels and owners, and when an existing one is reused."""

from __future__ import annotations

import msgspec
import pytest

from serinus.analysis.run_objects import Owner, Use, experiment_run, placed, rollout_run
from serinus.api.analysis import AnalysisRun, AnalysisRunSpec, Metric
from serinus.api.meta import Json
from serinus.api.rollout import PodMetadata

ROLLOUT = Owner("web", "ns", "u1", "mine", {"app": "web"})
SPEC = AnalysisRunSpec(metrics=[Metric("m", {"web": {"url": "x"}})])


@pytest.mark.parametrize(
    ("use", "step", "name", "labels"),
    [
        ("Background", None, "web-h-2", {}),
        ("Step", 1, "web-h-2-1", {"step-index": "1"}),
        ("PrePromotion", None, "web-h-2-pre", {}),
        ("PostPromotion", None, "web-h-2-post", {}),
    ],
)
def test_runs_of_a_rollout_are_named_and_labelled_as_users_find_them(
    use: Use, step: int | None, name: str, labels: dict[str, str]
) -> None:
    """The recordings analysis-step, analysis-background, bluegreen-pre-analysis, bluegreen-post-analysis."""
    own = PodMetadata({"app": "other", "team": "a"}, {"note": "b"})
    made = rollout_run(ROLLOUT, SPEC, use, pod_hash="h", revision=2, step=step, metadata=own)
    meta = made["metadata"]
    assert (meta["name"], meta["namespace"]) == (name, "ns")
    assert meta["labels"] == {
        "app": "web",
        "team": "a",
        "rollout-type": use,
        "rollouts-pod-template-hash": "h",
        "argo-rollouts.argoproj.io/controller-instance-id": "mine",
        **labels,
    }
    assert meta["annotations"] == {"rollout.argoproj.io/revision": "2", "note": "b"}
    assert [(o["kind"], o["uid"], o["controller"]) for o in meta["ownerReferences"]] == [("Rollout", "u1", True)]
    assert made["spec"] == {"metrics": [{"name": "m", "provider": {"web": {"url": "x"}}}]}


def test_runs_of_an_experiment_are_named_after_both() -> None:
    made = experiment_run(Owner("exp", "ns", "u2"), "bad", SPEC, PodMetadata({"x": "y"}))
    assert (made["metadata"]["name"], made["metadata"]["labels"]) == ("exp-bad", {"x": "y"})
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Experiment"


def wanted() -> Json:
    return rollout_run(ROLLOUT, SPEC, "Step", pod_hash="h", revision=2, step=1)


def there(
    name: str, phase: str = "Running", *, uid: str = "u1", interval: str = "", terminate: bool = False
) -> AnalysisRun:
    run = msgspec.convert(wanted(), AnalysisRun)
    run.metadata.name, run.status.phase, run.metadata.owner_references[0].uid = name, phase, uid
    run.spec.metrics[0].interval, run.spec.terminate = interval, terminate
    return run


@pytest.mark.parametrize(
    ("runs", "name", "reused"),
    [
        ([], "web-h-2-1", False),
        ([there("web-h-2-1")], "web-h-2-1", True),
        ([there("web-h-2-1", "")], "web-h-2-1", True),
        ([there("web-h-2-1", "Failed")], "web-h-2-1.1", False),
        ([there("web-h-2-1", uid="other")], "web-h-2-1.1", False),
        ([there("web-h-2-1", interval="1s")], "web-h-2-1.1", False),
        ([there("web-h-2-1", terminate=True)], "web-h-2-1.1", False),
        ([there("web-h-2-1", "Failed"), there("web-h-2-1.1", "Error")], "web-h-2-1.2", False),
        ([there("web-h-2-1", "Failed"), there("web-h-2-1.1")], "web-h-2-1.1", True),
    ],
)
def test_a_run_that_asks_the_same_is_used_again_and_otherwise_another_name_is_found(
    runs: list[AnalysisRun], name: str, reused: bool
) -> None:
    """The recording analysis-step-fails: a retry makes `.1`."""
    made, found = placed(wanted(), {run.metadata.name: run for run in runs}.get)
    assert (found is not None) == reused
    assert (found.metadata.name if found else made["metadata"]["name"]) == name
