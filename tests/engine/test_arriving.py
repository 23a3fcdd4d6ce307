"""`kubectl apply -f .` writes a Rollout before the objects it references: its phase does not become Degraded meanwhile."""

from __future__ import annotations

import pytest

from serinus.api.values.times import format_time
from serinus.engine.explain.why import explain
from tests.support.engine.lab import Lab
from tests.support.engine.world import World, ingress, release, rollout, routed, service

JUDGED = [{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "check"}]}}]


def written(world: World, name: str = "web", *, kind: str = "Rollout", ago: float = 0.5, subresource: str = "") -> None:
    """As the API server records the author and time of an object: in whole seconds."""
    entry = {
        "manager": "kubectl",
        "operation": "Update",
        "time": format_time(world.now - ago),
        "subresource": subresource,
    }
    world.objects[kind, name]["metadata"]["managedFields"] = [entry]


def applied_first() -> World:
    world = World(ingress(), rollout())
    written(world)
    return world


def test_what_comes_a_moment_later_is_waited_for():
    world = applied_first()
    plan = world.once()
    assert (world.writes, [wait.reason for wait in plan.waits]) == ([], ["WaitingForReference"])
    assert plan.requeue_at == plan.waits[0].until
    world.add(service("web"))
    world.add(service("web-canary"))
    world.settle()
    assert world.rollout.status.stable_rs
    assert all("Invalid" not in condition.type for condition in world.rollout.status.conditions)


def test_what_does_not_come_is_told_after_three_seconds():
    world = applied_first()
    world.now += 3
    world.once()
    assert world.rollout.status.message.endswith('service "web" not found')


def test_why_names_what_is_waited_for_and_how_long():
    world = applied_first()
    (reason,) = explain(world.snapshot()).reasons
    assert (reason.code, reason.until) == ("WaitingForReference", world.now + 2)
    assert reason.message.endswith('service "web" not found; it may be about to be created')


def test_an_edit_that_names_something_new_is_waited_for_too():
    world = routed()
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"steps": JUDGED}}}})
    release(world, "green")
    world.writes.clear()
    written(world)
    world.once()
    assert (world.writes, world.rollout.status.phase) == ([], "Healthy")
    assert world.rollout.status.observed_generation != str(world.rollout.metadata.generation)


@pytest.mark.parametrize("ago", [-3600.0, 3.0, 3600.0], ids=["a clock an hour ahead", "over", "an hour ago"])
def test_nobody_waits_longer_because_clocks_differ(ago: float):
    world = applied_first()
    written(world, ago=ago)
    world.once()
    assert world.rollout.status.phase == "Degraded"


def test_a_write_of_the_status_is_not_one_of_what_it_names():
    world = applied_first()
    written(world, subresource="status")
    world.once()
    assert world.rollout.status.phase == "Degraded"


def test_what_is_told_stays_told():
    """A new label on a Degraded Rollout does not make it look unprocessed."""
    world = applied_first()
    world.now += 3
    world.settle()
    written(world)
    assert [wait.reason for wait in world.once().waits] == ["InvalidSpec"]


def test_an_experiment_does_not_fail_for_a_template_that_comes_a_moment_later():
    lab = Lab(analyses=[{"name": "judge", "templateName": "check"}])
    check = lab.objects.pop(("AnalysisTemplate", "check"))
    written(lab, "exp", kind="Experiment")
    assert lab.once().requeue_at == lab.now + 2
    lab.objects["AnalysisTemplate", "check"] = check
    lab.settle()
    assert lab.experiment.status.phase == "Running"
    assert ("AnalysisRun", "exp-judge") in lab.objects


def test_an_experiment_fails_for_a_template_that_does_not_come():
    lab = Lab(analyses=[{"name": "judge", "templateName": "check"}])
    del lab.objects["AnalysisTemplate", "check"]
    written(lab, "exp", kind="Experiment")
    lab.once()
    lab.after(3)
    assert lab.experiment.status.phase == "Error"
