"""The chance that a version above its budget is found within a time, without a stable version. Pure, a few ms.

The evidence depends on the requests and the errors so far. So the number of errors is followed look by look, with a
Poisson number at each look, and a look at which the evidence has reached its limit ends the release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import ceil, floor, log

from serinus.analysis.sequential.planning import LONGEST
from serinus.analysis.sequential.power import CERTAIN, NEGLIGIBLE, poisson
from serinus.analysis.sequential.process import AbsoluteProcess, log_mean_exp
from serinus.analysis.sequential.settings import VerdictSettings

LEAST_ERRORS = 0.05
"""Expected errors of one step of the computation. Looks with fewer are taken together, which lowers the chance a little."""
MOST_STEPS = 4_000
CLEAR = 1_000.0
"""Expected errors of one look that are found at once: each is worth more than 0.4 in logarithmic evidence."""


@dataclass(frozen=True, slots=True)
class BudgetPower:
    """`chances`: that harm is found by each step, the first one at 0. `seconds`: of a step."""

    chances: Sequence[float]
    seconds: float

    def within(self, seconds: float) -> float:
        """The share of releases in which harm is found by the looks of this time."""
        return self.chances[min(len(self.chances) - 1, floor(seconds / self.seconds + 1e-9))]

    def by(self, part: float) -> float | None:
        """The seconds until harm is found in this share of releases; None if it takes more than 30 days."""
        return next((step * self.seconds for step, chance in enumerate(self.chances) if chance >= part), None)


@lru_cache(256)
def budget_power(settings: VerdictSettings, requests: float, interval: float, ratio: float) -> BudgetPower:
    """The power for a version with `ratio` times the errors that its budget allows.

    `settings`: with a budget. `requests`: of the version per minute. `interval`: seconds between looks.
    """
    budget = settings.budget or 0.0
    rate = min(1.0, budget * ratio)
    looked = requests * interval / 60 / settings.dispersion
    looks = max(1, ceil(LEAST_ERRORS / max(looked * rate, 1e-12)))
    seconds = looks * interval
    if looked * rate > CLEAR and ratio >= 3:
        return BudgetPower((0.0, 1.0), seconds)
    steps = min(MOST_STEPS, floor(LONGEST / seconds))
    return BudgetPower(_chances(budget, -log(settings.false_abort), looked * looks, rate, steps), seconds)


def _chances(budget: float, limit: float, requests: float, rate: float, steps: int) -> list[float]:
    """The chance that the evidence has reached `limit`, by the number of steps with so many requests each."""
    process = AbsoluteProcess(budget, harm=True)
    of_error, of_success = process.growth(1, 1), process.growth(1, 0)

    def reached(total: float, errors: int) -> bool:
        good = max(0.0, total - errors)
        sums = [errors * bad + good * well for bad, well in zip(of_error, of_success, strict=True)]
        return log_mean_exp([0.0, log_mean_exp(sums)]) >= limit  # no stable version: its process stays at 1

    start, more = poisson(requests * rate)
    hit, chances = [0.0], [1.0]
    first, boundary, total = 0, 1, 0.0
    for step in range(1, steps + 1):
        chances = _sum(chances, more)
        first += start
        while not reached(step * requests, boundary):
            boundary += 1
        inside = max(0, boundary - first)
        hit.append(sum(chances[inside:]))
        total += hit[-1]
        del chances[inside:]
        dropped = sum(part < NEGLIGIBLE for part in accumulate(chances))
        first += dropped
        del chances[:dropped]
        if total >= CERTAIN or not chances:
            break
    return list(accumulate(hit))


def _sum(left: Sequence[float], right: Sequence[float]) -> list[float]:
    """The distribution of the sum of two independent numbers."""
    distribution = [0.0] * (len(left) + len(right) - 1)
    for place, chance in enumerate(left):
        for more, other in enumerate(right, start=place):
            distribution[more] += chance * other
    return distribution
