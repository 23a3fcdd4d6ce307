"""`record` gives the same as a plain dataclass: its users see no difference except the import time."""

from __future__ import annotations

import pytest

from serinus.api.records import field, record


@record(frozen=True)
class Point:
    x: int
    y: int = 0
    secret: str = field(default="", repr=False)


@record()
class Bag:
    """`things`: each has its own."""

    name: str
    things: list[str] = field(default_factory=list[str])

    @property
    def full(self) -> bool:
        return len(self.things) > 1


@record()
class One:
    value: int = 1


def test_fields_are_given_by_place_by_name_or_by_default() -> None:
    point = Point(1, secret="s")
    assert (point.x, point.y, point.secret) == (1, 0, "s")
    assert (One().value, One(2).value, One(value=3).value) == (1, 2, 3)


def test_what_is_made_anew_is_shared_by_nobody() -> None:
    first, second = Bag("a"), Bag("a")
    first.things += ["x", "y"]
    assert (first.full, second.things) == (True, [])


@pytest.mark.parametrize(
    ("args", "given", "message"),
    [
        ((), {}, "lacks x"),
        ((1, 2, "s", 4), {}, "takes 3 values, 4 were given"),
        ((1,), {"z": 1}, "has no field z"),
        ((1,), {"x": 1}, "given twice"),
    ],
)
def test_what_does_not_fit_is_refused(args: tuple[int, ...], given: dict[str, int], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Point(*args, **given)  # type: ignore[arg-type]


def test_values_make_equality_and_a_key() -> None:
    assert Point(1) == Point(1, 0)
    assert Point(1) != Point(2)
    assert One() != Bag("a")
    assert {Point(1): "a"}[Point(1)] == "a"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Bag("a"))


def test_a_frozen_one_stays_as_it_is_and_another_does_not() -> None:
    with pytest.raises(AttributeError, match="stays as it is"):
        Point(1).x = 2  # type: ignore[misc]
    bag = Bag("a")
    bag.name = "b"
    assert bag == Bag("b")


def test_secrets_are_not_in_the_text_form() -> None:
    assert repr(Point(1, secret="hunter2")) == "Point(x=1, y=0)"


def test_patterns_match_by_place() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
