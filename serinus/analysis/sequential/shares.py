"""Checks that requests split between the versions according to the weight. A wrong split is a set-up error.

The split is a binomial process like that of the errors. The weight replaces the share of requests, and requests replace
errors. A ratio of 1 is then the split of the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from serinus.analysis.sequential.process import RelativeProcess

REJECTS = 0.001
"""Probability to report a correct split."""
TOLERANCE = 1.25
"""The canary's odds may differ from the weight's by this factor: routers round weights, connections stay open."""
MOST_WEIGHTS = 20
"""Most weights with separate counts. A release has fewer. Looks at further weights are ignored."""

Split = tuple[float, float, float]
"""(weight from 0 to 1, requests of the canary, requests of the stable version)."""


class SampleRatio:
    """Requests by current weight. Looks at the same weight are added: the evidence is the same."""

    __slots__ = ("_counts",)

    def __init__(self, splits: Sequence[Split] = ()) -> None:
        self._counts = {weight: (canary, stable) for weight, canary, stable in splits}

    @property
    def splits(self) -> list[Split]:
        return [(weight, *counts) for weight, counts in self._counts.items()]

    def add(self, weight: float, canary_requests: float, stable_requests: float) -> None:
        """`weight`: the canary's intended share of the requests, between 0 and 1. 0 and 1 are ignored."""
        if 0 < weight < 1 and (weight in self._counts or len(self._counts) < MOST_WEIGHTS):
            canary, stable = self._counts.get(weight, (0.0, 0.0))
            self._counts[weight] = canary + canary_requests, stable + stable_requests

    def mismatch(self, remedy: str = "set `weight: 0`") -> str:
        """The sentence about a split that the weights do not explain; "" for none. `remedy`: turns the check off."""
        splits = self.splits
        total = sum(canary + stable for _, canary, stable in splits)
        if not total or all(map(_explained, splits)):
            return ""
        many, few = RelativeProcess(TOLERANCE, harm=True), RelativeProcess(1 / TOLERANCE, harm=False)
        for split in splits:
            many.add(*split)
            few.add(*split)
        if max(many.log_evidence(), few.log_evidence()) < log(2 / REJECTS):
            return ""
        expected = sum(weight * (canary + stable) for weight, canary, stable in splits) / total
        actual = sum(canary for _, canary, _ in splits) / total
        return (
            f"the canary's queries count {actual:.1%} of all requests and its weight is {expected:.1%}: "
            "a label selects the wrong pods, the sides are swapped, or mirrored traffic is counted. Correct the queries, "
            f"or {remedy} where requests are not split by weight"
        )


def _explained(split: Split) -> bool:
    """Whether the odds are within the tolerance. Then any number of requests is no evidence."""
    weight, canary, stable = split
    odds = canary * (1 - weight)
    return stable * weight <= odds * TOLERANCE and odds <= stable * weight * TOLERANCE
