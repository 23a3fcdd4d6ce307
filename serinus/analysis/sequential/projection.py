"""When evidence that grows at a steady rate reaches its limit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log

STEPS = 30
"""Of Newton's method at most. Four to six are usual."""
CLOSE = 0.01
"""Looks. A projection needs no more: a verdict comes at a whole one."""


def looks_until(sums: Sequence[float], growth: Sequence[float], limit: float) -> float | None:
    """The looks until log(sum(exp(sums + looks · growth))) reaches `limit`; None where it never does.

    The function is convex, so Newton's method from a place above its root comes down to it without passing it. One term
    alone reaches the limit at such a place.
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
