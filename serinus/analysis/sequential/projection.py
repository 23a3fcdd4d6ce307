"""The time until steadily growing evidence reaches its limit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from operator import mul

STEPS = 30
"""Most steps of Newton's method. Two or three are usual."""
CLOSE = 0.1
"""The last step in looks. The error after it is far smaller, because the method converges quadratically."""


def looks_until(sums: Sequence[float], growth: Sequence[float], dispersion: float, limit: float) -> float | None:
    """The looks until log(sum(exp((sums + looks · growth) / dispersion))) reaches `limit`; None if it never does.

    The function is convex, so Newton's method from a point above its root converges to it from above. The point at
    which one term alone reaches the limit is such a start. The term that grows fastest reaches it early.
    """
    fastest = max(growth)
    if fastest <= 0:
        return None
    limit *= dispersion
    looks = (limit - sums[growth.index(fastest)]) / fastest
    if looks <= 0:
        return 0.0
    for _ in range(STEPS):
        terms = [total + looks * step for total, step in zip(sums, growth, strict=True)]
        highest = max(terms)
        weights = [exp((term - highest) / dispersion) for term in terms]
        whole = sum(weights)
        slope = sum(map(mul, weights, growth)) / whole
        if slope <= 0:
            return looks
        back = (highest + dispersion * log(whole) - limit) / slope
        looks -= back
        if back < CLOSE:
            break
    return max(0.0, looks)
