"""The ratios of error rates that neither process excludes: an interval that holds at all looks together."""

from __future__ import annotations

from bisect import bisect_left
from math import exp, inf, log

from serinus.analysis.sequential.process import POINTS, RelativeProcess

HALVINGS = 9
"""Of the range of ratios, to find an end of the interval to 1 %."""


def interval(
    harm: RelativeProcess, safety: RelativeProcess, base: float, dispersion: float, alpha: float, beta: float
) -> tuple[float | None, float | None]:
    """(lowest, highest) ratio that is left; None where the evidence sets no end.

    `base`: log likelihood at the limit of `safety` minus that at the limit of `harm`.

    A ratio is excluded from below when the mean over the harm grid of L(r)/L(ratio), alternatives above it only, reaches
    1/alpha; from above likewise with the safety grid and 1/beta. At the limits of the two processes that is their evidence.
    """
    upper = [(log(r), s / dispersion) for s, r in zip(harm.sums, harm.alternatives, strict=True)]
    lower = [(log(r), (base + s) / dispersion) for s, r in zip(safety.sums, safety.alternatives, strict=True)]
    points = sorted([*lower, (log(harm.limit), 0.0), (log(safety.limit), base / dispersion), *upper])
    places, heights = [place for place, _ in points], [height for _, height in points]
    lowest = _end(places, heights, upper, -log(alpha), above=True)
    highest = _end(places, heights, lower, -log(beta), above=False)
    return lowest, highest


def _end(
    places: list[float], heights: list[float], grid: list[tuple[float, float]], limit: float, *, above: bool
) -> float | None:
    """The end of what is excluded, by bisection on the log of the ratio: exclusion is monotone in the ratio."""

    def excluded(place: float) -> bool:
        terms = [height for at, height in grid if (at > place if above else at < place)]
        if not terms:
            return False
        highest = max(terms)
        mean = highest + log(sum(exp(term - highest) for term in terms) / POINTS)
        return mean - _height(places, heights, place) >= limit

    inside, outside = (places[0], places[-1]) if above else (places[-1], places[0])
    if not excluded(inside):
        return None
    if excluded(outside):
        return exp(outside)
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if excluded(middle) else (inside, middle)
    return exp(inside)


def _height(places: list[float], heights: list[float], place: float) -> float:
    """The log likelihood between two points, linearly."""
    right = bisect_left(places, place)
    if right == 0:
        return heights[0]
    if right == len(places):
        return -inf
    left = right - 1
    part = (place - places[left]) / (places[right] - places[left]) if places[right] > places[left] else 1.0
    return heights[left] + part * (heights[right] - heights[left])
