"""One pass over a blue-green Rollout: a complete second version beside the active one, and one switch between them.

    revision → reset on a new template → sizes → pause → preview Service → active Service → metadata → promotion → status

Both Services move only to a ReplicaSet with ready pods. The old version keeps its pods for the delay after the observed
switch. Source: the Rollout resource, section 6; its quirks that cost traffic (section 10) are not followed.
"""

from __future__ import annotations

from serinus.analysis.phases import SUCCESSFUL
from serinus.api.messages.plurals import count
from serinus.api.names import BLUE_GREEN_PAUSE, INCONCLUSIVE_ANALYSIS
from serinus.api.rollout import BlueGreenStrategy, CanaryStatus, PauseCondition
from serinus.api.values.times import format_deadline, parse_time
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.analysis_runs import POST, PRE
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import born, hash_of, revision_of, serving
from serinus.engine.judging import analyses
from serinus.engine.replicasets import ephemeral_roles
from serinus.engine.replicasets.restart import restart
from serinus.engine.replicasets.revision import ensure_new, trim_history
from serinus.engine.replicasets.services import point, selected_hash
from serinus.engine.replicasets.workload import follow, scale_down
from serinus.engine.status import duration, scale_down_delay
from serinus.engine.status.abort import apply_abort, full_promotion_wanted
from serinus.engine.status.conditions import promoted, set_conditions
from serinus.engine.status.phase import phase_of
from serinus.engine.status.promotion import end_pauses, goes_back, in_rollback_window, never_promoted, promote
from serinus.engine.status.refused_writes import report_held, report_only_held
from serinus.engine.status.status_reason import switch_pause
from serinus.engine.strategy.stages import count_pods

DEFAULT_ABORT_DELAY = 30


def plan_blue_green(builder: PlanBuilder) -> None:
    """Fill the builder for a valid blue-green Rollout."""
    s = builder.context
    created = s.new is None
    new = ensure_new(builder, ephemeral_roles.for_new(s))
    if builder.missing(new) and s.stable is None:
        report_only_held(builder, new)
        return
    follow(builder)
    changed = _reset_if_changed(builder, new)
    _first_deploy(builder, new)
    analyses.sync_runs(builder)
    pass_ = _Pass(builder, new, changed=changed)
    pass_.controls()
    restart(builder, pass_.must_serve)
    pass_.resize()
    elapsed = pass_.pause()
    pass_.switch(elapsed)
    ephemeral_roles.keep_in_step(builder)
    scale_down(builder)
    trim_history(builder)
    pass_.promote_if_switched()
    analyses.stop(builder)
    analyses.trim(builder)
    pass_.write_status(created=created)


def _reset_if_changed(builder: PlanBuilder, new: ReplicaSet) -> bool:
    """A new template ends pauses, an abort and a full promotion, and restarts the update. Returns whether it is new."""
    s, status, pods = builder.context, builder.status, hash_of(new)
    before, status.current_pod_hash = status.current_pod_hash, pods
    status.canary, status.current_step_hash, status.current_step_index = CanaryStatus(), "", None
    if before == pods:
        return False
    end_pauses(builder)
    status.abort, status.aborted_at, status.promote_full = False, None, False
    status.blue_green.scale_up_preview_check_point = False
    status.blue_green.pre_promotion_analysis_run_status = status.blue_green.post_promotion_analysis_run_status = None
    if not before:
        status.restarted_at = s.spec.restart_at
    duration.begin_version(status, s.now, back=goes_back(builder))
    if before and new is s.stable:
        duration.complete(status, "FastRolledBack")
    return True


def _first_deploy(builder: PlanBuilder, new: ReplicaSet) -> None:
    s, status = builder.context, builder.status
    if status.stable_rs and s.stable is not None:
        return
    how = "Stable ReplicaSet is gone" if status.stable_rs and status.stable_rs != hash_of(new) else "Initial deploy"
    s.stable = new
    promote(builder, new, how)


