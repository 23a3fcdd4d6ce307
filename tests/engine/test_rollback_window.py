"""A version inside the rollback window is not judged: for any strategy, an emergency undo goes through."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.engine.judged import CHECK, template
from tests.support.engine.world import World, ingress, release, rollout, service
from tests.support.long import crossed

Json = dict[str, Any]
EXPERIMENT: Json = {"experiment": {"templates": [{"name": "a", "specRef": "canary"}], "duration": "1m"}}
VERDICTS = ("Running", "Failed", "Error", "Inconclusive")


def canary(**options: Any) -> Json:
    steps: list[Json] = options.pop("steps", [{"setWeight": 50}, {"pause": {"duration": 2}}])
    return rollout(steps=steps, **options)


def by_pods(**options: Any) -> Json:
    return canary(trafficRouting=None, canaryService="", stableService="", scaleDownDelaySeconds=None, **options)


def blue_green(**options: Any) -> Json:
    made = rollout()
    services = {"activeService": "web", "previewService": "web-preview", "scaleDownDelaySeconds": 1}
    made["spec"]["strategy"] = {"blueGreen": {**services, **options}}
    return made


STRATEGIES: dict[str, Json] = {
    "a background analysis": canary(analysis=CHECK),
    "a background analysis from a later step on": canary(analysis={**CHECK, "startingStep": 2}),
    "an analysis as a step": canary(steps=[{"analysis": CHECK}, {"setWeight": 50}]),
    "both": canary(analysis=CHECK, steps=[{"setWeight": 50}, {"analysis": CHECK}]),
    "an experiment as a step": canary(steps=[EXPERIMENT, {"setWeight": 50}]),
    "dynamicStableScale": canary(analysis=CHECK, dynamicStableScale=True, scaleDownDelaySeconds=None),
    "pods alone": by_pods(analysis=CHECK, steps=[{"setWeight": 50}, {"analysis": CHECK}]),
    "before the switch": blue_green(prePromotionAnalysis=CHECK),
    "after the switch": blue_green(postPromotionAnalysis=CHECK),
}


def answered(world: World, phase: str) -> None:
    for (kind, _), obj in world.objects.items():
        if kind in ("AnalysisRun", "Experiment") and obj.get("status", {}).get("phase") not in VERDICTS[1:]:
            obj["status"] = {**obj.get("status", {}), "phase": phase}


def go_on(world: World, phase: str, seconds: int = 90) -> None:
    """Every analysis and every experiment has this result."""
    for _ in range(seconds // 3):
        world.settle()
        answered(world, phase)
        world.after(3)


def after_a_release(made: Json) -> World:
    """green is stable, and blue was before; both as they were made days apart."""
    made = copy.deepcopy(made)
    made["spec"]["rollbackWindow"] = {"revisions": 3}
    world = World(*(service(n) for n in ("web", "web-canary", "web-preview")), ingress(), template(), made)
    world.settle()
    release(world, "green")
    go_on(world, "Successful")
    green = world.set_of("green").metadata
    world.objects["ReplicaSet", green.name]["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    assert world.rollout.status.stable_rs == green.labels["rollouts-pod-template-hash"]
    assert world.set_of("blue").spec.replicas == 0
    return world


@pytest.mark.parametrize(("strategy", "verdict"), crossed(STRATEGIES, VERDICTS))
def test_an_undo_inside_the_window_is_not_judged_and_becomes_stable(strategy: str, verdict: str):
    world = after_a_release(STRATEGIES[strategy])
    known = {key for key in world.objects if key[0] in ("AnalysisRun", "Experiment")}
    release(world, "blue")
    go_on(world, verdict)
    status = world.rollout.status
    assert (status.phase, status.abort, status.pause_conditions) == ("Healthy", False, [])
    assert status.stable_rs == world.set_of("blue").metadata.labels["rollouts-pod-template-hash"]
    assert {key for key in world.objects if key[0] in ("AnalysisRun", "Experiment")} == known


@pytest.mark.parametrize("verdict", VERDICTS)
def test_an_undo_in_the_middle_of_an_update_ends_the_runs_of_that_update_and_does_not_hear_them(verdict: str):
    """red is judged while a user goes back to blue, which was stable before green."""
    world = after_a_release(canary(analysis=CHECK, steps=[{"setWeight": 50}, {"analysis": CHECK}]))
    release(world, "red")
    world.settle()
    world.objects["ReplicaSet", world.set_of("red").metadata.name]["metadata"]["creationTimestamp"] = (
        "2026-01-03T00:00:00Z"
    )
    judged = [name for name, run in world.of("AnalysisRun").items() if not run.status.phase]
    assert judged
    release(world, "blue")
    world.once()
    answered(world, verdict)
    go_on(world, verdict)
    status = world.rollout.status
    assert (status.phase, status.abort) == ("Healthy", False)
    assert status.stable_rs == world.set_of("blue").metadata.labels["rollouts-pod-template-hash"]
    if verdict == "Running":
        assert all(world.of("AnalysisRun")[name].spec.terminate for name in judged)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_window_that_is_opened_while_the_old_version_is_judged_ends_the_judgement(verdict: str):
    world = after_a_release(canary(analysis=CHECK, steps=[{"setWeight": 50}, {"analysis": CHECK}]))
    world.patch("Rollout", "web", {"spec": {"rollbackWindow": None}})
    release(world, "blue")
    world.settle()
    world.patch("Rollout", "web", {"spec": {"rollbackWindow": {"revisions": 3}}})
    answered(world, verdict)
    go_on(world, verdict)
    status = world.rollout.status
    assert (status.phase, status.abort, status.pause_conditions) == ("Healthy", False, [])


def test_a_person_can_still_abort_it():
    world = after_a_release(canary(analysis=CHECK))
    release(world, "blue")
    world.once()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    go_on(world, "Running")
    assert (world.rollout.status.phase, world.rollout.status.abort) == ("Degraded", True)
