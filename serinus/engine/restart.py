"""`restartAt`: pods that were born before it are evicted one after another, and the ReplicaSets bring new ones.

One more pod comes first, so that as many serve as are wanted. Where it cannot (no surge is wanted, sizes are frozen, the
cluster is full), as many at a time may be missing as maxUnavailable allows, at least one; but never the last one of a version
that a part of the requests goes to for now. Evictions respect PodDisruptionBudgets. Source: the Rollout resource, section 8.
"""

from __future__ import annotations

from collections.abc import Callable

from serinus.api.int_or_percent import scaled
from serinus.api.times import format_time, parse_time
from serinus.api.workloads import ReplicaSet
from serinus.engine import waits
from serinus.engine.draft import Draft
from serinus.engine.plan import Action
from serinus.engine.services import selected_hash
from serinus.engine.sight import hash_of

AGAIN = 30.0
"""Seconds until the next look where an eviction was refused and no pod changes."""


def restart(draft: Draft, wanted: Callable[[ReplicaSet], int | None]) -> None:
    """Plan evictions and the pods to spare; note it as done when every pod is young enough.

    `wanted`: how many pods of a ReplicaSet must serve; None where its size cannot grow for the restart.
    """
    s, status = draft.sight, draft.status
    at = parse_time(s.spec.restart_at)
    if at is None or s.spec.restart_at == status.restarted_at:
        return
    if s.now < at:
        draft.wait(waits.RESTART.code, f"pods are restarted at {format_time(at)}", until=at)
        return
    budget = _Budget(draft)
    left = sum(_one_by_one(draft, rs, at, None if s.cramped() else wanted(rs), budget) for rs in s.sets)
    if not left:
        status.restarted_at = s.spec.restart_at
        return
    draft.wait(waits.RESTART.code, f"{left} pods are older than restartAt", since=at, until=s.now + AGAIN)


class _Budget:
    """How many pods of all ReplicaSets together may still be missing where no other comes first."""

    def __init__(self, draft: Draft) -> None:
        s = draft.sight
        serving = sum(1 for p in s.snapshot.pods if p.ready() and not p.metadata.deletion_timestamp)
        self.left = serving - max(s.replicas, sum(draft.size(r) for r in s.sets)) + _missing(draft)

    def take(self, count: int) -> int:
        taken = max(0, min(count, self.left))
        self.left -= taken
        return taken


def _one_by_one(draft: Draft, rs: ReplicaSet, at: float, wanted: int | None, budget: _Budget) -> int:
    """Plan the evictions of one ReplicaSet; returns how many of its pods are too old, and not yet on their way out."""
    s, pods = draft.sight, draft.sight.pods_of(rs)
    old = [p for p in pods if (parse_time(p.metadata.creation_timestamp) or 0) < at]
    if not old:
        return 0
    serving = sum(1 for p in pods if p.ready() and not p.metadata.deletion_timestamp)
    now = [p for p in old if not p.metadata.deletion_timestamp]
    spared = serving - wanted if wanted else serving - rs.spec.replicas + _missing(draft)
    if not wanted and _shares_traffic(draft, rs):
        spared = min(spared, serving - 1)  # its share has nowhere else to go
    allowed = spared if wanted else budget.take(min(len(now), spared))
    going = now[: max(0, allowed)]
    for pod in going:
        because = f"pods from before {s.spec.restart_at} are restarted (restartAt)"
        draft.act(Action("evict", "Pod", pod.metadata.name, because, uid=pod.metadata.uid))
    draft.staying[rs.metadata.name] = serving - len(going)
    if wanted:
        draft.serving[rs.metadata.name] = max(wanted, serving - len(going))
        if now:
            draft.spare[rs.metadata.name] = 1
    return len(now)


def _shares_traffic(draft: Draft, rs: ReplicaSet) -> bool:
    """Whether requests are led here that would be lost without a pod, and that will go elsewhere before long: a router's
    share, or all while a blue-green version is replaced that is not promoted yet."""
    s = draft.sight
    if s.blue_green is not None:
        passing = rs is not s.new and rs is not s.stable
        return passing and selected_hash(draft, s.blue_green.active_service) == hash_of(rs)
    weights = s.rollout.status.canary.weights
    if weights is None or not weights.canary.weight:
        return False
    return any(side.weight and side.pod_template_hash == hash_of(rs) for side in (weights.canary, weights.stable))


def _missing(draft: Draft) -> int:
    """Pods that may be missing where no other can come first. Where one will be able to soon, nobody has to be missing."""
    s = draft.sight
    given = s.canary.max_unavailable if s.canary else None
    allowed = min(s.replicas, scaled(given, s.replicas, round_up=False, default="25%"))
    return allowed if _surges_soon(draft) else max(1, allowed)


def _surges_soon(draft: Draft) -> bool:
    """Whether pods alone divide the traffic and an update is under way, after which one more pod can come first."""
    s = draft.sight
    if s.canary is None or s.routing is not None or s.spec.paused or s.cramped():
        return False
    return scaled(s.canary.max_surge, s.replicas, round_up=True, default="25%") > 0
