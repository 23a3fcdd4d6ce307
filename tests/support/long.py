"""Of many values of a parameter, and of many random examples, a few for each change; the others only in `make test-all`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
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
    return [value if value in chosen else pytest.param(value, marks=pytest.mark.long) for value in every]


def examples(number: int) -> int:
    """The number of examples of Hypothesis: all of them in `make test-all`, a fifth otherwise."""
    return number if ALL else number // 5
