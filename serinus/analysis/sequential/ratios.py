"""The ratios of error rates that neither process excludes: an interval that is valid at all looks together."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import exp, log

from serinus.analysis.sequential.process import POINTS, RelativeProcess

Curve = list[tuple[float, float]]
"""(log of a ratio, its log likelihood), in the order of the ratios."""


def interval(
    harm: RelativeProcess, safety: RelativeProcess, base: float, dispersion: float, alpha: float, beta: float
) -> tuple[float | None, float | None]:
    """(lowest, highest) ratio that is not excluded; None for an end that the evidence does not set.

    `base`: log likelihood at the limit of `safety` minus that at the limit of `harm`.

    A ratio is excluded from below when the mean over the harm grid of L(r)/L(ratio), alternatives above it only,
    reaches 1/alpha; from above likewise with the safety grid and 1/beta. At the limits of the two processes that is
    their evidence.
    """
    upper = [(place, s / dispersion) for s, place in zip(harm.sums, harm.log_alternatives, strict=True)]
    lower = [(place, (base + s) / dispersion) for s, place in zip(safety.sums, safety.log_alternatives, strict=True)]
    curve = sorted([*lower, (log(harm.limit), 0.0), (log(safety.limit), base / dispersion), *upper])
    lowest = _end(curve, upper, -log(alpha))
    mirrored = [(-place, height) for place, height in reversed(curve)]
    highest = _end(mirrored, [(-place, height) for place, height in reversed(lower)], -log(beta))
    return None if lowest is None else exp(lowest), None if highest is None else exp(-highest)


def _end(curve: Curve, grid: Curve, limit: float) -> float | None:
    """The highest position that the alternatives above it exclude; None if the first one is not excluded.

    Exclusion is monotone in the position. Between two points of the curve the likelihood is linear and the alternatives
    above are the same, so the first piece that contains the end gives it. Terms that are negligible against the highest
    one never exclude a position: if all alternatives above are that small, its own likelihood is higher.
    """
    highest = max(height for _, height in grid)
    tails = list(accumulate((exp(height - highest) for _, height in reversed(grid)), initial=0.0))[::-1]
    after = 0
    for (left, at_left), (right, at_right) in pairwise(curve):
        while after < POINTS and grid[after][0] <= left:
            after += 1
        if not tails[after]:
            return left
        reached = highest + log(tails[after] / POINTS) - limit
        if at_left > reached:
            return None if left == curve[0][0] else left
        if at_right > reached:
            return left + (right - left) * (reached - at_left) / (at_right - at_left)
    return curve[-1][0]
