from __future__ import annotations

import pytest

from serinus.api.meta import OwnerReference
from serinus.api.resources import PODS
from serinus.local.workloads.gc import Dependent, GcDecision, judge
from serinus.local.workloads.objects import Meta

A, B = OwnerReference("apps/v1", "ReplicaSet", "a", "uid-a"), OwnerReference("apps/v1", "ReplicaSet", "b", "uid-b")
ALIVE = Meta(name="a", uid="uid-a")
DYING = Meta(name="b", uid="uid-b", deletion_timestamp="2026-01-01T00:00:00Z", finalizers=["foregroundDeletion"])
ENDING = Meta(name="b", uid="uid-b", deletion_timestamp="2026-01-01T00:00:00Z")
CHILD = Dependent((PODS, "default", "c"), Meta(name="c"), blocks=True)
LOOSE = Dependent((PODS, "default", "c"), Meta(name="c"), blocks=False)


def test_an_object_whose_owners_are_all_gone_goes_too() -> None:
    assert judge(Meta(), [(A, None), (B, None)], []) == GcDecision(delete="Background")


def test_one_living_owner_keeps_it_and_the_dead_reference_goes() -> None:
    assert judge(Meta(), [(A, ALIVE), (B, None)], []) == GcDecision(owners=[A])


def test_an_object_without_owners_is_nobodys_garbage() -> None:
    assert judge(Meta(), [], []) == GcDecision()


@pytest.mark.parametrize(("dependents", "policy"), [([], "Background"), ([CHILD], "Foreground")])
def test_an_owner_that_waits_for_its_dependents_has_them_deleted(dependents: list[Dependent], policy: str) -> None:
    assert judge(Meta(), [(B, DYING)], dependents).delete == policy


def test_an_owner_that_merely_ends_takes_nothing_with_it_yet() -> None:
    """A pod in its grace period is still there."""
    assert judge(Meta(), [(B, ENDING)], []) == GcDecision()


@pytest.mark.parametrize(
    ("dependents", "released"), [([CHILD], ""), ([LOOSE], "foregroundDeletion"), ([], "foregroundDeletion")]
)
def test_foreground_deletion_ends_when_nothing_blocks_it(dependents: list[Dependent], released: str) -> None:
    assert judge(DYING, [], dependents).finalizer == released


def test_orphaning_lets_the_dependents_go_before_the_owner() -> None:
    orphaning = Meta(uid="uid-a", deletion_timestamp="2026-01-01T00:00:00Z", finalizers=["orphan"])
    assert judge(orphaning, [], [CHILD]) == GcDecision(orphan=(CHILD.key,))
    assert judge(orphaning, [], []) == GcDecision(finalizer="orphan")
