"""Traffic with errors for simulations of verdicts: exact binomial counts, errors in bursts, ramps."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from random import Random

from serinus.analysis.sequential.looks import Look

Draw = Callable[[Random], int]
RAMP = (0.01, 0.05, 0.2, 0.5)
"""Weights of a release, each for a quarter of the looks."""


def binomial(trials: int, chance: float) -> Draw:
    """Draws from the exact distribution, by its table (±10 standard deviations)."""
    mean, spread = trials * chance, math.sqrt(trials * chance * (1 - chance))
    low, high = max(0, int(mean - 10 * spread - 10)), min(trials, int(mean + 10 * spread + 20))
    return _drawn(low, [_log_binomial(trials, count, chance) for count in range(low, high + 1)])


def poisson(mean: float) -> Draw:
    high = int(mean + 10 * math.sqrt(mean) + 20)
    return _drawn(0, [count * math.log(mean) - mean - math.lgamma(count + 1) for count in range(high + 1)])


def in_bursts(requests: int, rate: float, burst: int) -> Draw:
    """Errors that come `burst` at a time, with the same mean as independent ones."""
    bursts = poisson(requests * rate / burst)
    return lambda chance: min(requests, burst * bursts(chance))


def _log_binomial(trials: int, count: int, chance: float) -> float:
    ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return ways + count * math.log(chance) + (trials - count) * math.log1p(-chance)


def _drawn(low: int, logs: list[float]) -> Draw:
    table = list(accumulate(map(math.exp, logs)))
    return lambda chance: low + min(bisect_left(table, chance.random() * table[-1]), len(table) - 1)


def constant(canary: int, stable: int, errors: Callable[[int, float], Draw], rates: tuple[float, float]) -> Draws:
    return Draws([(canary, stable, errors(canary, rates[0]) if canary else None, errors(stable, rates[1]))])


class Draws:
    """Looks of one setting. Each stage of the release has the same number of looks."""

    def __init__(self, stages: list[tuple[int, int, Draw | None, Draw]]) -> None:
        self.stages = stages

    def looks(self, count: int, chance: Random) -> Iterator[Look]:
        for place in range(count):
            canary, stable, bad, other = self.stages[place * len(self.stages) // count]
            yield Look(canary, bad(chance) if bad else 0, stable, other(chance))


def ramp(requests: int, errors: Callable[[int, float], Draw], rates: tuple[float, float]) -> Draws:
    stages = [(max(1, round(requests * weight)), weight) for weight in RAMP]
    return Draws([(n, requests - n, errors(n, rates[0]), errors(requests - n, rates[1])) for n, _ in stages])
