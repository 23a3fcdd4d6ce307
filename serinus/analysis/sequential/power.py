"""The chance that a version with more errors is found within a time, computed without simulation. Pure, a few ms.

At one weight the evidence for relative harm depends on two numbers: the errors of the canary and those of both
versions. Each next error is the canary's with the same probability. So the chance that the evidence has reached its
limit is computed error by error. The number of errors in a time has a Poisson distribution.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import ceil, exp, floor, lgamma, log, sqrt

from serinus.analysis.sequential.planning import LONGEST, ExpectedTraffic
from serinus.analysis.sequential.process import RelativeProcess, log_mean_exp
from serinus.analysis.sequential.settings import VerdictSettings

MOST_ERRORS = 3_000
"""Most errors of the computation. A usual step does not find a difference that takes more."""
CERTAIN = 0.999
NEGLIGIBLE = 1e-9
"""Probability of states that are dropped."""
SPREAD = 8.0
"""Standard deviations of a Poisson distribution that are summed."""


@dataclass(frozen=True, slots=True)
class Power:
    """`chances`: that harm is found by the nth error of both versions, from the 0th. `errors`: of both, per
    minute.

    `interval`: seconds between looks. Harm is found at a look.
    """

    chances: Sequence[float]
    errors: float
    interval: float

    def within(self, seconds: float) -> float:
        """The share of releases in which harm is found by the looks of this time."""
        mean = self.errors * floor(seconds / self.interval + 1e-9) * self.interval / 60
        return self._after(mean)

    def by(self, part: float) -> float | None:
        """The seconds until harm is found in this share of releases; None if it takes more than 30 days."""
        low, high = 0, 1
        while self.within(high * self.interval) < part:
            low, high = high, high * 2
            if high * self.interval > LONGEST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.within(middle * self.interval) >= part else (middle, high)
        return high * self.interval

    def _after(self, mean: float) -> float:
        if mean <= 0:
            return 0.0
        low, weights = poisson(mean)
        last = len(self.chances) - 1
        return min(1.0, sum(weight * self.chances[min(count, last)] for count, weight in enumerate(weights, start=low)))


def poisson(mean: float) -> tuple[int, list[float]]:
    """(the lowest number, the probabilities from it on), without negligible ones. `mean`: above 0."""
    reach = SPREAD * sqrt(mean) + 12
    low, high = max(0, int(mean - reach)), ceil(mean + reach)
    return low, [exp(count * log(mean) - mean - lgamma(count + 1)) for count in range(low, high + 1)]


@lru_cache(256)
def power(settings: VerdictSettings, traffic: ExpectedTraffic, weight: float, ratio: float) -> Power:
    """The power for a canary with `ratio` times the stable version's errors, at a weight between 0 and 1.

    It begins with the first look of a step. The errors are divided by `dispersion`. With a `budget` the result is a
    lower bound: evidence for exceeding the budget is added.
    """
    bad = weight * min(1.0, traffic.rate * ratio) / settings.dispersion
    other = (1 - weight) * traffic.rate / settings.dispersion
    limit = -log(settings.false_abort) + (0.0 if settings.budget is None else log(2))
    return Power(
        _chances(settings.tolerated, limit, weight, bad / (bad + other)),
        traffic.requests * (bad + other),
        traffic.interval,
    )


def _chances(tolerated: float, limit: float, weight: float, share: float) -> list[float]:
    """The chance that the evidence has reached its limit, by the number of errors.

    `share`: the canary's share of the errors.
    """
    process = RelativeProcess(tolerated, harm=True)
    of_canary, of_stable = process.growth(weight, 1, 0), process.growth(weight, 0, 1)

    def reached(canary: int, errors: int) -> bool:
        rest = errors - canary
        sums = [canary * bad + rest * other for bad, other in zip(of_canary, of_stable, strict=True)]
        return log_mean_exp(sums) >= limit

    hit, chances = [0.0], [1.0]
    first, boundary, total = 0, 1, 0.0
    while len(hit) <= MOST_ERRORS and total < CERTAIN:
        # chances[i]: the chance of `first + i` canary errors without having reached the limit before.
        errors = len(hit)
        chances = [
            stays * (1 - share) + comes * share for stays, comes in zip([*chances, 0.0], [0.0, *chances], strict=True)
        ]
        boundary = min(boundary, errors)
        while boundary <= errors and not reached(boundary, errors):
            boundary += 1
        inside = max(0, boundary - first)
        hit.append(sum(chances[inside:]))
        total += hit[-1]
        del chances[inside:]
        dropped = bisect_right(list(accumulate(chances)), NEGLIGIBLE)
        first += dropped
        del chances[:dropped]
        if not chances:
            break
    return list(accumulate(hit))
