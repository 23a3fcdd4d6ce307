"""`antiAffinity`: the new version's pods avoid the nodes of the stable one, and that makes no new revision."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.names import HASH
from tests.support.engine.world import World, release, routed

Json = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def terms(world: World, image: str) -> Json:
    spec = world.set_of(image).spec.template["spec"]
    return (spec.get("affinity") or {}).get("podAntiAffinity") or {}


def term(world: World, stable: str) -> Json:
    return {
        "labelSelector": {"matchExpressions": [{"key": HASH, "operator": "In", "values": [hash_of(world, stable)]}]},
        "namespaces": ["default"],
        "topologyKey": "kubernetes.io/hostname",
    }


def hash_of(world: World, image: str) -> str:
    return world.set_of(image).metadata.labels[HASH]


def test_the_first_version_has_nothing_to_keep_away_from():
    assert terms(routed(antiAffinity={REQUIRED: {}}), "blue") == {}


def test_new_pods_keep_away_from_nodes_of_the_stable_version():
    world = routed(antiAffinity={REQUIRED: {}})
    release(world, "green")
    world.settle()
    assert terms(world, "green") == {REQUIRED: [term(world, "blue")]}
    assert world.rollout.status.current_pod_hash == hash_of(world, "green")


def test_a_preference_carries_its_weight():
    world = routed(antiAffinity={PREFERRED: {"weight": 7}})
    release(world, "green")
    world.settle()
    assert terms(world, "green") == {PREFERRED: [{"podAffinityTerm": term(world, "blue"), "weight": 7}]}


@pytest.mark.parametrize("steps", [[], [{"setWeight": 50}, {"pause": {}}]])
def test_a_version_that_comes_back_keeps_away_from_the_one_that_is_stable_now(steps: list[Json]):
    world = routed(antiAffinity={REQUIRED: {}}, steps=steps)
    for image in ("green", "red"):
        release(world, image)
        world.settle()
        world.patch("Rollout", "web", {"status": {"promoteFull": True}})
        world.settle()
    release(world, "green")
    world.once()
    world.once()
    assert terms(world, "green") == {REQUIRED: [term(world, "red")]}
    assert len(world.of("ReplicaSet")) == 3


def test_terms_of_the_user_stay():
    world = routed(antiAffinity={REQUIRED: {}})
    own = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "db"}}}
    template = {"spec": {"template": {"spec": {"affinity": {"podAntiAffinity": {REQUIRED: [own]}}}}}}
    world.patch("Rollout", "web", template)
    release(world, "green")
    world.settle()
    assert terms(world, "green") == {REQUIRED: [own, term(world, "blue")]}