class _Pass:
    """The state of one pass: the strategy, both observed Services, and whether it is halted or a fast rollback."""

    def __init__(self, builder: PlanBuilder, new: ReplicaSet, *, changed: bool) -> None:
        self.builder, self.new, self.changed = builder, new, changed
        self.s, self.status = builder.context, builder.status
        strategy = self.s.blue_green
        assert strategy is not None
        self.strategy: BlueGreenStrategy = strategy
        self.stable = new if hash_of(new) == self.status.stable_rs else self.s.named(self.status.stable_rs)
        self.seen_active = selected_hash(builder, strategy.active_service)
        self.active, self.preview = self.seen_active, selected_hash(builder, strategy.preview_service)
        self.halted = self.s.spec.paused or any(p.reason == INCONCLUSIVE_ANALYSIS for p in self.status.pause_conditions)
        self.fast_back = self._goes_back_fast()
        self.over = False
        """Whether the aborted new version's delay has passed: it has no pods any more, or is about to lose them."""

    def _goes_back_fast(self) -> bool:
        """A version that was stable needs no second trial if it still has its pods or is inside the rollback window.

        Its scale-down deadline records that, and stays until the active Service selects it. So a briefly unready pod
        does not prevent the rollback. Just after a promotion the old version has its pods and no deadline yet.
        """
        if self.builder.created(self.new) or promoted(self.status) or never_promoted(self.new):
            return False
        stable, new = self.stable, self.new
        older = stable is not None and born(new) < born(stable)
        held = new.spec.replicas > 0 and (self.changed or scale_down_delay.has_deadline(new))
        return older and (held or in_rollback_window(self.builder))

    @property
    def fast(self) -> bool:
        """Whether the switch needs no pause and no analysis: a rollback, a full promotion, or no version serves yet.

        A rollback to the stable version happens if the active Service selects another version that was still being
        judged.
        """
        serves = self.s.named(self.seen_active)
        back = promoted(self.status) or self.fast_back
        return back or self.status.promote_full or serves is None or serves is self.new

    def controls(self) -> None:
        s, status = self.s, self.status
        if promoted(status):
            status.abort, status.promote_full = False, False
            end_pauses(self.builder)
        elif full_promotion_wanted(status) or (
            self.fast_back and in_rollback_window(self.builder) and not status.abort
        ):
            status.abort = False
            end_pauses(self.builder)
        elif status.abort:
            apply_abort(self.builder)
        if not status.abort:
            if status.aborted_at and not promoted(status):
                duration.begin(status, s.now)
                if not status.promote_full:
                    analyses.forget(self.builder, PRE, POST)
            status.aborted_at = None

    def wanted(self) -> int:
        """Pods of the new version: `previewReplicaCount` during the preview, all before the switch."""
        count, status = self.strategy.preview_replica_count, self.status
        if count is None or self.stable in (None, self.new) or self.fast:
            return self.s.replicas
        if status.blue_green.scale_up_preview_check_point and not status.pause_conditions:
            return self.s.replicas
        return count

    def resize(self) -> None:
        s, builder, status = self.s, self.builder, self.status
        if self.fast_back and self.seen_active != hash_of(self.new):
            if self.changed and self.new.spec.replicas and not scale_down_delay.has_deadline(self.new):
                scale_down_delay.mark(builder, self.new, s.scale_down_delay, "it had its pods when it was gone back to")
        elif not status.abort:
            scale_down_delay.drop_deadline(builder, self.new)
        if self.stable is not None and self.stable is not self.new:
            scale_down_delay.drop_deadline(builder, self.stable)
            builder.scale(self.stable, s.replicas, f"the stable version has {count(s.replicas, 'pod')}")
        if status.abort:
            self._retire_aborted()
        else:
            builder.scale(
                self.new, self.wanted(), f"the new version gets {count(self.wanted(), 'pod')} before it takes over"
            )
        leading = {self.seen_active, status.stable_rs, status.current_pod_hash}
        if s.replicas:  # else no pods are wanted, and the preview Service has no ready pods to move to
            leading.add(self.preview)
        leading |= {s.rollout.status.blue_green.active_selector, s.rollout.status.stable_rs}
        free = sorted((r for r in s.others if hash_of(r) not in leading), key=revision_of, reverse=True)
        serves = s.named(self.seen_active)
        if serves is not None and serves is not self.new and serves is not self.stable:
            scale_down_delay.drop_deadline(builder, serves)  # its delay restarts when the requests have left it again
            builder.scale(serves, s.replicas, f"requests go to it: {s.replicas} replicas are wanted")
        limit = self.strategy.scale_down_delay_revision_limit
        scale_down_delay.retire(builder, free, delay=lambda _: s.scale_down_delay, limit=limit)

    def _retire_aborted(self) -> None:
        """Scale down the aborted version after the delay, once the observed active Service selects another one."""
        builder, delay = self.builder, self.strategy.abort_scale_down_delay_seconds
        delay = DEFAULT_ABORT_DELAY if delay is None else delay
        size = builder.size(self.new)
        stable_serves = self.stable is not None and self.stable.status.available_replicas >= self.s.replicas
        if self.seen_active == hash_of(self.new) or not stable_serves:
            builder.wait(
                wait_reasons.ABORTED.code,
                "the aborted version keeps its pods until the stable one has all of the traffic",
            )
        elif delay == 0:
            builder.scale(self.new, self.wanted(), "aborted: abortScaleDownDelaySeconds 0 keeps the pods")
        elif size > 0 and not scale_down_delay.has_deadline(self.new):
            scale_down_delay.set_deadline(builder, self.new, delay, "the update was aborted and no traffic leads to it")
        elif size == 0 or scale_down_delay.passed(builder, self.new):
            self.over = True
            if size and self.preview == hash_of(self.new):
                builder.wait(
                    wait_reasons.ABORTED.code, "the preview Service leaves the aborted version before its pods go"
                )
            else:
                builder.scale(self.new, 0, "aborted: its scale-down delay has passed")

    def ready(self) -> bool:
        new, want = self.new, self.wanted()
        whole = self.builder.is_size(new, want) and new.spec.replicas == new.status.available_replicas
        return (want > 0 or not self.s.replicas) and whole and not self.builder.created(new)

    def must_serve(self, rs: ReplicaSet) -> int | None:
        """Pods that must serve during a restart; None if the size cannot grow for it."""
        if rs is self.stable:
            return self.s.replicas
        return self.wanted() if rs is self.new and not self.status.abort else None

    def saturated(self, rs: ReplicaSet | None) -> bool:
        if rs is None or not self.builder.is_size(rs, self.s.replicas):
            return False
        # Pods that this pass evicts no longer serve: they were spare while few were wanted (`previewReplicaCount`).
        return self.builder.ready_not_evicted(rs, rs.status.available_replicas) in (self.s.replicas, rs.spec.replicas)

    def pause(self) -> bool:
        """Begin or end the pause before the switch. Returns whether the switch may happen."""
        status, strategy = self.status, self.strategy
        if status.abort or self.halted or promoted(status):
            return False
        if not self.ready():
            have = f"{self.new.status.available_replicas}/{self.builder.size(self.new)}"
            self.builder.wait(
                wait_reasons.PODS.code, f"the new version has {have} ready pods", next_="switch the active Service"
            )
            return False
        if self.fast or status.blue_green.scale_up_preview_check_point:
            end_pauses(self.builder, BLUE_GREEN_PAUSE)
            return True
        pre = strategy.pre_promotion_analysis
        if pre is not None and analyses.ensure_run(self.builder, PRE, pre) != SUCCESSFUL:
            analyses.wait_for(self.builder, PRE, "before the switch")
            return False
        elapsed = self._elapsed()
        if elapsed and self.strategy.preview_replica_count is not None and not self.saturated(self.new):
            status.blue_green.scale_up_preview_check_point = True
            self.builder.requeue(self.s.now)
        return elapsed

    def _elapsed(self) -> bool:
        status, strategy, now = self.status, self.strategy, self.s.now
        by_hand = strategy.auto_promotion_enabled is False
        if not by_hand and strategy.auto_promotion_seconds <= 0:
            end_pauses(self.builder, BLUE_GREEN_PAUSE)
            return True
        begun = next((p for p in status.pause_conditions if p.reason == BLUE_GREEN_PAUSE), None)
        if begun is None:
            if status.controller_pause:  # a user removed the condition: the update was resumed
                status.controller_pause = False
                return True
            begun = PauseCondition(BLUE_GREEN_PAUSE, format_deadline(now))
            status.pause_conditions.append(begun)
            status.controller_pause = True
            self.builder.record_event("RolloutPaused", f"Rollout is paused ({BLUE_GREEN_PAUSE})")
        start = parse_time(begun.start_time) or now
        held = switch_pause(strategy.auto_promotion_seconds, start, by_hand=by_hand)
        if held.until is None or now < held.until:
            self.builder.add_wait(held)
            return False
        end_pauses(self.builder, BLUE_GREEN_PAUSE)
        return True

    def switch(self, elapsed: bool) -> None:
        """Move both Services if the target's pods serve. An abort moves the active one back even while paused."""
        builder, strategy = self.builder, self.strategy
        if strategy.preview_service and (self.over or not self.halted):
            shown, role = (self.stable, "stable version") if self.over else (self.new, "new version")
            self.preview = point(builder, strategy.preview_service, shown, role=role)
        if self.status.abort:
            if self._stable_takes_over():
                self.active = point(builder, strategy.active_service, self.stable, role="stable version")
        elif not self.halted and (elapsed or self.fast) and self.saturated(self.new) and not builder.created(self.new):
            self.active = point(builder, strategy.active_service, self.new, role="new version")

    def _stable_takes_over(self) -> bool:
        """Whether the stable version serves with all its pods, or with as many as the active Service's version."""
        now, stable, builder = self.s.named(self.seen_active), self.stable, self.builder
        if now is None or stable is None or now is stable:
            return True
        have = builder.available_not_evicted(stable, serving(stable))
        if have >= min(self.s.replicas, serving(now)):
            return True
        builder.wait(
            wait_reasons.STABLE_SHORT.code,
            f"{stable.metadata.name} has {have}/{self.s.replicas} ready pods: it takes over when it can answer all requests",
        )
        return False

    def promote_if_switched(self) -> None:
        status = self.status
        if promoted(status) or status.abort or self.active != hash_of(self.new):
            return
        post = self.strategy.post_promotion_analysis
        judged = post is None or status.promote_full or self.fast_back
        if not judged and analyses.ensure_run(self.builder, POST, post or {}) != SUCCESSFUL:
            analyses.wait_for(self.builder, POST, "after the switch")
            return
        back = "Rollback within window" if in_rollback_window(self.builder) else "Fast rollback"
        how = (
            "Full promotion requested"
            if status.promote_full
            else back
            if self.fast_back
            else "Completed blue-green update"
        )
        promote(self.builder, self.new, how, fast=status.promote_full or self.fast_back)
        status.current_step_index = None
        status.blue_green.scale_up_preview_check_point = False

    def write_status(self, *, created: bool) -> None:
        s, status, old = self.s, self.status, self.s.rollout.status
        live = [r for r in s.sets if r is not self.new] + [self.new]
        active = next((r for r in live if self.active and hash_of(r) == self.active), None)
        counted = [active] if active else live
        status.blue_green.active_selector, status.blue_green.preview_selector = self.active, self.preview
        pods = count_pods(self.builder, counted)
        status.replicas = sum(r.status.replicas for r in live)
        status.ready_replicas, status.available_replicas = pods.ready, pods.available
        status.hpa_replicas = pods.existing
        status.updated_replicas = self.new.status.replicas
        status.selector = s.selector_of(self.active) if active else s.selector_text
        status.observed_generation = str(s.rollout.metadata.generation)
        # A Service without a revision stays so while no pods are wanted: it may select the pods that the Rollout
        # replaces.
        switched = self.active == status.current_pod_hash or not (s.replicas or self.active)
        serving = promoted(status) and switched and self.saturated(self.new)
        if serving:
            duration.finish(status, s.now)
        healthy = (
            serving
            and (not self.strategy.preview_service or self.preview == status.current_pod_hash or not s.replicas)
            and status.updated_replicas == status.available_replicas == s.replicas
        )
        progressed = (
            self.builder.evicts()
            or status.updated_replicas != old.updated_replicas
            or status.ready_replicas > old.ready_replicas
            or status.available_replicas > old.available_replicas
            or self.active != old.blue_green.active_selector
            or self.preview != old.blue_green.preview_selector
            or status.stable_rs != old.stable_rs
            or status.current_pod_hash != old.current_pod_hash
        )
        report_held(self.builder)
        created = created and not self.builder.missing(self.new)
        set_conditions(
            self.builder, healthy=healthy, available=self.saturated(active), progressed=progressed, created=created
        )
        by_hand = bool(status.pause_conditions) and self.strategy.auto_promotion_enabled is False
        duration.count_pause(status, s.now, manual=s.spec.paused or by_hand)
        status.phase, status.message = phase_of(s.spec, status)
