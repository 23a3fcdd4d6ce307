"""The stages of a pass that canary and blue-green share. Each returns a value for the strategy to use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder


class PodCounts(NamedTuple):
    """Pods of some ReplicaSets, by their status. Pods that this pass evicts are neither ready nor available."""

    existing: int
    ready: int
    available: int


def count_pods(builder: PlanBuilder, sets: Sequence[ReplicaSet]) -> PodCounts:
    """The pods of these ReplicaSets together."""
    existing = ready = available = 0
    for rs in sets:
        status = rs.status
        if not status.replicas:
            continue  # the API server refuses a status with more ready pods than pods
        existing += status.replicas
        ready += builder.ready_not_evicted(rs, status.ready_replicas)
        available += builder.ready_not_evicted(rs, status.available_replicas)
    return PodCounts(existing, ready, available)
