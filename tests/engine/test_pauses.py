"""When a pause ends, and that the end is recorded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.engine.blue_green import blue_green
from tests.support.engine.world import World, release, routed


def resumed(world: World) -> int:
    return sum(event.reason == "RolloutResumed" for event in world.told)


def at_the_gate() -> World:
    """Of the steps 20 %, pause, 50 %, pause of 3 s, 70 %, pause of 3 s."""
    world = routed()
    release(world, "green")
    world.settle()
    assert world.rollout.status.phase == "Paused"
    return world


def test_a_timed_pause_after_one_that_was_skipped_is_never_shorter_than_written():
    """Its time is not that of the pause before: `promote --skip-current-step` leaves the condition in place."""
    world = at_the_gate()
    world.after(100)
    world.patch("Rollout", "web", {"status": {"currentStepIndex": 2}})
    world.settle()
    assert world.weight == 50
    world.after(2.9)
    assert world.weight == 50
    world.after(1.1)
    assert world.weight == 70
    assert resumed(world) == 2


def test_an_update_that_skips_all_steps_is_not_paused_while_it_completes():
    world = at_the_gate()
    world.patch("Rollout", "web", {"status": {"currentStepIndex": 6}})
    world.once()
    assert (world.rollout.status.phase, world.rollout.status.pause_conditions) == ("Progressing", [])
    assert resumed(world) == 1


@pytest.mark.parametrize("make", [routed, lambda: blue_green(autoPromotionEnabled=False)], ids=["canary", "blue-green"])
def test_a_new_template_resumes_a_paused_update_and_tells_it_once(make: Callable[[], World]):
    world = make()
    release(world, "green")
    world.settle()
    assert (world.rollout.status.phase, resumed(world)) == ("Paused", 0)
    release(world, "red")
    world.once()
    assert (world.rollout.status.pause_conditions, resumed(world)) == ([], 1)


def test_an_abort_tells_of_itself_and_resumes_nothing():
    world = at_the_gate()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    assert (world.rollout.status.phase, resumed(world)) == ("Degraded", 0)
