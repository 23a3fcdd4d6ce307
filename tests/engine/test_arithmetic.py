"""Invariants of canary sizes for all numbers, and the worked examples that need a whole Rollout."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import build_context
from serinus.engine.replicasets.replicas import (
    Count,
    Routed,
    SurgeLimits,
    approximate,
    capacity,
    next_basic,
    trim_others,
)
from serinus.engine.strategy.scaling.scale_plan import ScalePlan
from tests.support.engine.world import World, release, rollout
from tests.support.long import examples

Json = dict[str, Any]

surge_limits = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda f: SurgeLimits(f[0], f[1] if any(f) else 1))
weights = st.integers(0, 100)


@st.composite
def counts(draw: st.DrawFn, most: int = 14) -> Count:
    """A ReplicaSet; its status may still count pods above its size, which are terminating."""
    size = draw(st.integers(0, most))
    return Count(size, draw(st.integers(0, size + 2)))


crowds = st.just(()) | st.just(()) | st.lists(counts(4), max_size=2).map(tuple)


def serving(*sets: Count) -> int:
    return sum(min(c.size, c.avail) for c in sets)


@given(st.integers(0, 60), st.sampled_from([100, 1000, 7]), st.sampled_from([0, 1, 4]))
def test_more_weight_never_means_fewer_canary_pods_nor_more_stable_ones(replicas: int, most: int, surge: int):
    """One replica at 75 % once returned to no canary at all, ten at 95 % likewise."""
    pairs = [approximate(replicas, w, most, surge) for w in range(0, most + 1, max(1, most // 100))]
    assert [c for c, _ in pairs] == sorted(c for c, _ in pairs)
    assert [s for _, s in pairs] == sorted((s for _, s in pairs), reverse=True)


@pytest.mark.parametrize("surge", [0, 1])
@pytest.mark.parametrize("replicas", [0, 1, 2, 7, 10, 50])
def test_the_ends_are_exact(replicas: int, surge: int):
    assert approximate(replicas, 0, 100, surge) == (0, replicas)
    assert approximate(replicas, 100, 100, surge) == (replicas, 0)


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "pods"),
    [
        *((1, w, 1, (1, 1)) for w in (1, 25, 50, 75, 99)),
        *((10, w, 1, (2, 8)) for w in (20, 21, 22, 23)),
        (2, 75, 0, (1, 1)),
        (10, 95, 0, (9, 1)),
        (4, 90, 1, (4, 1)),
    ],
)
def test_between_the_ends_both_versions_have_a_pod(replicas: int, weight: int, surge: int, pods: tuple[int, int]):
    assert approximate(replicas, weight, 100, surge) == pods


@settings(max_examples=examples(500))
@given(st.integers(1, 12), weights, surge_limits, counts(), counts() | counts() | st.none(), crowds)
def test_a_step_of_a_basic_canary_stays_within_surge_and_availability(
    replicas: int, weight: int, limits: SurgeLimits, canary: Count, stable: Count | None, others: tuple[Count, ...]
):
    """From any state, also a broken one: never more pods than before or than surge allows, never fewer ready ones than before or
    than `replicas - maxUnavailable`. ReplicaSets take the pods that are not ready first."""
    target = approximate(replicas, weight, 100, limits.surge)
    least = replicas - min(limits.unavailable, replicas)
    new = next_basic(replicas, target, SurgeLimits(limits.surge, replicas - least), canary, stable, others)
    had = (canary, stable or Count(0, 0), *others)
    after = (Count(new[0], canary.avail), Count(new[1], stable.avail if stable else 0), *others)
    assert min(new) >= 0
    assert sum(c.size for c in after) <= max(replicas + limits.surge, sum(c.size for c in had))
    assert serving(*after) >= min(least, serving(*had))


@given(st.integers(1, 12), weights, surge_limits, counts(), counts(), st.data())
def test_a_basic_canary_arrives_whatever_its_pods_do_on_the_way(
    replicas: int, weight: int, limits: SurgeLimits, canary: Count, stable: Count, data: st.DataObject
):
    """Pods start and fail at random for a while; once they are ready in the end, the desired sizes are reached and stay."""
    limits = SurgeLimits(limits.surge, min(limits.unavailable, replicas))
    target = approximate(replicas, weight, 100, limits.surge)
    for turn in range(4 * (replicas + canary.size + stable.size) + 12):
        c, s = next_basic(replicas, target, limits, canary, stable)
        if turn < 6:
            canary, stable = Count(c, data.draw(st.integers(0, c))), Count(s, data.draw(st.integers(0, s)))
        elif (c, s) == (canary.size, stable.size) == (canary.avail, stable.avail):
            break
        else:
            canary, stable = Count(c, c), Count(s, s)
    assert (canary.size, stable.size) == target


@given(st.lists(counts(6), min_size=1, max_size=4).map(tuple), st.lists(counts(6), max_size=2).map(tuple), st.data())
def test_superseded_pods_never_go_below_what_must_serve(
    others: tuple[Count, ...], rest: tuple[Count, ...], data: st.DataObject
):
    had = serving(*others, *rest)
    least = data.draw(st.integers(0, 12))
    sizes = trim_others(others, had, least)
    assert all(0 <= size <= min(o.size, o.avail) for size, o in zip(sizes, others, strict=True))
    assert sum(sizes) + serving(*rest) >= min(least, had)
    assert sum(sizes) == 0 or sum(sizes) + serving(*rest) <= least or had <= least, "what is not needed goes"


def test_a_cut_that_no_status_shows_yet_is_not_made_twice():
    """The planner runs again on its own write, before any pod is gone: terminating pods do not count."""
    basic: Json = {"trafficRouting": None, "canaryService": "", "stableService": "", "scaleDownDelaySeconds": None}
    world = World(rollout(replicas=4, steps=[{"setWeight": 50}, {"pause": {}}], maxSurge=0, maxUnavailable=1, **basic))
    world.settle()
    for image in ("green", "red"):
        release(world, image)
        world.settle() if image == "green" else world.once()
    least, status = 3, {i: world.set_of(i).status.available_replicas for i in ("blue", "green")}
    for _ in range(6):
        world.once()
        left = sum(min(world.set_of(i).spec.replicas, n) for i, n in status.items())
        assert left >= least, f"only {left} pods are left to serve: {world.writes[-4:]}"


@given(st.integers(0, 40), weights, weights, st.integers(1, 4), st.booleans())
def test_with_a_router_more_weight_needs_more_canary_pods_and_both_sides_carry_their_share(
    replicas: int, weight: int, other: int, min_pods: int, dynamic: bool
):
    low, high = (
        Routed(replicas, w, min_pods=min_pods, dynamic_stable=dynamic, recorded=(w, 100 - w))
        for w in sorted((weight, other))
    )
    assert low.canary() <= high.canary() <= replicas
    assert low.stable() >= high.stable()
    for sizes, share in ((low, min(weight, other)), (high, max(weight, other))):
        assert capacity(sizes.canary(), replicas, 100) >= share
        assert capacity(sizes.stable(), replicas, 100) >= 100 - share


def targets(
    strategy: Json,
    status: Json,
    *,
    replicas: int = 10,
    index: int = 0,
    new: Count | None = None,
    old: Count | None = None,
) -> tuple[int, int]:
    """The sizes that a Rollout in mid-update sets for its (new, stable) ReplicaSets. Without counts there are none."""
    world = World(rollout("green", replicas=replicas, **strategy))
    snapshot = world.snapshot()
    builder = PlanBuilder(build_context(snapshot))
    sets: list[Json] = []
    for name, count in (("new", new), ("old", old)):
        if count is not None:
            labels = {
                "app": "web",
                "rollouts-pod-template-hash": builder.context.computed_hash if name == "new" else "old",
            }
            owner = {"kind": "Rollout", "name": "web", "uid": world.rollout.metadata.uid, "controller": True}
            spec = {"replicas": count.size, "selector": {}, "template": {}}
            numbers = {"replicas": count.size, "availableReplicas": count.avail}
            meta = {"name": f"web-{name}", "labels": labels, "ownerReferences": [owner]}
            sets.append({"kind": "ReplicaSet", "metadata": meta, "spec": spec, "status": numbers})
    for rs in sets:
        world.add(rs)
    world.patch("Rollout", "web", {"status": {"stableRS": "old", "currentStepIndex": index, **status}})
    builder = PlanBuilder(build_context(world.snapshot()))
    builder.status.current_pod_hash = builder.context.computed_hash
    sizes = ScalePlan(builder).targets(index)
    return sizes.new, sizes.stable


def recorded(canary: int) -> Json:
    return {"canary": {"weights": {"canary": {"weight": canary}, "stable": {"weight": 100 - canary}}}}


SCALE_9: list[Json] = [{"setCanaryScale": {"replicas": 9}}]
STEPS_20_60: list[Json] = [{"setWeight": 20}, {"setWeight": 60}]
NO_ROUTER: Json = {"trafficRouting": None, "canaryService": "", "stableService": "", "scaleDownDelaySeconds": None}
DYNAMIC: Json = {"dynamicStableScale": True, "scaleDownDelaySeconds": None}
FULL, NONE = Count(10, 10), Count(0, 0)


@pytest.mark.parametrize(
    ("strategy", "status", "index", "new", "old", "want"),
    [
        (
            {
                "steps": [
                    {"setCanaryScale": {"replicas": 9, "weight": 100, "matchTrafficWeight": True}},
                    {"setWeight": 20},
                ]
            },
            {},
            1,
            NONE,
            FULL,
            (2, 10),
        ),
        ({"steps": [{"setCanaryScale": {"weight": 55}}]}, {}, 0, NONE, FULL, (6, 10)),
        (
            {"steps": [*SCALE_9, {"setWeight": 20}], **NO_ROUTER, "maxSurge": "20%", "maxUnavailable": 0},
            {},
            1,
            NONE,
            FULL,
            (2, 10),
        ),
        (
            {"steps": [{"setWeight": 20}], **NO_ROUTER, "maxSurge": "20%", "maxUnavailable": 0},
            {},
            0,
            Count(2, 2),
            FULL,
            (2, 8),
        ),
        ({"steps": SCALE_9, "abortScaleDownDelaySeconds": 0}, {"abort": True}, 0, Count(9, 9), FULL, (9, 10)),
        ({"steps": SCALE_9, "abortScaleDownDelaySeconds": 30}, {"abort": True}, 0, Count(9, 9), FULL, (0, 10)),
        # Aborted, the stable version gets all of its pods at once: the reference goes back through the earlier weights.
        ({"steps": STEPS_20_60, **DYNAMIC}, {"abort": True, **recorded(60)}, 0, Count(6, 6), Count(4, 4), (6, 10)),
        ({"steps": STEPS_20_60, **DYNAMIC}, {"abort": True, **recorded(60)}, 0, Count(1, 1), Count(4, 4), (6, 10)),
        ({"steps": STEPS_20_60, **DYNAMIC}, {"abort": True, **recorded(60)}, 0, Count(2, 2), Count(8, 4), (6, 10)),
        ({"steps": STEPS_20_60}, {"promoteFull": True}, 0, NONE, FULL, (10, 10)),
        ({"steps": [{"setWeight": 5}], "minPodsPerReplicaSet": 2}, {}, 0, NONE, FULL, (2, 10)),
    ],
)
def test_worked_examples_of_a_whole_rollout(
    strategy: Json, status: Json, index: int, new: Count, old: Count, want: tuple[int, int]
):
    """Canary strategy, sections 2a and 2b: the rows that depend on steps, an abort, or percentages."""
    assert targets(strategy, status, index=index, new=new, old=old) == want


def test_pods_beyond_surge_go_in_one_step_where_availability_allows():
    """The last line of the rule for next sizes: a canary that was scaled by hand, none of whose extra pods serves."""
    assert next_basic(7, (7, 1), SurgeLimits(2, 0), Count(10, 0), Count(2, 3)) == (6, 3)
    assert next_basic(5, (4, 1), SurgeLimits(0, 1), Count(7, 1), Count(3, 4)) == (2, 3)
