"""An analysis step that waits until its sequential verdict is safe, at most until the metric's end."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.analysis.sequential.looks import Look
from serinus.cli.rollouts.why import told
from serinus.engine.explain.why import explain
from tests.support.engine.judged import CHECK, RUN, judged, say, template
from tests.support.engine.kept_verdict import kept_verdict
from tests.support.engine.world import World, release


def waiting() -> World:
    """At a step that waits for safe, with a step after it."""
    asked, _ = kept_verdict([])
    steps: list[dict[str, Any]] = [{"setWeight": 10}, {"analysis": CHECK}, {"setWeight": 50}, {"pause": {}}]
    world = judged(steps)
    world.objects["AnalysisTemplate", "check"] = {
        **template(),
        "spec": {"metrics": [{**asked, "count": 40}], "args": [{"name": "of", "value": "all"}]},
    }
    release(world, "red")
    world.settle()
    return world


def run_of(world: World) -> str:
    known = world.rollout.status.canary.current_step_analysis_run_status
    assert known is not None
    return str(known["name"])


def looked(world: World, phase: str, *looks: Look) -> None:
    _, result = kept_verdict(looks, phase)
    status = {"phase": phase, "metricResults": [result]}
    world.patch("AnalysisRun", run_of(world), {"status": status})
    world.settle()


def test_the_step_waits_and_why_says_what_is_missing() -> None:
    world = waiting()
    assert run_of(world) != RUN
    looked(world, "Running", Look(20, 1, 180, 2))
    assert world.weight == 10
    text = told("web", explain(world.snapshot()), world.now)
    assert f"Waits for: step 2: {run_of(world)} is Running" in text
    assert "evidence of harm 1.5 of 20, of safety 0.38 of 20; at today's traffic a threefold rate" in text
    assert "Then:      set the weight to 50 %" in text


def test_safe_ends_the_step_before_its_limit() -> None:
    world = waiting()
    looked(world, "Running", Look(20, 0, 180, 2))
    looked(world, "Successful", Look(1000, 1, 1000, 20))
    assert (world.rollout.status.current_step_index, world.weight) == (3, 50)


@pytest.mark.parametrize(("phase", "status", "weight"), [("Inconclusive", "Paused", 10), ("Failed", "Degraded", 0)])
def test_without_safe_the_update_waits_for_a_person_and_harm_takes_it_back(
    phase: str, status: str, weight: int
) -> None:
    world = waiting()
    looked(world, "Running", Look(20, 0, 180, 2))
    say(world, run_of(world), phase)
    assert (world.rollout.status.phase, world.weight) == (status, weight)
