"""One pass over a canary Rollout: the order of its stages, and the effects of each.

    revision → reset on a new template or new steps → controls (abort, promote, pause) → steps → metadata
      → traffic (weight and Services) → sizes → promotion → status

Traffic comes before sizes, so a version loses its traffic before its pods. Scale-down uses only *observed* state, never
writes planned in the same pass. Source: canary strategy, sections 1 to 8.
"""

from __future__ import annotations

from serinus.api.derived import once
from serinus.api.names import CANARY_PAUSE
from serinus.api.pods.identity import step_hash
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.analysis_runs import BACKGROUND, STEP
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import RolloutContext, hash_of
from serinus.engine.judging import analyses, experiments, step_plugins
from serinus.engine.replicasets import ephemeral_roles
from serinus.engine.replicasets.restart import restart
from serinus.engine.replicasets.revision import ensure_new, trim_history
from serinus.engine.replicasets.workload import follow, scale_down
from serinus.engine.status import duration
from serinus.engine.status.abort import apply_abort, full_promotion_wanted
from serinus.engine.status.conditions import find, promoted, record_not_completed, set_conditions
from serinus.engine.status.phase import phase_of
from serinus.engine.status.promotion import end_pauses, goes_back, in_rollback_window, promote
from serinus.engine.status.refused_writes import report_held, report_only_held, report_unconfirmed
from serinus.engine.strategy import held_scaling, scaling, step_walk, traffic
from serinus.engine.strategy.stages import count_pods


def plan_canary(builder: PlanBuilder) -> None:
    """Fill the builder for a valid canary Rollout."""
    s, before = builder.context, builder.context.rollout.status
    created = s.new is None
    new = ensure_new(builder, ephemeral_roles.for_new(s))
    if builder.missing(new) and s.stable is None:
        report_only_held(builder, new)
        return
    follow(builder)
    _reset_if_changed(builder, new)
    analyses.sync_runs(builder)
    _controls(builder)
    _initial_deploy(builder, new)
    scale = scaling.ScalePlan(builder)
    restart(builder, scale.must_serve, scale.room)
    _walk(builder, scale)
    ephemeral_roles.keep_in_step(builder)
    if not traffic.route(builder, scale):
        held_scaling.follow_replicas(builder, scale)
        held_scaling.count_pods(builder)
        return
    builder.record_held_events()
    scaling.keep_in_use(builder, scale)
    if scaling.frozen(builder):
        if s.spec.paused:
            builder.wait(wait_reasons.PAUSED.code, "spec.paused is true: the update stays where it is")
        held_scaling.follow_replicas(builder, scale)
    else:
        scaling.resize(builder, scale)
    scale_down(builder)
    trim_history(builder)
    _promote_if_done(builder, scale, new)
    step_plugins.stop_plugins(builder)
    analyses.stop(builder)
    analyses.trim(builder)
    experiments.stop(builder)
    experiments.trim(builder)
    _write_status(builder, before_index=before.current_step_index, created=created)


def _reset_if_changed(builder: PlanBuilder, new: ReplicaSet) -> None:
    """A new template, or new steps, start the update from its first step and end pauses and an abort."""
    s, status = builder.context, builder.status
    pods, now_steps = hash_of(new), _hash_of_steps(s)
    same = status.current_step_hash == now_steps and status.current_pod_hash in ("", pods)
    if builder.invalid and status.current_pod_hash == pods:
        return  # invalid steps do not count yet
    first, template_changed = not status.current_pod_hash, status.current_pod_hash != pods
    status.current_pod_hash, status.current_step_hash = pods, now_steps
    if same:
        return
    end_pauses(builder)
    status.abort, status.aborted_at, status.promote_full = False, None, False
    status.restarted_at = s.spec.restart_at
    canary = status.canary
    canary.current_experiment, canary.step_plugin_statuses = "", []
    canary.current_step_analysis_run_status = canary.current_background_analysis_run_status = None
    status.current_step_index = 0 if s.steps else None
    if template_changed or not promoted(status):  # new steps for the stable version start no update
        duration.begin_version(status, s.now, back=template_changed and goes_back(builder))
    if new is s.stable and template_changed and not first:
        duration.complete(status, "FastRolledBack")
    if new is s.stable and s.steps:
        status.current_step_index = len(s.steps)
        if not first:
            builder.record_event("SkipSteps", "Rollback to stable ReplicaSets")


def _hash_of_steps(s: RolloutContext) -> str:
    return once(s.spec, "steps", lambda: step_hash(s.steps))


def _controls(builder: PlanBuilder) -> None:
    """The users' commands: abort, retry, full promotion."""
    s, status = builder.context, builder.status
    done, count = promoted(status), len(s.steps)
    index = status.current_step_index
    known = not builder.invalid or status.current_step_hash == _hash_of_steps(s)  # else the index is not adjusted
    if known:
        status.current_step_index = None if not count else min(max(index or 0, 0), count)
    if done:
        status.abort, status.promote_full = False, False
        status.current_step_index = (count or None) if known else index
        end_pauses(builder)
        analyses.forget(builder, BACKGROUND, STEP)
    elif full_promotion_wanted(status) or (in_rollback_window(builder) and not status.abort):
        status.abort = False
        status.current_step_index = count or None
        end_pauses(builder)
        analyses.forget(builder, BACKGROUND, STEP)
    elif status.abort:
        apply_abort(builder)
        if s.rollout.status.abort:  # keep their status for the pass that reports the abort's reason
            analyses.forget(builder, BACKGROUND, STEP)
    if not status.abort:
        if status.aborted_at and not done:
            duration.begin(status, s.now)
            if not status.promote_full:
                status.canary.step_plugin_statuses = []
        status.aborted_at = None


