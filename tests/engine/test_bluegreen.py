"""Blue-green updates as the user of a Rollout sees them."""

from __future__ import annotations

import pytest

from serinus.api.names import HASH, SCALE_DOWN_DEADLINE, UNPROMOTED
from serinus.api.values.times import parse_time
from tests.support.engine.blue_green import blue_green
from tests.support.engine.world import World, release

BLUE, GREEN = "68fb5766d6", "77f97bbcbf"


def phase(world: World) -> tuple[str, str]:
    return world.rollout.status.phase, world.rollout.status.message


def test_the_first_version_is_active_without_a_pause():
    world = blue_green(autoPromotionEnabled=False)
    assert (world.selected("web"), world.selected("web-preview"), *phase(world)) == (BLUE, BLUE, "Healthy", "")


def test_the_new_version_is_complete_beside_the_active_one_until_it_is_promoted():
    world = blue_green(autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    assert (world.selected("web"), world.selected("web-preview"), *phase(world)) == (
        BLUE,
        GREEN,
        "Paused",
        "BlueGreenPause",
    )
    assert (world.set_of("blue").spec.replicas, world.set_of("green").spec.replicas) == (2, 2)
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    assert (world.selected("web"), world.rollout.status.stable_rs, world.rollout.status.phase) == (
        GREEN,
        GREEN,
        "Healthy",
    )
    assert world.set_of("blue").spec.replicas == 2, "the old version drains"
    world.after(5)
    assert world.set_of("blue").spec.replicas == 0
    assert world.rollout.status.blue_green.active_selector == GREEN


def test_neither_service_leads_to_pods_that_do_not_serve():
    world = blue_green()
    release(world, "green")
    world.settle(ready=False)
    assert (world.selected("web"), world.selected("web-preview")) == (BLUE, BLUE)
    world.settle()
    assert (world.selected("web"), world.selected("web-preview")) == (GREEN, GREEN)


def test_promotion_comes_by_itself_after_its_seconds():
    world = blue_green(autoPromotionSeconds=5)
    release(world, "green")
    world.settle()
    assert phase(world) == ("Paused", "BlueGreenPause")
    world.after(4.5)
    assert world.selected("web") == BLUE
    world.after(1.5)
    assert world.selected("web") == GREEN


def test_a_small_preview_grows_before_it_takes_over():
    world = blue_green(replicas=4, previewReplicaCount=1, autoPromotionEnabled=False)
    release(world, "green")
    world.settle()
    assert world.set_of("green").spec.replicas == 1
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.once()
    world.once()
    assert (world.set_of("green").spec.replicas, world.selected("web")) == (4, BLUE)
    world.settle()
    assert (world.selected("web"), world.rollout.status.phase) == (GREEN, "Healthy")


def test_an_abort_before_the_switch_leaves_the_active_version_alone():
    world = blue_green(autoPromotionEnabled=False, abortScaleDownDelaySeconds=8)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    assert (world.selected("web"), world.rollout.status.phase) == (BLUE, "Degraded")
    assert world.set_of("green").spec.replicas == 2
    world.after(9)
    assert world.set_of("green").spec.replicas == 0


def promoted_to_green() -> World:
    """Blue was promoted, then green within the same second; the pass that gives blue its deadline has not come yet."""
    world = blue_green(autoPromotionEnabled=False, scaleDownDelaySeconds=60)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    while world.rollout.status.stable_rs != GREEN:
        world.once()
    return world


def gone_back(world: World) -> bool:
    return (world.selected("web"), world.rollout.status.phase, world.rollout.status.stable_rs) == (
        BLUE,
        "Healthy",
        BLUE,
    )


def test_going_back_while_the_old_pods_are_there_needs_no_second_trial():
    world = promoted_to_green()
    world.settle()
    assert SCALE_DOWN_DEADLINE in world.set_of("blue").metadata.annotations
    release(world, "blue")
    world.settle()
    assert gone_back(world)
    assert "RolloutPaused" not in [e.reason for e in world.told[-6:]]
    assert SCALE_DOWN_DEADLINE not in world.set_of("blue").metadata.annotations


def test_going_back_the_moment_the_new_version_is_promoted_needs_no_second_trial_either():
    world = promoted_to_green()
    assert SCALE_DOWN_DEADLINE not in world.set_of("blue").metadata.annotations
    release(world, "blue")
    world.settle()
    assert gone_back(world)


@pytest.mark.parametrize("told", [True, False])
def test_a_pod_that_is_not_ready_at_that_moment_does_not_cost_the_way_back(told: bool):
    world = promoted_to_green()
    if told:
        world.settle()
    blue = world.objects["ReplicaSet", world.set_of("blue").metadata.name]
    blue["status"] |= {"readyReplicas": 1, "availableReplicas": 1}
    release(world, "blue")
    world.settle(ready=False)
    assert (world.selected("web"), world.rollout.status.phase) == (GREEN, "Progressing")
    world.settle()
    assert gone_back(world)


def test_a_version_that_had_the_requests_for_a_moment_has_its_whole_delay_again():
    """Found by the simulation (49061): undone within milliseconds, before the status showed it."""
    world = promoted_to_green()
    world.settle()
    world.now += 30
    world.objects["Service", "web"]["spec"]["selector"][HASH] = BLUE
    world.once()
    assert world.selected("web") == GREEN
    world.once()
    until = parse_time(world.set_of("blue").metadata.annotations[SCALE_DOWN_DEADLINE])
    assert until is not None
    assert until - world.now >= 60


def test_a_version_that_was_never_promoted_is_tried_again_when_it_is_gone_back_to():
    """It went live without its pause and its analyses, because it still had its pods and was older than the stable one."""
    world = blue_green(autoPromotionEnabled=False, scaleDownDelaySeconds=60)
    release(world, "green")
    world.settle()
    release(world, "red")
    world.settle()
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    red = world.rollout.status.stable_rs
    assert UNPROMOTED in world.set_of("green").metadata.annotations
    release(world, "green")
    world.settle()
    assert (world.selected("web"), phase(world)) == (red, ("Paused", "BlueGreenPause"))
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()
    assert (world.selected("web"), phase(world)[0]) == (GREEN, "Healthy")
    assert UNPROMOTED not in world.set_of("green").metadata.annotations


def test_a_version_whose_replacement_came_before_the_status_told_of_it_is_tried_again_too():
    """Its ReplicaSet was created, the status was not written yet: the status never named it."""
    world = blue_green(autoPromotionEnabled=False, scaleDownDelaySeconds=60)
    status = dict(world.objects["Rollout", "web"]["status"])
    release(world, "green")
    world.once()
    world.objects["Rollout", "web"]["status"] = status
    release(world, "red")
    world.settle()
    assert UNPROMOTED in world.set_of("green").metadata.annotations


def test_a_pause_that_pods_hold_up_is_not_said_to_end_in_time():
    """When the pause time is over, nothing happens: the pods must be ready first."""
    world = blue_green(autoPromotionSeconds=60)
    release(world, "green")
    world.settle()
    assert [w.reason for w in world.last.waits if w.until] == ["TimedPause"]
    green = world.objects["ReplicaSet", world.set_of("green").metadata.name]
    green["status"] |= {"readyReplicas": 1, "availableReplicas": 1}
    world.settle(ready=False)
    assert {w.reason: w.until for w in world.last.waits} == {"PodsNotReady": None, "TimedPause": None}


def test_a_settled_one_is_left_alone():
    plan = blue_green().once()
    assert (plan.actions, plan.status, plan.requeue_at) == ((), None, None)


def test_an_update_after_an_aborted_one_whose_preview_stays_still_times_out():
    """Found by the simulation (29371): the expired delay of the aborted version kept the deadline from passing."""
    world = blue_green(autoPromotionEnabled=False, abortScaleDownDelaySeconds=5)
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    release(world, "broken")
    world.settle(ready=False)
    world.now += 700
    world.settle(ready=False)
    assert phase(world)[0] == "Degraded"
