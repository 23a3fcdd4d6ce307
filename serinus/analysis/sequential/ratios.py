"""The ratios of error rates that neither process excludes: an interval that is valid at all looks together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import exp, log
from typing import NamedTuple

from serinus.analysis.sequential.process import POINTS, RelativeProcess, log_ends


class _Places(NamedTuple):
    """The ratios of a curve as logarithms, in order. `order`: the place of each in the list of heights.

    `above`: how many alternatives for harm are at most each ratio. `below`: how many for safety are at least each.
    """

    ratios: Sequence[float]
    order: Sequence[int]
    above: Sequence[int]
    below: Sequence[int]


@lru_cache(64)
def _places(harm_limit: float, safety_limit: float) -> _Places:
    upper, lower = log_ends(harm_limit, harm=True), log_ends(safety_limit, harm=False)
    every = [*lower, log(harm_limit), log(safety_limit), *upper]
    order = sorted(range(len(every)), key=every.__getitem__)
    ratios = [every[place] for place in order]
    above = [sum(one <= ratio for one in upper) for ratio in ratios]
    return _Places(ratios, order, above, [sum(one >= ratio for one in lower) for ratio in ratios])


def interval(
    harm: RelativeProcess, safety: RelativeProcess, base: float, dispersion: float, alpha: float, beta: float
) -> tuple[float | None, float | None]:
    """(lowest, highest) ratio that is not excluded; None for an end that the evidence does not set.

    `base`: log likelihood at the limit of `safety` minus that at the limit of `harm`.

    A ratio is excluded from below when the mean over the harm grid of L(r)/L(ratio), alternatives above it only,
    reaches 1/alpha; from above likewise with the safety grid and 1/beta. At the limits of the two processes that is
    their evidence.
    """
    places = _places(harm.limit, safety.limit)
    raw = [*(base + total for total in safety.sums), 0.0, base, *harm.sums]
    heights = [raw[place] / dispersion for place in places.order]
    highest, weights = harm.weights(dispersion)
    tails = list(accumulate(reversed(weights), initial=0.0))[::-1]
    lowest = _end(places.ratios, heights, highest, tails, places.above, -log(alpha))
    peak, weights = safety.weights(dispersion)
    heads = list(accumulate(weights, initial=0.0))[::-1]
    mirrored = [-ratio for ratio in reversed(places.ratios)]
    top = _end(mirrored, heights[::-1], base / dispersion + peak, heads, places.below[::-1], -log(beta))
    return None if lowest is None else exp(lowest), None if top is None else exp(-top)


def _end(
    ratios: Sequence[float],
    heights: Sequence[float],
    highest: float,
    tails: Sequence[float],
    passed: Sequence[int],
    limit: float,
) -> float | None:
    """The highest ratio that the alternatives above it exclude; None if the first one is not excluded.

    `tails`: the sum of the likelihoods of the alternatives from each one on, relative to the `highest` of all.

    Exclusion is monotone in the ratio, so the end is found by bisection. Between two points of the curve the likelihood is
    linear and the alternatives above are the same. Terms that are negligible against the highest one never exclude a
    ratio: if all alternatives above are that small, its own likelihood is higher.
    """

    def reached(place: int) -> float:
        return highest + log(tails[passed[place]]) - log(POINTS) - limit

    def ends(place: int) -> bool:
        return not tails[passed[place]] or max(heights[place], heights[place + 1]) > reached(place)

    low, high = 0, len(ratios) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if ends(middle) else (middle + 1, high)
    if low == len(ratios) - 1 or not tails[passed[low]]:
        return ratios[low]
    if heights[low] > reached(low):
        return None if low == 0 else ratios[low]
    left, at_left = ratios[low], heights[low]
    return left + (ratios[low + 1] - left) * (reached(low) - at_left) / (heights[low + 1] - at_left)
