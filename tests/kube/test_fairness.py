"""The order of turns in the fair queue."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kube.fair_queue import PATIENCE, Turns

Key = tuple[str, str]


def taken(turns: Turns[Any]) -> list[Any]:
    return [turns.take() for _ in range(len(turns))]


def test_without_lanes_the_first_to_come_is_the_first_to_go() -> None:
    turns = Turns[int]()
    for key in range(20):
        turns.add(key)
    assert taken(turns) == list(range(20))
    with pytest.raises(IndexError):
        turns.take()


def test_a_namespace_with_many_does_not_keep_another_waiting() -> None:
    turns = Turns[Key](lambda key: (True, key[0]))
    for number in range(1000):
        turns.add(("busy", str(number)))
    turns.add(("quiet", "web"))
    turns.add(("calm", "web"))
    order = taken(turns)
    assert order[:4] == [("busy", "0"), ("quiet", "web"), ("calm", "web"), ("busy", "1")]
    assert [name for space, name in order if space == "busy"] == [str(number) for number in range(1000)]


def test_what_is_urgent_goes_first_and_the_rest_is_not_forgotten() -> None:
    turns = Turns[Key](lambda key: (key[0] == "in flight", key[1]))
    for number in range(20):
        turns.add(("settled", str(number)))
        turns.add(("in flight", str(number)))
    order = [what for what, _ in taken(turns)]
    assert order[: PATIENCE - 1] == ["in flight"] * (PATIENCE - 1)
    assert order[PATIENCE - 1] == "settled"
    assert order[:22].count("in flight") == 20


def test_what_becomes_urgent_while_it_waits_is_moved_forward_and_comes_once() -> None:
    urgent: set[int] = set()
    turns = Turns[int](lambda key: (key in urgent, None))
    for key in range(5):
        turns.add(key)
    urgent.add(4)
    turns.add(4)
    turns.add(4)
    assert taken(turns) == [4, 0, 1, 2, 3]
