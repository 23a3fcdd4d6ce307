"""The dispersion: the variance of the stable version's errors between looks, relative to independent errors.

Errors in bursts are less evidence than the same number of independent errors. All counts are divided by the dispersion
(quasi-likelihood).
"""

from __future__ import annotations

from math import sqrt

LEAST_LOOKS = 10
"""Looks with traffic before the estimate is used: earlier estimates are too uncertain."""
SURE = 2.33
"""Standard deviations above 1 (one in a hundred) before an estimate counts as bursts. The estimate of independent
errors is above 1 half of the time, and they keep their full evidence."""


class Dispersion:
    """Pearson's statistic over its degrees of freedom: the mean of (k − p·n)² / (p·n) with p the rate of all looks.

    It compares each look with its own traffic, so traffic that changes does not count as bursts.
    """

    __slots__ = ("_errors", "_inverses", "_requests", "_squares", "looks")

    def __init__(self) -> None:
        self.looks = 0
        self._requests = self._errors = self._squares = self._inverses = 0.0

    def add(self, requests: float, errors: float) -> None:
        if requests:
            self.looks += 1
            self._requests += requests
            self._errors += errors
            self._squares += errors * errors / requests
            self._inverses += 1 / requests

    def saved(self) -> list[float]:
        return [self.looks, self._requests, self._errors, self._squares, self._inverses]

    def restore(self, saved: list[float]) -> None:
        looks, self._requests, self._errors, self._squares, self._inverses = saved
        self.looks = int(looks)

    def measured(self) -> float:
        """The raw variance over mean, which may be below 1; 1 without errors or before the second look.

        (k − p·n)² / (p·n), summed, is Σ k²/n / p − Σ k, as p·Σ n = Σ k: one pass over the looks.
        """
        if self.looks < 2 or not self._errors:
            return 1.0
        return (self._squares * self._requests / self._errors - self._errors) / (self.looks - 1)

    def estimate(self) -> float:
        """The divisor of counts, at least 1: the measured value if independent errors do not explain it.

        Of independent errors with the means m, the statistic has the variance (2 + mean(1/m)) / (looks − 1).
        """
        if self.looks < LEAST_LOOKS or not self._errors:
            return 1.0
        measured = self.measured()
        inverse = self._inverses * self._requests / self._errors / self.looks
        return measured if measured > 1 + SURE * sqrt((2 + inverse) / (self.looks - 1)) else 1.0
