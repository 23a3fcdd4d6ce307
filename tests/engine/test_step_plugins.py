"""Steps that a plugin runs, from the planner's view: when it is called, and the effect of its answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.step_plugin import Answer
from serinus.engine.core.plan import PluginCall
from serinus.engine.judging.step_plugins import answered
from tests.support.engine.world import World, release, routed

Json = dict[str, Any]
STEPS: list[Json] = [
    {"setWeight": 50},
    {"plugin": {"name": "org/check", "config": {"deep": True}}},
    {"pause": {}},
]


@pytest.fixture
def world() -> World:
    """At the step of the plugin, which was not called yet."""
    made = routed(steps=STEPS)
    release(made, "green")
    made.settle()
    return made


def say(world: World, *answers: Answer) -> list[str]:
    """The plugin gives these answers to the calls planned now; returns the Events' texts."""
    told: list[str] = []
    calls = world.plan().calls
    assert len(calls) == len(answers)
    for call, answer in zip(calls, answers, strict=True):
        entries, event = answered(world.rollout.status, call, answer, world.now)
        world.patch("Rollout", "web", {"status": {"canary": {"stepPluginStatuses": entries}}})
        told += [event.message] if event else []
    return told


def entries(world: World) -> list[Json]:
    return world.rollout.status.canary.step_plugin_statuses


def test_the_plugin_is_asked_with_its_config_and_the_step_waits(world: World):
    because = "step 2 is carried out by the plugin org/check"
    assert world.plan().calls == (PluginCall(1, "org/check", "Run", because, {"deep": True}),)
    assert world.rollout.status.current_step_index == 1


def test_while_it_is_running_it_is_asked_again_when_it_wants_and_gets_its_notes_back(world: World):
    say(world, Answer("Running", "half", requeue_after=20, status={"seen": 1}))
    plan = world.plan()
    assert (plan.calls, plan.requeue_at) == ((), world.now + 20)
    assert [wait.message for wait in plan.waits] == ["step 2: plugin org/check is Running: half"]
    world.now += 20
    (call,) = world.plan().calls
    assert (call.known or {})["status"] == {"seen": 1}


def test_success_completes_the_step(world: World):
    assert say(world, Answer("Running")) == ["Step plugin org/check (step 2) transitioned to Running"]
    world.now += 30
    assert say(world, Answer("Successful")) == []
    world.settle()
    status = world.rollout.status
    assert (status.current_step_index, status.phase, entries(world)[0]["executions"]) == (2, "Paused", 2)


def test_failure_aborts_the_update_with_its_reason(world: World):
    assert say(world, Answer("Failed", "disk full")) == ["Step plugin org/check (step 2) transitioned to Failed"]
    world.settle()
    assert (world.rollout.status.phase, world.weight) == ("Degraded", 0)
    assert world.rollout.status.message.endswith("Step Plugin 2 (org/check) failed: disk full")


def test_an_error_is_tried_again_after_a_while(world: World):
    say(world, Answer("Error", "no route", requeue_after=3))
    assert (world.plan().calls, world.plan().requeue_at) == ((), world.now + 30)
    world.now += 30
    assert len(world.plan().calls) == 1


def test_a_disabled_plugin_is_passed_over(world: World):
    say(world, Answer("Successful", disabled=True))
    world.settle()
    assert world.rollout.status.current_step_index == 2


def test_an_abort_tells_every_plugin_that_ran_once_and_a_retry_starts_anew(world: World):
    say(world, Answer("Successful"))
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    assert [(c.operation, c.index) for c in world.plan().calls] == [("Abort", 1)]
    assert say(world, Answer("Successful")) == ["Step plugin org/check (step 2) aborted (Successful)"]
    assert world.plan().calls == ()
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": False}})
    world.settle()
    assert entries(world) == []
    assert [c.operation for c in world.plan().calls] == ["Run"]


def test_a_full_promotion_ends_a_plugin_that_is_running(world: World):
    say(world, Answer("Running"))
    world.patch("Rollout", "web", {"status": {"promoteFull": True}})
    assert [c.operation for c in world.plan().calls] == ["Terminate"]


def test_while_people_paused_everything_no_plugin_is_called(world: World):
    world.patch("Rollout", "web", {"spec": {"paused": True}})
    assert world.plan().calls == ()


def test_what_is_kept_can_be_written_down(world: World):
    say(world, Answer("Running", status={"a": [1]}))
    assert msgspec.json.decode(msgspec.json.encode(entries(world))) == entries(world)
