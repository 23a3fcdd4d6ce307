"""Where a rollback window would allow an update without steps: an abort counts, and so does a missing verdict."""

from __future__ import annotations

from tests.support.engine.world import World, release, rollout, routed, service


def test_a_person_can_abort_a_rollback_inside_the_window():
    world = routed(replicas=4, steps=[])
    world.patch("Rollout", "web", {"spec": {"rollbackWindow": {"revisions": 3}}})
    release(world, "green")
    world.after(60)
    world.after(60)
    world.objects["ReplicaSet", world.set_of("green").metadata.name]["metadata"]["creationTimestamp"] = (
        "2026-01-02T00:00:00Z"
    )
    release(world, "blue")
    world.once()
    world.objects["Rollout", "web"]["status"]["abort"] = True
    world.after(60)
    status = world.rollout.status
    assert (status.abort, status.phase, world.weight) == (True, "Degraded", 0)
    assert status.stable_rs == world.set_of("green").metadata.labels["rollouts-pod-template-hash"]


def test_a_rollback_inside_the_window_that_is_stuck_is_taken_back_once():
    """Found by the simulation: the window ended the abort and the deadline aborted again, once a minute for ever."""
    made = rollout(replicas=2)
    made["spec"]["strategy"] = {"blueGreen": {"activeService": "web", "scaleDownDelaySeconds": 1}}
    made["spec"] |= {"rollbackWindow": {"revisions": 3}, "progressDeadlineAbort": True, "progressDeadlineSeconds": 30}
    world = World(service("web"), made)
    world.settle()
    release(world, "green")
    world.after(60)
    world.after(60)
    world.objects["ReplicaSet", world.set_of("green").metadata.name]["metadata"]["creationTimestamp"] = (
        "2026-01-02T00:00:00Z"
    )
    release(world, "blue")
    world.settle(ready=False)
    world.now += 40
    world.settle(ready=False)
    for _ in range(3):
        world.now += 40
        world.settle(ready=False)
        assert (world.rollout.status.abort, world.rollout.status.phase) == (True, "Degraded")


def test_a_version_that_was_aborted_goes_through_its_steps_again_inside_the_window():
    """The window is for versions that were stable; this one was rolled back, and went live at once when it was released again."""
    world = routed(replicas=4, steps=[{"setWeight": 25}, {"pause": {}}])
    world.patch("Rollout", "web", {"spec": {"rollbackWindow": {"revisions": 3}}})
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.after(60)
    release(world, "red")
    world.settle()
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.after(60)
    red = world.rollout.status.stable_rs
    world.objects["ReplicaSet", world.set_of("red").metadata.name]["metadata"]["creationTimestamp"] = (
        "2026-01-02T00:00:00Z"
    )
    release(world, "green")
    world.after(60)
    status = world.rollout.status
    assert (status.phase, status.stable_rs, world.weight) == ("Paused", red, 25)
