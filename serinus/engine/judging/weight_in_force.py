"""The share of requests that the version judged by an AnalysisRun gets now, for the check that its queries count what they say."""

from __future__ import annotations

from serinus.api.analysis import AnalysisRun
from serinus.api.names import HASH
from serinus.api.rollout import Rollout


def weight_in_force(rollout: Rollout, run: AnalysisRun) -> float | None:
    """From 0 to 1, of the requests of canary and stable version together. None where the weight does not say it.

    A router splits requests by weight. Pods alone, header and mirror routes, and a weight that the router has not confirmed
    do not, and a run of another version is not about this weight.
    """
    canary, status = rollout.spec.strategy.canary, rollout.status
    weights = status.canary.weights
    if canary is None or canary.traffic_routing is None or canary.traffic_routing.managed_routes or weights is None:
        return None
    if weights.verified is False or run.metadata.labels.get(HASH) != status.current_pod_hash:
        return None
    both = weights.canary.weight + weights.stable.weight
    return weights.canary.weight / both if both else None
