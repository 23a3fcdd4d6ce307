"""The switch of a blue-green Rollout: the pause and the analysis before it, both Services, and the promotion after it."""

from __future__ import annotations

from typing import NamedTuple

from serinus.analysis.phases import SUCCESSFUL
from serinus.api.names import BLUE_GREEN_PAUSE
from serinus.api.rollout import PauseCondition
from serinus.api.values.times import format_deadline, parse_time
from serinus.engine.core import wait_reasons
from serinus.engine.core.analysis_runs import POST, PRE
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of, serving
from serinus.engine.judging import analyses
from serinus.engine.replicasets.services import point
from serinus.engine.status.conditions import promoted
from serinus.engine.status.promotion import end_pauses, in_rollback_window, promote
from serinus.engine.status.status_reason import switch_pause
from serinus.engine.strategy.bluegreen.versions import Versions


class Selectors(NamedTuple):
    """The revisions that both Services select after this pass."""

    active: str
    preview: str


def pause(builder: PlanBuilder, versions: Versions) -> bool:
    """Begin or end the pause before the switch. Returns whether the switch may happen."""
    status, strategy, new = builder.status, versions.strategy, versions.new
    if status.abort or versions.halted or promoted(status):
        return False
    if not versions.ready(builder):
        have = f"{new.status.available_replicas}/{builder.size(new)}"
        builder.wait(
            wait_reasons.PODS.code, f"the new version has {have} ready pods", next_="switch the active Service"
        )
        return False
    if versions.fast(builder) or status.blue_green.scale_up_preview_check_point:
        end_pauses(builder, BLUE_GREEN_PAUSE)
        return True
    pre = strategy.pre_promotion_analysis
    if pre is not None and analyses.ensure_run(builder, PRE, pre) != SUCCESSFUL:
        analyses.wait_for(builder, PRE, "before the switch")
        return False
    elapsed = _elapsed(builder, versions)
    if elapsed and strategy.preview_replica_count is not None and not versions.saturated(builder, new):
        status.blue_green.scale_up_preview_check_point = True
        builder.requeue(builder.context.now)
    return elapsed


def _elapsed(builder: PlanBuilder, versions: Versions) -> bool:
    """Whether the pause has ended, or none is wanted."""
    status, strategy, now = builder.status, versions.strategy, builder.context.now
    by_hand = strategy.auto_promotion_enabled is False
    if not by_hand and strategy.auto_promotion_seconds <= 0:
        end_pauses(builder, BLUE_GREEN_PAUSE)
        return True
    begun = next((p for p in status.pause_conditions if p.reason == BLUE_GREEN_PAUSE), None)
    if begun is None:
        if status.controller_pause:  # a user removed the condition: the update was resumed
            status.controller_pause = False
            return True
        begun = PauseCondition(BLUE_GREEN_PAUSE, format_deadline(now))
        status.pause_conditions.append(begun)
        status.controller_pause = True
        builder.record_event("RolloutPaused", f"Rollout is paused ({BLUE_GREEN_PAUSE})")
    start = parse_time(begun.start_time) or now
    wait = switch_pause(strategy.auto_promotion_seconds, start, by_hand=by_hand)
    if wait.until is None or now < wait.until:
        builder.add_wait(wait)
        return False
    end_pauses(builder, BLUE_GREEN_PAUSE)
    return True


def switch(builder: PlanBuilder, versions: Versions, *, elapsed: bool, retired: bool) -> Selectors:
    """Move both Services if the target's pods serve. An abort moves the active one back even while paused.

    `elapsed`: the result of `pause`; `retired`: that of `resize`.
    """
    strategy, new, stable = versions.strategy, versions.new, versions.stable
    active, preview = versions.active, versions.preview
    if strategy.preview_service and (retired or not versions.halted):
        shown, role = (stable, "stable version") if retired else (new, "new version")
        preview = point(builder, strategy.preview_service, shown, role=role)
    if builder.status.abort:
        if _stable_takes_over(builder, versions):
            active = point(builder, strategy.active_service, stable, role="stable version")
    elif not versions.halted and (elapsed or versions.fast(builder)) and _may_serve(builder, versions):
        active = point(builder, strategy.active_service, new, role="new version")
    return Selectors(active, preview)


def _may_serve(builder: PlanBuilder, versions: Versions) -> bool:
    """Whether the new version can take all requests: none of its pods is on its way out."""
    new = versions.new
    whole = builder.available_not_evicted(new, new.status.available_replicas) >= builder.context.replicas
    return whole and versions.saturated(builder, new) and not builder.created(new)


def _stable_takes_over(builder: PlanBuilder, versions: Versions) -> bool:
    """Whether the stable version serves with all its pods, or with as many as the active Service's version."""
    s, now, stable = builder.context, builder.context.named(versions.active), versions.stable
    if now is None or stable is None or now is stable:
        return True
    have = builder.available_not_evicted(stable, serving(stable))
    if have >= min(s.replicas, serving(now)):
        return True
    builder.wait(
        wait_reasons.STABLE_SHORT.code,
        f"{stable.metadata.name} has {have}/{s.replicas} ready pods: it takes over when it can answer all requests",
    )
    return False


def promote_if_switched(builder: PlanBuilder, versions: Versions, active: str) -> None:
    """Promote the new version once the active Service selects it and its analysis has passed."""
    status = builder.status
    if promoted(status) or status.abort or active != hash_of(versions.new):
        return
    post, fast = versions.strategy.post_promotion_analysis, status.promote_full or versions.fast_back
    if post is not None and not fast and analyses.ensure_run(builder, POST, post) != SUCCESSFUL:
        analyses.wait_for(builder, POST, "after the switch")
        return
    promote(builder, versions.new, _how(builder, versions), fast=fast)
    status.current_step_index = None
    status.blue_green.scale_up_preview_check_point = False


def _how(builder: PlanBuilder, versions: Versions) -> str:
    """The reason of the promotion, for its Event."""
    if builder.status.promote_full:
        return "Full promotion requested"
    if not versions.fast_back:
        return "Completed blue-green update"
    return "Rollback within window" if in_rollback_window(builder) else "Fast rollback"
