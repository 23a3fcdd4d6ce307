"""Of many values of a parameter, and of many random examples, a few for each change; the others only in `make test-all`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from itertools import product
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

ALL = os.environ.get("SERINUS_TESTS") == "all"
"""Whether tests run that are marked as long."""


def few(values: Iterable[T], chosen: Collection[T]) -> list[Any]:
    """The values in their order, as for `parametrize`; those that are not chosen are marked as long."""
    every = list(values)
    if unknown := [value for value in chosen if value not in every]:
        raise ValueError(f"chosen, but not there: {unknown}")
    return [value if value in chosen else _long(*(value if isinstance(value, tuple) else (value,))) for value in every]


def _long(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.long)


def crossed(*axes: Iterable[Any]) -> list[Any]:
    """All combinations, as for `parametrize` with several names; long are those beyond what each value needs to occur once."""
    values = [list(axis) for axis in axes]
    most = max(len(axis) for axis in values)
    # Each round shifts the axes against each other: two of the same length meet in other pairs.
    chosen = {tuple((i + j * (i // len(axis))) % len(axis) for j, axis in enumerate(values)) for i in range(most)}
    return [
        made if place in chosen else _long(*made)
        for place in product(*(range(len(axis)) for axis in values))
        for made in [tuple(axis[i] for axis, i in zip(values, place, strict=True))]
    ]


def examples(number: int) -> int:
    """The number of examples of Hypothesis: all of them in `make test-all`, a fifth otherwise."""
    return number if ALL else number // 5
