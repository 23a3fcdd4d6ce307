"""The number of pods of each ReplicaSet: the step's sizes, the pods that traffic needs, and scale-down.

Source: canary strategy, sections 2, 3 ("At desired counts") and 5.
"""

from __future__ import annotations

from functools import cached_property

from serinus.api.derived import once
from serinus.api.messages.plurals import count
from serinus.api.names import INCONCLUSIVE_ANALYSIS, REVISION_HISTORY, SCALE_DOWN_DEADLINE
from serinus.api.rollout import CanaryStrategy
from serinus.api.values.int_or_percent import scaled
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext, hash_of, revision_of
from serinus.engine.replicasets.replicas import (
    Count,
    Routed,
    SurgeLimits,
    approximate,
    capacity,
    make_room,
    next_basic,
    share,
    trim_others,
)
from serinus.engine.replicasets.routes import service_names
from serinus.engine.replicasets.services import leads_to, references, replaced_has_share, selected_hash
from serinus.engine.status import scale_down_delay
from serinus.engine.status.conditions import promoted
from serinus.engine.strategy.steps.set_canary_scale import active_scale
from serinus.engine.strategy.steps.set_weight import last_weight
from serinus.routing.registry import by_hash

DEFAULT_ABORT_DELAY = 30
DRAIN = 2
"""Seconds for which pods stay after traffic has left them, if no longer delay is set. Gateways follow within a fraction
of one, and running requests must end."""


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


class ScalePlan:
    """The desired sizes at a step, and whether the ReplicaSets have them."""

    def __init__(self, builder: PlanBuilder) -> None:
        self.builder, self.s = builder, builder.context
        canary = self.s.canary
        assert canary is not None
        self.canary = canary
        self.keeps_stable_pod = False
        """Whether the last sizes without a router keep a pod only for the stable Service."""

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

    def targets(self, index: int) -> tuple[int, int]:
        """(new, stable) sizes wanted at step `index`; without a router, the next sizes towards them."""
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
        wanted = Routed(
            s.replicas,
            weight,
            s.max_weight,
            self.canary.min_pods_per_replica_set or 1,
            scale.replicas if scale else None,
            self.canary.dynamic_stable_scale,
            # Before a weight was ever written, the stable version has everything.
            (weights.canary.weight, max(weights.stable.weight, planned.stable.weight))
            if weights and planned
            else (0, s.max_weight),
            self.builder.status.abort,
        )
        if self.stable is None:
            return wanted.canary(), 0
        # Gateways may receive a weight before a Service change: one pod stays behind the stable Service.
        least = 1 if s.replicas and self.leads_to_stable() else 0
        # The share of a replaced version returns to the stable one, as at the beginning of every update.
        stable = s.replicas if replaced_has_share(self.builder) else wanted.stable()
        return wanted.canary(), max(least, stable)

    def _basic(self, weight: int) -> tuple[int, int]:
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
        self.keeps_stable_pod = bool(old and old.size and not left and most > 1 and self.leads_to_stable())
        if self.keeps_stable_pod:
            room = most - 1 - sum(o.size for o in others)
            return min(grown, max(now.size, room)), 1
        return grown, left

    def leads_to_stable(self) -> bool:
        """Whether the observed stable Service selects the stable ReplicaSet. One pod stays until it moves.

        For a router that selects by hash, the status decides.
        """
        if by_hash(self.s.spec):
            weights = self.s.rollout.status.canary.weights
            return weights is not None and weights.stable.pod_template_hash == hash_of(self.stable)
        name = service_names(self.canary, self.builder.status)[1]
        return bool(name) and selected_hash(self.builder, name) == hash_of(self.stable)

    def takes_over(self) -> bool:
        """Whether the new version has all pods except the one for the stable Service, which can then move."""
        status, new = self.builder.status, self.s.new
        index = status.current_step_index or 0
        ended = status.promote_full or index >= len(self.s.steps)
        if self.s.routing or new is None or not self.stable or status.abort or not ended or self.builder.created(new):
            return False
        if self.canary.stable_service and selected_hash(self.builder, self.canary.stable_service) == hash_of(new):
            return True
        want, _ = self.targets(index)
        return self.keeps_stable_pod and 0 < want < self.s.replicas and self._enough(new, want)

    def arrived(self, index: int) -> bool:
        """Whether new and stable have the sizes of step `index`, and the new one's pods serve."""
        new, stable = self.s.new, self.stable
        if new is None or self.builder.created(new):
            return False
        want_new, want_stable = self.routed(index) if self.s.routing else self.targets(index)
        if not self._enough(new, want_new):
            return False
        if self.s.routing is None and any(r.status.available_replicas for r in self.s.others if r is not stable):
            return False
        if stable is None or (self.s.routing and self.canary.dynamic_stable_scale):
            return True
        return self.builder.is_size(stable, want_stable) and stable.status.replicas == stable.spec.replicas

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
        if self._scale(index) is not None and avail >= self.targets(index)[0] > 0:
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
            new, stable = self.targets(index)
            return new if rs is self.s.new else stable
        if self.builder.status.abort:
            return self.s.replicas if rs is self.stable else None
        new, stable = self.routed(index)
        return new if rs is self.s.new else stable

    def room(self) -> int | None:
        """Pods that fit beside the wanted ones (`maxSurge`); None with a router, which sets no limit."""
        if self.s.routing is not None:
            return None
        others = [r for r in self.s.others if r is not self.stable]
        left = sum(max(self.builder.size(r), r.status.replicas) for r in others)
        return max(
            0,
            self.s.replicas + self.limits.surge - sum(self.targets(self.builder.status.current_step_index or 0)) - left,
        )

    def routed(self, index: int) -> tuple[int, int]:
        """(new, stable) sizes with a router. Pods that an observed weight needs stay."""
        return self.carrying(*self.targets(index))

    def carrying(self, want_new: int, want_stable: int) -> tuple[int, int]:
        """The sizes of a step, (new, stable), increased to what the gateways' weights need."""
        s, status, new = self.s, self.builder.status, self.s.new
        # Observed weights are still in force; weights that this pass writes will be soon.
        told = [w for w in (s.rollout.status.canary.weights, status.canary.weights) if w]
        if not promoted(status):
            # The canary Service decides who gets the weight. It may move after the weight was recorded.
            leads = leads_to(self.builder, service_names(self.canary, status)[0], new)
            weights = [w.canary.weight for w in told if leads or w.canary.pod_template_hash == hash_of(new)]
            serving = share(max(weights, default=0), s.replicas, s.max_weight)
            want_new = max(want_new, min(self.builder.size(new), serving))
        return want_new, want_stable


