"""Sizes of a Deployment's ReplicaSets, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.local.workloads.rolling import Size, fences, next_new, next_old, proportional


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, None, None, (1, 1)),
        (1, None, None, (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (3, 0, 0, (0, 1)),
        (2, 0, 5, (0, 2)),
        (3, 1, 0, (1, 0)),
    ],
)
def test_fences_round_surge_up_and_unavailable_down_and_always_leave_room(
    replicas: int, surge: int | str | None, unavailable: int | str | None, expected: tuple[int, int]
) -> None:
    assert fences(replicas, surge, unavailable) == expected


def test_a_new_replica_set_starts_with_the_surge_only() -> None:
    assert next_new(3, 1, Size("", 0, 0), [Size("old", 3, 3)]) == 1


def test_an_old_pod_goes_only_when_a_new_one_serves() -> None:
    assert next_old(3, 0, Size("new", 1, 0), [Size("old", 3, 3)]) == {}
    assert next_old(3, 0, Size("new", 1, 1), [Size("old", 3, 3)]) == {"old": 2}


def test_old_pods_that_do_not_serve_go_first() -> None:
    """They only take the place of pods that would."""
    assert next_old(3, 1, Size("new", 1, 0), [Size("broken", 2, 0), Size("good", 2, 2)]) == {"broken": 0}


def test_a_count_from_before_the_last_scale_down_is_not_believed() -> None:
    assert next_old(3, 0, Size("new", 1, 1), [Size("old", 2, 3)]) == {}


def test_a_resize_in_the_middle_keeps_the_ratio_between_versions() -> None:
    assert proportional(20, 10, [Size("new", 5, 5), Size("old", 5, 5)]) == {"new": 10, "old": 10}
    assert proportional(5, 10, [Size("new", 5, 5), Size("old", 5, 5)]) == {"new": 2, "old": 3}


@given(
    replicas=st.integers(1, 20),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    old=st.integers(0, 20),
    serves=st.lists(st.booleans(), min_size=200, max_size=200),
)
def test_an_update_never_leaves_its_fences_and_ends_with_only_new_pods(
    replicas: int, surge: int, unavailable: int, old: int, serves: list[bool]
) -> None:
    above, missing = fences(replicas, surge, unavailable)
    new, left = Size("new", 0, 0), Size("old", min(old, replicas), min(old, replicas))
    lucky = iter(serves)
    for _ in range(200):
        size = next_new(replicas, above, new, [left])
        if size != new.replicas:
            new = Size("new", size, new.available)
        else:
            smaller = next_old(replicas, missing, new, [left]).get("old", left.replicas)
            enough = min(replicas - missing, new.serving + left.serving)
            left = Size("old", smaller, min(left.available, smaller))
            assert new.serving + left.serving >= enough
        assert new.replicas + left.replicas <= replicas + above
        if new.available < new.replicas and next(lucky, True):
            new = Size("new", new.replicas, new.available + 1)
    if all(serves):
        assert (new.replicas, left.replicas) == (replicas, 0)
