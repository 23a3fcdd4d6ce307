"""A Service is released when its Rollout is deleted or names another Service, and not before."""

from __future__ import annotations

from serinus.engine.core.service_release import release
from tests.support.engine.world import routed, service


def test_a_service_in_use_stays_as_it_is():
    world = routed()
    assert release(world.of("Service")["web"], world.rollout) is None


def test_a_deleted_rollout_gives_its_services_back():
    action = release(routed().of("Service")["web"], None)
    assert action is not None
    assert action.body == {
        "metadata": {"annotations": {"argo-rollouts.argoproj.io/managed-by-rollouts": None}},
        "spec": {"selector": {"rollouts-pod-template-hash": None}},
    }


def test_a_service_is_given_back_when_a_usable_spec_names_another():
    world = routed()
    world.add(service("other"))
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"stableService": "missing"}}}})
    world.settle()
    assert release(world.of("Service")["web"], world.rollout) is None, "the edit is refused: nothing changes"


def test_a_service_that_was_never_ours_is_left_alone():
    world = routed()
    world.add(service("foreign"))
    assert release(world.of("Service")["foreign"], None) is None