def frozen(builder: PlanBuilder) -> bool:
    """Whether sizes stay as they are: a user paused the Rollout, or an analysis was inconclusive."""
    return builder.context.spec.paused or any(
        p.reason == INCONCLUSIVE_ANALYSIS for p in builder.status.pause_conditions
    )


def keep_in_use(builder: PlanBuilder, scale: ScalePlan) -> None:
    """Remove the old deadline of a version that is in use again. It would have passed when another version replaces it.

    With a router, the deadlines of the new version follow its weight, except while the update is frozen. With
    dynamicStableScale, so do those of the stable one.
    """
    s = builder.context
    if s.new is not None and (not s.routing or (frozen(builder) and not builder.status.abort)):
        scale_down_delay.drop_deadline(builder, s.new)
    if scale.stable and not (s.routing and scale.canary.dynamic_stable_scale):
        scale_down_delay.drop_deadline(builder, scale.stable)


def resize(builder: PlanBuilder, scale: ScalePlan) -> None:
    """Plan sizes: the stable version first, then the new one, then superseded ones."""
    s = builder.context
    assert s.new is not None
    if s.routing is None:
        _resize_basic(builder, scale)
    else:
        _resize_routed(builder, scale)


def _resize_routed(builder: PlanBuilder, scale: ScalePlan) -> None:
    s, status, new, stable = builder.context, builder.status, builder.context.new, scale.stable
    assert new is not None
    index = status.current_step_index or 0
    want_new, want_stable = scale.targets(index)
    if stable and scale.canary.dynamic_stable_scale:
        follow_traffic(builder, stable, want_stable)
    elif stable:
        builder.scale(stable, want_stable, f"the stable version has {count(want_stable, 'pod')}")
    if status.abort and stable:
        _retire_aborted(builder, scale, new, stable, want_new)
    else:
        kept, _ = scale.carrying(want_new, want_stable)
        _resize_new(builder, new, kept, _why(builder, scale, kept, index))
    old = [r for r in s.others if r is not stable and builder.size(r)]
    leading = references(builder) if old else {}
    free = sorted((r for r in old if hash_of(r) not in leading), key=revision_of, reverse=True)
    updating = not promoted(status)
    for rs in free if updating else ():
        if not rs.status.ready_replicas and not rs.status.available_replicas:
            scale_down_delay.empty(builder, rs, "a newer version has taken its place and none of its pods serves")

    def delay(rs: ReplicaSet) -> int:
        if scale.canary.dynamic_stable_scale:
            return DRAIN
        # A replaced canary lost its weight when the newer one appeared, so only running requests must end. A version
        # that was stable until now has a lower number than the stable one. One with a revision history may have been
        # stable, and may have returned within its delay.
        replaced = (
            updating
            and stable is not None
            and revision_of(rs) > revision_of(stable)
            and REVISION_HISTORY not in rs.metadata.annotations
        )
        return min(s.scale_down_delay, DRAIN) if replaced else s.scale_down_delay

    scale_down_delay.retire(builder, free, delay=delay, limit=scale.canary.scale_down_delay_revision_limit)


