"""The evidence against one hypothesis: a mean of likelihood ratios over a grid of alternatives.

A log sum is linear in the counts, so dividing the sums by the dispersion divides all counts: it is an argument of
`log_evidence`. Relative processes condition on the errors of both versions together. Then only the split between the
versions counts, and an unknown or changing base rate has no effect. Given that total, the split is binomial or, for
counts of requests, hypergeometric, which the binomial dominates in convex order (Hoeffding 1963).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, inf, log

POINTS = 40
"""Alternatives of a process, in geometric progression, with equal weights."""
NEAREST, FARTHEST = 1.1, 20.0
"""The alternatives lie between these multiples of the limit (or, for safety, the inverse of them)."""
HIGHEST_RATE = 0.99


def geometric(first: float, last: float) -> tuple[float, ...]:
    """POINTS numbers from `first` to `last`, both included."""
    return tuple(first * (last / first) ** (place / (POINTS - 1)) for place in range(POINTS))


@lru_cache(64)
def ends(limit: float, *, harm: bool) -> tuple[float, ...]:
    """The alternatives to a ratio of error rates."""
    first, last = (NEAREST * limit, FARTHEST * limit) if harm else (limit / FARTHEST, limit / NEAREST)
    return geometric(first, last)


@lru_cache(64)
def log_ends(limit: float, *, harm: bool) -> tuple[float, ...]:
    """Their logarithms."""
    return tuple(map(log, ends(limit, harm=harm)))


def log_mean_exp(sums: Sequence[float], divisor: float = 1.0) -> float:
    """log(mean(exp(s / divisor))), without overflow; -inf for sums that are all -inf."""
    highest = max(sums)
    if highest == -inf:
        return -inf
    return highest / divisor + log(sum([exp((one - highest) / divisor) for one in sums]) / len(sums))


class RelativeProcess:
    """Rejects ratios of error rates up to `limit` (`harm`), or from `limit` on (not `harm`)."""

    __slots__ = ("_steps", "_weight", "_weights", "alternatives", "limit", "log_ratios", "sums")

    def __init__(self, limit: float, *, harm: bool) -> None:
        self.limit = limit
        self.alternatives = ends(limit, harm=harm)
        self.log_ratios = tuple(log(ratio / limit) for ratio in self.alternatives)
        self.sums = [0.0] * POINTS
        self._weights: tuple[list[float], float, float, list[float]] | None = None
        self._weight, self._steps = -1.0, [0.0] * POINTS

    def add(self, weight: float, canary_errors: float, stable_errors: float) -> None:
        """`weight`: the canary's share of the requests of this look, between 0 and 1, both excluded.

        With q(r) = r·q / (1 − q + r·q), the canary's share of the errors at ratio r, the sum grows by
        k_c·log(q(r) / q(limit)) + k_s·log((1 − q(r)) / (1 − q(limit))), which is
        k_c·log(r / limit) + (k_c + k_s)·step(r).
        """
        if canary_errors or stable_errors:
            if weight != self._weight:
                self._steps, self._weight = self._steps_at(weight), weight
            both = canary_errors + stable_errors
            parts = zip(self.sums, self.log_ratios, self._steps, strict=True)
            self.sums = [total + canary_errors * ratio + both * step for total, ratio, step in parts]

    def growth(self, weight: float, canary_errors: float, stable_errors: float) -> list[float]:
        """How much such a look adds to each sum."""
        both = canary_errors + stable_errors
        steps = self._steps if weight == self._weight else self._steps_at(weight)
        return [canary_errors * ratio + both * step for ratio, step in zip(self.log_ratios, steps, strict=True)]

    def _steps_at(self, weight: float) -> list[float]:
        rest = 1 - weight
        base = rest + self.limit * weight
        return [log(base / (rest + ratio * weight)) for ratio in self.alternatives]

    def log_evidence(self, dispersion: float = 1.0) -> float:
        highest, weights = self.weights(dispersion)
        return highest + log(sum(weights) / POINTS)

    def weights(self, dispersion: float = 1.0) -> tuple[float, list[float]]:
        """(the highest log sum, the likelihood of each alternative relative to the highest one)."""
        known = self._weights
        if known is None or known[0] is not self.sums or known[1] != dispersion:
            highest = max(self.sums)
            weights = [exp((one - highest) / dispersion) for one in self.sums]
            known = self._weights = self.sums, dispersion, highest / dispersion, weights
        return known[2], known[3]


class AbsoluteProcess:
    """Rejects error rates of the canary up to `limit` (`harm`), or from `limit` on (not `harm`)."""

    __slots__ = ("_of_errors", "_of_successes", "sums")

    def __init__(self, limit: float, *, harm: bool) -> None:
        ends = (NEAREST * limit, min(FARTHEST * limit, HIGHEST_RATE)) if harm else (limit / FARTHEST, limit / NEAREST)
        rates = geometric(*ends)
        self._of_errors = [log(rate / limit) for rate in rates]
        self._of_successes = [log((1 - rate) / (1 - limit)) for rate in rates]
        self.sums = [0.0] * POINTS

    def add(self, requests: float, errors: float) -> None:
        self.sums = [total + more for total, more in zip(self.sums, self.growth(requests, errors), strict=True)]

    def growth(self, requests: float, errors: float) -> list[float]:
        """How much such a look adds to each sum."""
        good = requests - errors
        return [errors * bad + good * well for bad, well in zip(self._of_errors, self._of_successes, strict=True)]

    def log_evidence(self, dispersion: float = 1.0) -> float:
        return log_mean_exp(self.sums, dispersion)
