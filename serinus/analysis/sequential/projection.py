"""The time until steadily growing evidence reaches its limit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log

STEPS = 30
"""Most steps of Newton's method. Four to six are usual."""
CLOSE = 0.01
"""Precision in looks. More has no benefit: a verdict comes at a whole look."""


def looks_until(sums: Sequence[float], growth: Sequence[float], limit: float) -> float | None:
    """The looks until log(sum(exp(sums + looks · growth))) reaches `limit`; None if it never does.

    The function is convex, so Newton's method from a point above its root converges to it from above. The point at
    which one term alone reaches the limit is such a start.
    """
    looks = min(
        ((limit - total) / step for total, step in zip(sums, growth, strict=True) if step > 0 and total < limit),
        default=inf,
    )
    if looks == inf:
        return None
    for _ in range(STEPS):
        terms = [total + looks * step for total, step in zip(sums, growth, strict=True)]
        highest = max(terms)
        weights = [exp(term - highest) for term in terms]
        whole = sum(weights)
        slope = sum(weight * step for weight, step in zip(weights, growth, strict=True)) / whole
        if slope <= 0:
            return looks
        back = (highest + log(whole) - limit) / slope
        looks -= back
        if back < CLOSE:
            break
    return max(0.0, looks)
