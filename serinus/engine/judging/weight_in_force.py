"""The present share of requests of the version that an AnalysisRun judges, to check the counts of its queries."""

from __future__ import annotations

from serinus.api.analysis import AnalysisRun
from serinus.api.names import HASH
from serinus.api.rollout import Rollout


def weight_in_force(rollout: Rollout, run: AnalysisRun) -> float | None:
    """From 0 to 1, of the requests of canary and stable version together. None if the weight does not determine it.

    A router splits requests by weight. The weight says nothing without a router, with header or mirror routes, while
    unconfirmed, or for a run of another version.
    """
    canary, status = rollout.spec.strategy.canary, rollout.status
    weights = status.canary.weights
    if canary is None or canary.traffic_routing is None or canary.traffic_routing.managed_routes or weights is None:
        return None
    if weights.verified is False or run.metadata.labels.get(HASH) != status.current_pod_hash:
        return None
    both = weights.canary.weight + weights.stable.weight
    return weights.canary.weight / both if both else None