def _resize_new(builder: PlanBuilder, new: ReplicaSet, size: int, because: str) -> None:
    """The last pods stay for DRAIN after their weight: gateways receive weights and pods in any order."""
    serves = new.status.ready_replicas and builder.size(new) and builder.context.replicas
    written, seen = builder.status.canary.weights, builder.context.rollout.status.canary.weights
    if size or not serves:
        scale_down_delay.drop_deadline(builder, new)
        builder.scale(new, size, because)
    elif written != seen or not scale_down_delay.has_deadline(new):
        scale_down_delay.set_deadline(builder, new, DRAIN, f"{because}, and some may still be at work")
    elif scale_down_delay.passed(builder, new):
        builder.scale(new, 0, because, annotations={SCALE_DOWN_DEADLINE: None})


def follow_traffic(builder: PlanBuilder, stable: ReplicaSet, want: int) -> None:
    """dynamicStableScale: scale up at once; scale down DRAIN seconds after the last change of weights."""
    written, seen = builder.status.canary.weights, builder.context.rollout.status.canary.weights
    if want + builder.spare.get(stable.metadata.name, 0) >= builder.size(stable):
        scale_down_delay.drop_deadline(builder, stable)
        builder.scale(stable, want, f"the stable version has {count(want, 'pod')}")
    elif written != seen or not scale_down_delay.has_deadline(stable):
        scale_down_delay.set_deadline(
            builder, stable, DRAIN, f"its weight needs {count(want, 'pod')}, and some may still be at work"
        )
    elif scale_down_delay.passed(builder, stable):
        notes = {SCALE_DOWN_DEADLINE: None}
        builder.scale(
            stable, want, f"its weight needs {count(want, 'pod')}, and the others have drained", annotations=notes
        )


def _why(builder: PlanBuilder, scale: ScalePlan, size: int, index: int) -> str:
    s = builder.context
    if promoted(builder.status):
        return f"{count(s.replicas, 'replica')} wanted"
    where = f"step {index + 1}/{len(s.steps)}" if index < len(s.steps) else "the end of the steps"
    return f"{where} wants {count(size, 'pod')} of the new version (weight {scale.weight(index)})"


def _retire_aborted(builder: PlanBuilder, scale: ScalePlan, new: ReplicaSet, stable: ReplicaSet, want: int) -> None:
    """Scale down the aborted version once it has no traffic, its delay has passed, and the stable one carries all."""
    s, canary = builder.context, scale.canary
    weights = s.rollout.status.canary.weights
    service = service_names(canary, builder.status)[0]
    drained = (weights is None or weights.canary.weight == 0) and selected_hash(builder, service) != hash_of(new)
    delay = canary.abort_scale_down_delay_seconds
    delay = (DRAIN if canary.dynamic_stable_scale else DEFAULT_ABORT_DELAY) if delay is None else delay
    size = builder.size(new)
    if not drained or stable.status.available_replicas < s.replicas:
        builder.wait(
            wait_reasons.ABORTED.code,
            f"the aborted version keeps its {count(size, 'pod')} until the stable one has all of the traffic",
        )
        builder.scale(new, max(size, want), "aborted: sizes follow the traffic")
    elif delay == 0 and by_hash(s.spec):
        # No Service has moved away from it: gateways may not have received the weight yet.
        _resize_new(builder, new, want, "aborted: no traffic leads to it and no delay is wanted")
    elif delay == 0:
        builder.scale(new, want, "aborted: no traffic leads to it and no delay is wanted")
    elif size > 0 and not scale_down_delay.has_deadline(new):
        scale_down_delay.set_deadline(builder, new, delay, "the update was aborted and its traffic is gone")
    elif size > 0 and scale_down_delay.passed(builder, new):
        builder.scale(new, 0, "aborted: its scale-down delay has passed")


def _resize_basic(builder: PlanBuilder, scale: ScalePlan) -> None:
    s, new, stable = builder.context, builder.context.new, scale.stable
    assert new is not None
    if builder.missing(new):
        if stable:
            builder.scale(stable, s.replicas, f"the stable version has {s.replicas} pods: there is no other yet")
        return
    want_new, want_stable = scale.targets(builder.status.current_step_index or 0)
    if stable:
        if scale.keeps_stable_pod:
            name = scale.canary.stable_service
            builder.wait(
                wait_reasons.SERVICE.code, f"{stable.metadata.name} keeps a pod until Service {name} has moved"
            )
        builder.scale(stable, want_stable, f"pods of both versions divide the traffic: {want_stable} of the stable one")
    builder.scale(new, want_new, f"pods of both versions divide the traffic: {want_new} of the new one")
    trim(builder, scale)


def trim(builder: PlanBuilder, scale: ScalePlan) -> None:
    """Scale down superseded versions without a router, as far as maxUnavailable allows."""
    s = builder.context
    others = [r for r in s.others if r is not scale.stable]
    if any(builder.size(r) for r in others):
        # Pods above a ReplicaSet's size are ending, although its status still counts them. So are evicted ones.
        total = sum(min(of.size, of.avail) for of in (count_of(builder, r) for r in s.sets))
        for rs, size in zip(
            others,
            trim_others(
                tuple(count_of(builder, r, ready=True) for r in others), total, s.replicas - scale.limits.unavailable
            ),
            strict=True,
        ):
            builder.scale(rs, size, "a newer version has taken its place")