def _initial_deploy(builder: PlanBuilder, new: ReplicaSet) -> None:
    """Without a stable version there is none to compare with, and none to serve: the new one becomes stable at once."""
    s, status = builder.context, builder.status
    if status.stable_rs and s.stable is not None:
        return
    how = "Stable ReplicaSet is gone" if status.stable_rs and status.stable_rs != hash_of(new) else "Initial deploy"
    s.stable = new
    if find(status, "Completed") is None:
        record_not_completed(builder)
    promote(builder, new, how)


def _walk(builder: PlanBuilder, scale: scaling.ScalePlan) -> None:
    s, status = builder.context, builder.status
    over = promoted(status) or status.abort or status.promote_full or in_rollback_window(builder)
    if over or s.spec.paused or (s.new and builder.missing(s.new)):
        return
    canary = s.canary
    if canary and canary.analysis and (status.current_step_index or 0) >= int(canary.analysis.get("startingStep") or 0):
        analyses.ensure_run(builder, BACKGROUND, canary.analysis)
    held = traffic.held(s)
    for one in held:
        builder.hold_write(one)  # the pass that planned it was at a later step, so this one may not plan it again
    if held or any((h.verb, h.kind) == ("create", "AnalysisRun") for h in builder.held):
        return  # steps rely on the weight, the Services and the analysis: a held write of one stops them
    if any(p.reason != CANARY_PAUSE for p in status.pause_conditions):
        return
    analyses.forget_other_steps(builder)
    step_walk.walk(builder, scale.arrived)


def _promote_if_done(builder: PlanBuilder, scale: scaling.ScalePlan, new: ReplicaSet) -> None:
    s, status = builder.context, builder.status
    count = len(s.steps)
    if promoted(status) or status.abort or scaling.frozen(builder) or not scale.serves(new):
        return
    weights = status.canary.weights
    if s.routing and count and weights and weights.canary.weight < s.max_weight:
        return
    if s.routing and weights and weights.verified is False:
        return
    if status.promote_full:
        promote(builder, new, "Full promotion requested", fast=True)
    elif in_rollback_window(builder):
        promote(builder, new, "Rollback within window", fast=True)
    elif not count or status.current_step_index == count:
        promote(builder, new, f"Completed all {count} canary steps")


def _write_status(builder: PlanBuilder, *, before_index: int | None, created: bool) -> None:
    s, status, old = builder.context, builder.status, builder.context.rollout.status
    new = s.new
    assert new is not None
    live = [r for r in s.sets if r is not new] + [new]
    pods = count_pods(builder, live)
    status.replicas, status.ready_replicas, status.available_replicas = pods.existing, pods.ready, pods.available
    status.hpa_replicas = status.replicas
    status.updated_replicas = new.status.replicas
    status.selector = s.selector_text
    status.observed_generation = str(s.rollout.metadata.generation)
    leads, own = traffic.reached(builder), builder.ready_not_evicted(new, new.status.available_replicas)
    has_traffic = traffic.all_on_new(builder, leads)
    # Pods that no request reaches (an old version in its scale-down delay) keep nothing available.
    reachable = (
        pods if leads is None else count_pods(builder, [r for r in live if r.status.replicas and hash_of(r) in leads])
    )
    available = reachable.available >= s.replicas
    arrived = promoted(status) and has_traffic and status.updated_replicas == s.replicas and own >= s.replicas
    healthy = arrived and status.available_replicas == status.replicas == s.replicas
    if arrived:
        duration.finish(status, s.now)
    progressed = (
        builder.evicts()
        or status.updated_replicas != old.updated_replicas
        or status.replicas - status.updated_replicas < old.replicas - old.updated_replicas
        or status.ready_replicas > old.ready_replicas
        or status.available_replicas > old.available_replicas
        or status.stable_rs != old.stable_rs
        or status.current_pod_hash != old.current_pod_hash
        or status.current_step_index != before_index
        or status.current_step_hash != old.current_step_hash
    )
    report_held(builder)
    report_unconfirmed(builder)
    created = created and not builder.missing(new)
    set_conditions(builder, healthy=healthy, available=available, progressed=progressed, created=created)
    duration.count_pause(status, s.now, manual=s.spec.paused or _waits_for_person(builder))
    status.phase, status.message = phase_of(s.spec, status, available=own, has_traffic=has_traffic)
    if promoted(status) and not has_traffic:
        builder.wait(wait_reasons.TRAFFIC.code, "requests still go to another version")


def _waits_for_person(builder: PlanBuilder) -> bool:
    s, status = builder.context, builder.status
    index = status.current_step_index or 0
    if not status.pause_conditions or index >= len(s.steps):
        return bool(status.pause_conditions)
    pause = s.steps[index].pause
    return pause is None or pause.duration is None
