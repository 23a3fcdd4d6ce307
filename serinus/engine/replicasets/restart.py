"""`restartAt`: pods created before it are evicted one after another, and the ReplicaSets replace them.

A pod that is not ready serves nothing, so it goes at once. For the others, one extra pod starts first, so that enough
pods serve, also during an update. Without a router, `maxSurge` limits it. If no extra pod is possible (no surge, frozen
sizes, a full cluster), maxUnavailable pods may be missing, at least one. The last pod of a version that has a temporary
share of the requests is never evicted. Evictions respect PodDisruptionBudgets. Source: the Rollout resource, section 8.
"""

from __future__ import annotations

from collections.abc import Callable

from serinus.api.messages.counted import counted
from serinus.api.values.int_or_percent import scaled
from serinus.api.values.times import format_time, parse_time
from serinus.api.workloads import Pod, ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of
from serinus.engine.core.plan import Action
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import selected_hash

AGAIN = 30.0
"""Seconds until the next pass after an eviction. A refused eviction changes no pod, so no event follows it."""


def restart(
    builder: PlanBuilder, desired: Callable[[ReplicaSet], int | None], room: Callable[[], int | None] = lambda: None
) -> None:
    """Plan evictions and spare pods. Record the restart as done when every pod is newer than `restartAt`.

    `desired`: how many pods of a ReplicaSet must serve; None if its size cannot grow for the restart. `room`: how many
    pods may exist beyond those of all ReplicaSets together; None for any number.
    """
    s, status = builder.context, builder.status
    if s.spec.restart_at == status.restarted_at:
        return
    at = parse_time(s.spec.restart_at)
    if at is None:
        return
    if s.now < at:
        builder.wait(wait_reasons.RESTARTING.code, f"pods are restarted at {format_time(at)}", until=at)
        return
    grows = {rs.metadata.name: None if s.cramped() else desired(rs) for rs in s.sets}
    fits = room()
    budget = _Budget(builder, fits, surges=fits is not None and any(size is not None for size in grows.values()))
    left = sum(_one_by_one(builder, rs, at, grows[rs.metadata.name], budget) for rs in s.sets)
    if not left:
        status.restarted_at = s.spec.restart_at
        return
    # No deadline: the next eviction follows when another pod is ready.
    old = f"{counted(left, 'pod is', 'pods are')} older than restartAt"
    builder.wait(wait_reasons.RESTARTING.code, f"{old}: {_next(builder, budget)}", since=at)
    if builder.evicts():
        builder.requeue(s.now + AGAIN)


def _next(builder: PlanBuilder, budget: _Budget) -> str:
    if builder.evicts():
        return "one after another is replaced"
    if budget.held:
        return "the last one of a version that a Service leads to goes when the update has ended"
    return "the next one goes when as many others are ready as are wanted"


class _Budget:
    """How many pods of all ReplicaSets together may still be missing, and how many extra pods may start first.

    `room`: as of `restart`. `surges`: there is no router, and extra pods may start first. Then all ReplicaSets together
    keep the wanted number of serving pods, whatever the size of each.
    """

    def __init__(self, builder: PlanBuilder, room: int | None, *, surges: bool) -> None:
        s = builder.context
        # Pods above a ReplicaSet's size are ending, although they may not be marked for deletion yet.
        serving = sum(min(_serving(builder, rs), builder.size(rs)) for rs in s.sets)
        self.room, self.surges, self.held = room, surges, False
        given = s.canary.max_unavailable if s.canary else None
        allowed = min(s.replicas, scaled(given, s.replicas, round_up=False, default="25%"))
        self.missing = allowed if surges else max(1, allowed)
        desired = s.replicas if surges else max(s.replicas, sum(builder.size(r) for r in s.sets))
        self.left = serving - desired + self.missing

    def take(self, count: int) -> int:
        taken = max(0, min(count, self.left))
        self.left -= taken
        return taken

    def takes_room(self) -> bool:
        """Whether one more pod fits. Reserves its room."""
        if self.room is None:
            return True
        self.room -= 1
        return self.room >= 0


def _serving(builder: PlanBuilder, rs: ReplicaSet) -> int:
    return sum(1 for p in builder.context.pods_of(rs) if p.ready() and not p.metadata.deletion_timestamp)


def _one_by_one(builder: PlanBuilder, rs: ReplicaSet, at: float, desired: int | None, budget: _Budget) -> int:
    """Plan the evictions of one ReplicaSet. Returns how many old pods it still has that are not being deleted."""
    pods = builder.context.pods_of(rs)
    old = [p for p in pods if (parse_time(p.metadata.creation_timestamp) or 0) < at]
    if not old:
        return 0
    serving = _serving(builder, rs)
    now = [p for p in old if not p.metadata.deletion_timestamp]
    idle, busy = [p for p in now if not p.ready()], [p for p in now if p.ready()]
    grows = bool(desired) and bool(busy) and budget.takes_room()
    if desired and grows:
        allowed = serving - desired
        allowed = budget.take(min(len(busy), allowed)) if budget.surges else allowed
    else:
        spared = serving if budget.surges else serving - rs.spec.replicas + budget.missing
        if _shares_traffic(builder, rs):
            budget.held = budget.held or spared >= serving == 1
            spared = min(spared, serving - 1)  # no other pod can serve its share
        allowed = budget.take(min(len(busy), spared))
    _evict(builder, idle)
    going = _evict(builder, busy[: max(0, allowed)])
    builder.staying[rs.metadata.name] = serving - going
    if desired and grows:
        builder.serving[rs.metadata.name] = max(desired, serving - going)
        builder.spare[rs.metadata.name] = 1
    return len(now)


def _evict(builder: PlanBuilder, pods: list[Pod]) -> int:
    """Plan the evictions. Returns how many are planned."""
    because = f"pods from before {builder.context.spec.restart_at} are restarted (restartAt)"
    return sum(builder.act(Action("evict", "Pod", p.metadata.name, because, uid=p.metadata.uid)) for p in pods)


def _shares_traffic(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    """Whether it has a temporary share of the requests, which would fail without a pod. That is a router's share, or
    all requests while an unpromoted blue-green version is replaced."""
    s = builder.context
    if s.blue_green is not None:
        passing = rs is not s.new and rs is not s.stable
        return passing and selected_hash(builder, s.blue_green.active_service) == hash_of(rs)
    if s.canary is not None and s.routing is None:
        shared = sum(1 for r in s.sets if r.spec.replicas) > 1
        names = service_names(s.canary, s.rollout.status)
        return shared and any(name and selected_hash(builder, name) == hash_of(rs) for name in names)
    weights = s.rollout.status.canary.weights
    if weights is None or not weights.canary.weight:
        return False
    canary_service, stable_service = service_names(s.canary, s.rollout.status) if s.canary else ("", "")
    # The Service decides who gets the weight. It may move after the weight was recorded.
    return any(
        side.weight and hash_of(rs) in (side.pod_template_hash, selected_hash(builder, name))
        for side, name in ((weights.canary, canary_service), (weights.stable, stable_service))
    )
