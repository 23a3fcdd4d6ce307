"""Whether requests split between the versions as the weight says. A wrong split is an error of set-up, no verdict.

The split is a binomial process like the errors' one: with the weight in place of the share of requests, and requests in
place of errors, a ratio of 1 is the split that the weight asks for.
"""

from __future__ import annotations

from math import log

from serinus.analysis.sequential.process import RelativeProcess

REJECTS = 0.001
"""Probability to report a split that is as the weight says."""
TOLERANCE = 1.25
"""The odds of the canary may differ from the weight's by this factor: routers round weights, and connections stay open."""


class SampleRatio:
    """Evidence against the weight in force, from both sides."""

    __slots__ = ("_few", "_many", "expected", "seen")

    def __init__(self) -> None:
        self._many = RelativeProcess(TOLERANCE, harm=True)
        self._few = RelativeProcess(1 / TOLERANCE, harm=False)
        self.expected = self.seen = 0.0

    def add(self, weight: float, canary_requests: float, stable_requests: float) -> None:
        """`weight`: the part of the requests that the canary should get, between 0 and 1. 0 and 1 say nothing."""
        if 0 < weight < 1:
            self._many.add(weight, canary_requests, stable_requests)
            self._few.add(weight, canary_requests, stable_requests)
            self.expected += weight * (canary_requests + stable_requests)
            self.seen += canary_requests + stable_requests

    def mismatch(self, canary_requests: float) -> str:
        """The sentence that reports a split that the weight does not explain; "" for none.

        `canary_requests`: of all looks that were added.
        """
        limit = log(2 / REJECTS)
        if max(self._many.log_evidence(), self._few.log_evidence()) < limit:
            return ""
        expected, found = self.expected / self.seen, canary_requests / self.seen
        return (
            f"the canary's queries count {found:.1%} of all requests and its weight is {expected:.1%}: "
            "a label selects the wrong pods, the sides are swapped, or mirrored traffic is counted. Correct the queries"
        )
