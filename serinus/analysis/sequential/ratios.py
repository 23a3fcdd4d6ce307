"""The ratios of error rates that neither process excludes: an interval that is valid at all looks together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import exp, log
from operator import itemgetter
from typing import NamedTuple

from serinus.analysis.sequential.process import POINTS, RelativeProcess, log_ends


class _Curve(NamedTuple):
    """The ratios of a curve as logarithms, from one end on. `passed`: how many alternatives are before each ratio."""

    ratios: Sequence[float]
    passed: Sequence[int]


class _Places(NamedTuple):
    """`in_order`: sorts a list of heights by ratio. `upward`: with the alternatives for harm, `downward`: mirrored, with
    those for safety."""

    in_order: Callable[[Sequence[float]], tuple[float, ...]]
    upward: _Curve
    downward: _Curve


@lru_cache(64)
def _places(harm_limit: float, safety_limit: float) -> _Places:
    upper, lower = log_ends(harm_limit, harm=True), log_ends(safety_limit, harm=False)
    every = [*lower, log(harm_limit), log(safety_limit), *upper]
    order = sorted(range(len(every)), key=every.__getitem__)
    ratios = [every[place] for place in order]
    above = [sum(one <= ratio for one in upper) for ratio in ratios]
    below = [sum(one >= ratio for one in lower) for ratio in reversed(ratios)]
    mirrored = [-ratio for ratio in reversed(ratios)]
    return _Places(itemgetter(*order), _Curve(ratios, above), _Curve(mirrored, below))


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
    heights = places.in_order([*[base + total for total in safety.sums], 0.0, base, *harm.sums])
    highest, weights = harm.weights(dispersion)
    tails = list(accumulate(reversed(weights), initial=0.0))
    tails.reverse()
    lowest = _end(places.upward, heights, tails, highest + log(alpha / POINTS), dispersion)
    highest, weights = safety.weights(dispersion)
    heads = list(accumulate(weights, initial=0.0))
    heads.reverse()
    level = base / dispersion + highest + log(beta / POINTS)
    top = _end(places.downward, heights[::-1], heads, level, dispersion)
    return None if lowest is None else exp(lowest), None if top is None else exp(-top)


def _end(
    curve: _Curve, heights: Sequence[float], tails: Sequence[float], level: float, dispersion: float
) -> float | None:
    """The highest ratio that the alternatives above it exclude; None if the first one is not excluded.

    `heights`: the log likelihood of each ratio, before the division by `dispersion`. `tails`: the sum of the likelihoods
    of the alternatives from each one on. It excludes a log likelihood up to `level` plus its logarithm.

    Exclusion is monotone in the ratio, so the end is found by bisection. Between two points of the curve the likelihood is
    linear and the alternatives above are the same. Terms that are negligible against the highest one never exclude a
    ratio: if all alternatives above are that small, its own likelihood is higher.
    """
    ratios, passed = curve
    low, high = 0, len(ratios) - 1
    while low < high:
        middle = (low + high) // 2
        tail = tails[passed[middle]]
        if not tail or max(heights[middle], heights[middle + 1]) > (level + log(tail)) * dispersion:
            high = middle
        else:
            low = middle + 1
    tail = tails[passed[low]]
    if low == len(ratios) - 1 or not tail:
        return ratios[low]
    reached = (level + log(tail)) * dispersion
    if heights[low] > reached:
        return None if low == 0 else ratios[low]
    left, at_left = ratios[low], heights[low]
    return left + (ratios[low + 1] - left) * (reached - at_left) / (heights[low + 1] - at_left)
