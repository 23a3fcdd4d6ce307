"""The worked examples of the canary rules, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.engine.replicasets.replicas import (
    Count,
    Routed,
    SurgeLimits,
    approximate,
    capacity,
    next_basic,
    trim_others,
)

WITHOUT_SURGE = [
    (1, 49, 0, 1),
    (1, 50, 1, 0),
    (2, 1, 1, 1),
    (2, 99, 1, 1),
    (3, 49, 1, 2),
    (3, 50, 2, 1),
    (10, 1, 1, 9),
    (10, 14, 1, 9),
    (10, 15, 2, 8),
    (10, 99, 9, 1),
]
WITH_SURGE = [
    (1, 1, 1, 1),
    (1, 99, 1, 1),
    (2, 1, 1, 2),
    (2, 50, 1, 1),
    (2, 99, 2, 1),
    (3, 25, 1, 3),
    (3, 33, 1, 2),
    (3, 49, 2, 2),
    (10, 1, 1, 10),
    (10, 19, 2, 9),
    (10, 20, 2, 8),
    (10, 23, 2, 8),
    (10, 24, 3, 8),
    (10, 99, 10, 1),
    (7, 100, 7, 0),
]


@pytest.mark.parametrize(("replicas", "weight", "canary", "stable"), WITHOUT_SURGE)
def test_pods_alone_come_nearest_to_the_weight(replicas: int, weight: int, canary: int, stable: int):
    assert approximate(replicas, weight, 100, 0) == (canary, stable)


@pytest.mark.parametrize(("replicas", "weight", "canary", "stable"), WITH_SURGE)
def test_one_more_pod_is_used_for_a_better_ratio_when_surge_allows(
    replicas: int, weight: int, canary: int, stable: int
):
    assert approximate(replicas, weight, 100, 1) == (canary, stable)


NEXT = [
    # replicas, weight, surge, unavailable, stable, canary, others, (canary, stable)
    (10, 20, 2, 0, (10, 10), (0, 0), (), (2, 10)),
    (10, 20, 2, 0, (10, 10), (2, 2), (), (2, 8)),
    (10, 30, 2, 0, (10, 10), (0, 0), (), (2, 10)),
    (10, 20, 0, 2, (10, 10), (0, 0), (), (0, 8)),
    (10, 30, 0, 2, (10, 10), (0, 0), (), (0, 8)),
    (10, 50, 2, 1, (10, 10), (0, 0), (), (2, 9)),
    (10, 5, 0, 1, (10, 10), (0, 0), (), (0, 9)),
    (10, 5, 0, 1, (9, 9), (0, 0), (), (1, 9)),
    (10, 0, 1, 1, (10, 10), (1, 1), (), (0, 10)),
    (10, 100, 1, 1, (1, 1), (10, 10), (), (10, 0)),
    (10, 100, 3, 0, (7, 8), (6, 3), (), (6, 7)),
    (10, 100, 1, 0, (10, 2), (10, 8), (), (9, 2)),
    (10, 30, 1, 0, (1, 1), (0, 0), ((3, 3),), (1, 7)),
    (10, 30, 0, 3, (8, 5), (4, 4), (), (3, 7)),
    (10, 30, 0, 1, (8, 6), (4, 2), ((3, 3),), (4, 8)),
    (1, 20, 1, 0, (1, 1), (0, 0), (), (1, 1)),
    (1, 90, 1, 0, (1, 1), (0, 0), (), (1, 1)),
    (1, 49, 0, 1, (1, 1), (0, 0), (), (0, 1)),
    (1, 51, 0, 1, (1, 1), (0, 0), (), (0, 0)),
    (1, 51, 0, 1, (0, 0), (0, 0), (), (1, 0)),
    (3, 99, 0, 2, (3, 3), (0, 0), (), (0, 1)),
    (3, 99, 0, 2, (1, 1), (0, 0), (), (2, 1)),
    (4, 100, 1, 0, (4, 1), (0, 0), (), (1, 4)),
    (4, 100, 1, 0, (4, 1), (1, 1), (), (1, 3)),
    (4, 0, 1, 0, (0, 0), (4, 4), (), (4, 1)),
    (4, 0, 1, 0, (1, 0), (4, 4), (), (4, 1)),
    (4, 0, 1, 0, (1, 1), (4, 4), (), (3, 1)),
    (4, 100, 4, 4, (4, 4), (0, 0), (), (4, 0)),
    (4, 100, 3, 0, (4, 4), (0, 0), (), (3, 4)),
]


@pytest.mark.parametrize(("replicas", "weight", "surge", "unavailable", "stable", "canary", "others", "want"), NEXT)
def test_sizes_move_within_surge_and_availability(replicas, weight, surge, unavailable, stable, canary, others, want):  # pyright: ignore
    target = approximate(replicas, weight, 100, surge)
    got = next_basic(
        replicas,
        target,
        SurgeLimits(surge, unavailable),
        Count(*canary),
        Count(*stable),
        tuple(Count(*o) for o in others),
    )
    assert got == want


@given(st.integers(1, 30), st.integers(0, 100), st.integers(0, 5), st.integers(0, 5))
def test_a_basic_canary_never_leaves_its_fence_and_arrives(replicas: int, weight: int, surge: int, unavailable: int):
    """Every pod becomes available at once: no step goes above surge or below availability, and the target is reached."""
    limits = SurgeLimits(surge, min(replicas, unavailable or (0 if surge else 1)))
    target = approximate(replicas, weight, 100, surge)
    canary, stable = 0, replicas
    for _ in range(4 * replicas + 4):
        new = next_basic(replicas, target, limits, Count(canary, canary), Count(stable, stable))
        assert sum(new) <= max(replicas + limits.surge, sum((canary, stable)))
        assert min(new[0], canary) + min(new[1], stable) >= replicas - limits.unavailable
        if new == (canary, stable):
            break
        canary, stable = new
    assert (canary, stable) == target


ROUTED = [
    (Routed(10, 10), 1, 10),
    (Routed(10, 25), 3, 10),
    (Routed(10, 33), 4, 10),
    (Routed(10, 99), 10, 10),
    (Routed(23, 100_000_000, 100_000_000), 23, 23),
    (Routed(10, 5, min_pods=2), 2, 10),
    (Routed(1, 100, min_pods=2), 1, 1),
    (Routed(1, 0, scale=9), 9, 1),
    (Routed(4, 200), 8, 4),
    (Routed(10, 10, dynamic_stable=True, recorded=(10, 90)), 1, 9),
    (Routed(10, 20, dynamic_stable=True, recorded=(10, 90)), 2, 9),
    (Routed(10, 0, dynamic_stable=True, aborted=True, recorded=(20, 80)), 2, 10),
    (Routed(10, 0, dynamic_stable=True, aborted=True, recorded=(10, 90)), 1, 10),
    (Routed(10, 20, dynamic_stable=True, aborted=True, recorded=(60, 40)), 6, 8),
]


@pytest.mark.parametrize(("wanted", "canary", "stable"), ROUTED)
def test_a_router_lets_the_canary_have_what_its_weight_needs(wanted: Routed, canary: int, stable: int):
    assert (wanted.canary(), wanted.stable()) == (canary, stable)


def test_superseded_pods_that_do_not_serve_go_first_then_the_newest_revision():
    assert trim_others((Count(3, 3), Count(4, 2)), available=12, least=10) == (3, 0)
    assert trim_others((Count(3, 3), Count(4, 2)), available=10, least=10) == (3, 2)


@pytest.mark.parametrize(
    ("avail", "replicas", "most"), [(0, 5, 0), (3, 5, 60), (5, 5, 100), (9, 5, 100), (1, 1, 100), (0, 0, 100)]
)
def test_weight_never_exceeds_ready_capacity(avail: int, replicas: int, most: int):
    """Traffic sent to pods that are not there is an outage."""
    assert capacity(avail, replicas, 100) == most
