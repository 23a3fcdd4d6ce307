"""The versions of a blue-green Rollout, and what is known of them at the beginning of a pass."""

from __future__ import annotations

from typing import NamedTuple

from serinus.api.names import INCONCLUSIVE_ANALYSIS
from serinus.api.rollout import BlueGreenStrategy
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import born, hash_of
from serinus.engine.replicasets.services import selected_hash
from serinus.engine.status import scale_down_delay
from serinus.engine.status.conditions import promoted
from serinus.engine.status.promotion import in_rollback_window, never_promoted


class Versions(NamedTuple):
    """The new and the stable version, and the revisions that both Services were observed to select.

    `changed`: this pass has observed a new template. `halted`: the Services stay, because a user paused the Rollout or
    an analysis was inconclusive. `fast_back`: a version that was stable returns, and needs no second trial.
    """

    strategy: BlueGreenStrategy
    new: ReplicaSet
    stable: ReplicaSet | None
    active: str
    preview: str
    changed: bool
    halted: bool
    fast_back: bool

    def fast(self, builder: PlanBuilder) -> bool:
        """Whether the switch needs no pause and no analysis: a rollback, a full promotion, or no version serves yet.

        A rollback to the stable version happens if the active Service selects another version that was still being
        judged.
        """
        serves = builder.context.named(self.active)
        back = promoted(builder.status) or self.fast_back
        return back or builder.status.promote_full or serves is None or serves is self.new

    def size_of_new(self, builder: PlanBuilder) -> int:
        """Pods of the new version: `previewReplicaCount` during the preview, all before the switch."""
        size, status, replicas = self.strategy.preview_replica_count, builder.status, builder.context.replicas
        if size is None or self.stable in (None, self.new) or self.fast(builder):
            return replicas
        if status.blue_green.scale_up_preview_check_point and not status.pause_conditions:
            return replicas
        return size

    def ready(self, builder: PlanBuilder) -> bool:
        """Whether all desired pods of the new version serve."""
        new, want = self.new, self.size_of_new(builder)
        whole = builder.is_size(new, want) and new.spec.replicas == new.status.available_replicas
        return (want > 0 or not builder.context.replicas) and whole and not builder.created(new)

    def saturated(self, builder: PlanBuilder, rs: ReplicaSet | None) -> bool:
        """Whether the version serves with `spec.replicas` pods."""
        replicas = builder.context.replicas
        if rs is None or not builder.is_size(rs, replicas):
            return False
        # Pods that this pass evicts no longer serve: they were spare while few were wanted (`previewReplicaCount`).
        return builder.ready_not_evicted(rs, rs.status.available_replicas) in (replicas, rs.spec.replicas)


def observe(builder: PlanBuilder, new: ReplicaSet, *, changed: bool) -> Versions:
    """The versions before this pass changes them."""
    s, status, strategy = builder.context, builder.status, builder.context.blue_green
    assert strategy is not None
    stable = new if hash_of(new) == status.stable_rs else s.named(status.stable_rs)
    halted = s.spec.paused or any(p.reason == INCONCLUSIVE_ANALYSIS for p in status.pause_conditions)
    return Versions(
        strategy,
        new,
        stable,
        selected_hash(builder, strategy.active_service),
        selected_hash(builder, strategy.preview_service),
        changed,
        halted,
        _goes_back_fast(builder, new, stable, changed=changed),
    )


def _goes_back_fast(builder: PlanBuilder, new: ReplicaSet, stable: ReplicaSet | None, *, changed: bool) -> bool:
    """A version that was stable needs no second trial if it still has its pods or is inside the rollback window.

    Its scale-down deadline records that, and stays until the active Service selects it. So a briefly unready pod
    does not prevent the rollback. Just after a promotion the old version has its pods and no deadline yet.
    """
    if builder.created(new) or promoted(builder.status) or never_promoted(new):
        return False
    older = stable is not None and born(new) < born(stable)
    has_pods = new.spec.replicas > 0 and (changed or scale_down_delay.has_deadline(new))
    return older and (has_pods or in_rollback_window(builder))
