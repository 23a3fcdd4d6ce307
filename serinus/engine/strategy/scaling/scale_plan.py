"""The sizes that a canary step wants, and whether the ReplicaSets have them.

Source: canary strategy, sections 2 and 3 ("At desired counts").
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from serinus.api.derived import once
from serinus.api.names import INCONCLUSIVE_ANALYSIS
from serinus.api.rollout import CanaryStrategy, TrafficWeights
from serinus.api.values.int_or_percent import scaled
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext, hash_of
from serinus.engine.replicasets.replicas import (
    Count,
    Routed,
    SurgeLimits,
    approximate,
    capacity,
    make_room,
    next_basic,
    share,
)
from serinus.engine.replicasets.routes import service_names, set_by
from serinus.engine.replicasets.services import canary_weight_of, replaced_has_share, selected_hash, weight_of
from serinus.engine.status.conditions import promoted
from serinus.engine.strategy.steps.set_canary_scale import active_scale
from serinus.engine.strategy.steps.set_weight import last_weight
from serinus.routing.registry import by_hash


def count_of(builder: PlanBuilder, rs: ReplicaSet, *, ready: bool = False) -> Count:
    """The pods that count in decisions about other pods. Pods that a restart evicts do not count.

    `ready`: also count ready pods within minReadySeconds. They serve, so their removal loses capacity.
    """
    size, avail = builder.size(rs), builder.available_not_evicted(rs, rs.status.available_replicas)
    return Count(size, max(avail, min(rs.status.ready_replicas, size)) if ready else avail)


def _limits(s: RolloutContext, canary: CanaryStrategy, *, cramped: bool) -> SurgeLimits:
    """`maxSurge` and `maxUnavailable` in pods. Surge first: with room for an extra pod, none ends before it exists."""

    def limits() -> SurgeLimits:
        surge = scaled(canary.max_surge, s.replicas, round_up=True, default="25%")
        unavailable = min(s.replicas, scaled(canary.max_unavailable, s.replicas, round_up=False, default="25%"))
        if surge and not cramped:
            unavailable = 0
        return SurgeLimits(surge, unavailable if surge or unavailable else 1)

    return once(s.spec, ("surge limits", cramped), limits)


class Sizes(NamedTuple):
    """Desired pods of the new and of the stable version.

    `keeps_stable_pod`: without a router, the last pod of the stable version stays only because its Service selects it.
    """

    new: int
    stable: int
    keeps_stable_pod: bool = False


class ScalePlan:
    """The desired sizes at a step, and whether the ReplicaSets have them."""

    def __init__(self, builder: PlanBuilder) -> None:
        self.builder, self.s = builder, builder.context
        canary = self.s.canary
        assert canary is not None
        self.canary = canary

    @cached_property
    def limits(self) -> SurgeLimits:
        return _limits(self.s, self.canary, cramped=self.s.cramped())

    @property
    def stable(self) -> ReplicaSet | None:
        """The stable ReplicaSet, when it is another than the new one."""
        stable = self.s.named(self.builder.status.stable_rs)
        return None if stable is self.s.new else stable

    def weight(self, index: int) -> int:
        """The weight that determines the sizes at step `index`."""
        status, steps, top = self.builder.status, self.s.steps, self.s.max_weight if self.s.routing else 100
        if status.promote_full or not status.stable_rs or promoted(status):
            return top
        scale = self._scale(index)
        if scale is not None:
            return 0 if scale.replicas is not None else scale.weight or 0
        if status.abort:
            return 0
        return top if index >= len(steps) else last_weight(steps, index + 1)

    def _scale(self, index: int):
        status = self.builder.status
        if not self.s.routing or status.promote_full or promoted(status):
            return None
        # With dynamicStableScale the stable version must grow to full size, whatever canary scale a step sets.
        if status.abort and (self.canary.abort_scale_down_delay_seconds != 0 or self.canary.dynamic_stable_scale):
            return None
        return active_scale(self.s.steps, index)

    def _for_routes(self, index: int) -> int:
        """1 while a header or mirror route leads to the canary, whatever its weight and the size that a step says; else 0."""
        led = bool(self.s.replicas and self.s.routing and set_by(self.s.steps[: index + 1], self.s.routing))
        return int(led and not self.builder.status.abort)

    def targets(self, index: int) -> Sizes:
        """The sizes wanted at step `index`; without a router, the next sizes towards them."""
        s, new = self.s, self.s.new
        assert new is not None
        weight = self.weight(index)
        if s.routing is None:
            return self._basic(weight)
        scale, weights, planned = (
            self._scale(index),
            s.rollout.status.canary.weights,
            self.builder.status.canary.weights,
        )
        desired = Routed(
            s.replicas,
            weight,
            s.max_weight,
            self.canary.min_pods_per_replica_set or 1,
            scale.replicas if scale else None,
            self.canary.dynamic_stable_scale,
            # Before a weight was ever written, the stable version has everything.
            (weights.canary.weight, max(self._stable_weight(weights, planned), self._left_to_stable(index)))
            if weights and planned
            else (0, s.max_weight),
            self.builder.status.abort,
        )
        if self.stable is None:
            return Sizes(desired.canary(), 0)
        # Gateways may receive a weight before a Service change: one pod stays behind the stable Service.
        least = 1 if s.replicas and self.leads_to_stable() else 0
        # The share of a replaced version returns to the stable one, as at the beginning of every update.
        stable = s.replicas if replaced_has_share(self.builder) else desired.stable()
        return Sizes(max(desired.canary(), self._for_routes(index)), max(least, stable))

    def _stable_weight(self, stored: TrafficWeights, planned: TrafficWeights) -> int:
        """The weight that the stable version gets, with that of the canary if the canary Service selects it."""
        own = max(stored.stable.weight, planned.stable.weight)
        return min(self.s.max_weight, own + canary_weight_of(self.builder, self.stable))

    def _left_to_stable(self, index: int) -> int:
        """The weight that the step leaves to the stable version beside a canary scale, which does not say it."""
        steps = self.s.steps
        if self._scale(index) is None or index >= len(steps):
            return 0
        return self.s.max_weight - last_weight(steps, index + 1)

    def _basic(self, weight: int) -> Sizes:
        s, new, stable = self.s, self.s.new, self.stable
        assert new is not None
        target = approximate(s.replicas, weight, 100, self.limits.surge)
        others = tuple(count_of(self.builder, r) for r in s.others if r is not stable)
        now, old = count_of(self.builder, new), None
        if stable:
            size, target = make_room(
                s.replicas, target, self.limits, now, count_of(self.builder, stable, ready=True), others
            )
            old = Count(size, count_of(self.builder, stable).avail)
        grown, left = next_basic(s.replicas, target, self.limits, now, old, others)
        most = s.replicas + self.limits.surge
        if old and old.size and not left and most > 1 and self.leads_to_stable():
            room = most - 1 - sum(o.size for o in others)
            return Sizes(min(grown, max(now.size, room)), 1, keeps_stable_pod=True)
        return Sizes(grown, left)

    def leads_to_stable(self) -> bool:
        """Whether the observed stable Service selects the stable ReplicaSet. One pod stays until it moves.

        For a router that selects by hash, the status decides.
        """
        if by_hash(self.s.spec):
            weights = self.s.rollout.status.canary.weights
            return weights is not None and weights.stable.pod_template_hash == hash_of(self.stable)
        name = service_names(self.canary, self.builder.status)[1]
        return bool(name) and selected_hash(self.builder, name) == hash_of(self.stable)

    def takes_over(self, index: int) -> bool:
        """Whether, at step `index`, the new version has all pods except the one for the stable Service, which can then move."""
        status, new = self.builder.status, self.s.new
        ended = status.promote_full or index >= len(self.s.steps)
        if self.s.routing or new is None or not self.stable or status.abort or not ended or self.builder.created(new):
            return False
        if self.canary.stable_service and selected_hash(self.builder, self.canary.stable_service) == hash_of(new):
            return True
        want = self.targets(index)
        return want.keeps_stable_pod and 0 < want.new < self.s.replicas and self._enough(new, want.new)

    def arrived(self, index: int) -> bool:
        """Whether new and stable have the sizes of step `index`, and the new one's pods serve."""
        new, stable = self.s.new, self.stable
        if new is None or self.builder.created(new):
            return False
        want = self.routed(index) if self.s.routing else self.targets(index)
        if not self._enough(new, want.new):
            return False
        if self.s.routing is None and any(r.status.available_replicas for r in self.s.others if r is not stable):
            return False
        if stable is None or (self.s.routing and self.canary.dynamic_stable_scale):
            return True
        return self.builder.is_size(stable, want.stable) and stable.status.replicas == stable.spec.replicas

    def _enough(self, rs: ReplicaSet, want: int) -> bool:
        avail, threshold = self._available(rs), self.canary.replica_progress_threshold
        if threshold is not None and threshold.value >= 0:
            return (
                avail >= threshold.value
                if threshold.type == "Pods"
                else want == 0 or avail * 100 >= threshold.value * want
            )
        return self.builder.is_size(rs, want) and avail == rs.spec.replicas

    def _available(self, rs: ReplicaSet) -> int:
        return self.builder.available_not_evicted(rs, rs.status.available_replicas)

    def serves(self, new: ReplicaSet) -> bool:
        """Whether the new version could carry everything."""
        if self.builder.created(new) or new.status.observed_generation < new.metadata.generation:
            return False  # its status is of an earlier size: a step may just have made it smaller
        avail, threshold = self._available(new), self.canary.replica_progress_threshold
        return avail >= self.s.replicas or (threshold is not None and self._enough(new, self.s.replicas))

    def capacity(self, avail: int) -> int:
        return capacity(avail, self.s.replicas, self.s.max_weight)

    def allowed(self, new: ReplicaSet, index: int) -> int:
        """The largest weight for the new version now. A size set by hand counts as enough for any weight."""
        avail = self._available(new)
        if self._scale(index) is not None and avail >= self.targets(index).new > 0:
            return self.s.max_weight
        return self.capacity(avail)

    def must_serve(self, rs: ReplicaSet) -> int | None:
        """Pods that must serve during a restart; None if the size cannot grow for it."""
        if frozen(self.builder) or rs not in (self.s.new, self.stable):
            return None
        index = self.builder.status.current_step_index or 0
        if self.s.routing is None:
            if not self.limits.surge:
                return None
            want = self.targets(index)
            return want.new if rs is self.s.new else want.stable
        if self.builder.status.abort:
            return self.s.replicas if rs is self.stable else None
        want = self.routed(index)
        return want.new if rs is self.s.new else want.stable

    def room(self) -> int | None:
        """Pods that fit beside the wanted ones (`maxSurge`); None with a router, which sets no limit."""
        if self.s.routing is not None:
            return None
        others = [r for r in self.s.others if r is not self.stable]
        left = sum(max(self.builder.size(r), r.status.replicas) for r in others)
        want = self.targets(self.builder.status.current_step_index or 0)
        return max(0, self.s.replicas + self.limits.surge - want.new - want.stable - left)

    def routed(self, index: int) -> Sizes:
        """The sizes of a step with a router. Pods that an observed weight needs stay."""
        return self.carrying(self.targets(index))

    def carrying(self, want: Sizes) -> Sizes:
        """The sizes of a step, increased to those that the gateways' weights need."""
        s, new = self.s, self.s.new
        # Observed weights are still in force; weights that this pass writes will be soon.
        if promoted(self.builder.status):
            return want
        serving = share(weight_of(self.builder, new), s.replicas, s.max_weight)
        return want._replace(new=max(want.new, min(self.builder.size(new), serving)))


def frozen(builder: PlanBuilder) -> bool:
    """Whether sizes stay as they are: a user paused the Rollout, or an analysis was inconclusive."""
    return builder.context.spec.paused or any(
        p.reason == INCONCLUSIVE_ANALYSIS for p in builder.status.pause_conditions
    )
