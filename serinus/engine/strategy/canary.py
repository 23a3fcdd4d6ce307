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
from serinus.engine.replicasets.revision import trim_history
from serinus.engine.replicasets.workload import scale_down
from serinus.engine.status import duration
from serinus.engine.status.conditions import promoted
from serinus.engine.status.promotion import goes_back, in_rollback_window, promote
from serinus.engine.strategy import stages
from serinus.engine.strategy.scaling import held as held_sizes
from serinus.engine.strategy.scaling.resize import resize
from serinus.engine.strategy.scaling.scale_plan import ScalePlan, frozen
from serinus.engine.strategy.stages import NewVersion, UpdateCommand, UpdateOutcome, count_pods
from serinus.engine.strategy.step_walk import StepState, step_state, walk
from serinus.engine.strategy.traffic import reach
from serinus.engine.strategy.traffic.route import held_routing, route


def plan_canary(builder: PlanBuilder) -> None:
    """Fill the builder for a valid canary Rollout."""
    new = stages.begin(builder)
    if new is None:
        return
    reset_if_changed(builder, new.rs)
    stages.begin_retry(builder)
    analyses.sync_runs(builder)
    experiments.abort_if_failed(builder)
    _controls(builder)
    stages.first_deploy(builder, new.rs)
    scale = ScalePlan(builder)
    restart(builder, scale.must_serve, scale.room)
    step = _walk(builder, scale)
    ephemeral_roles.keep_in_step(builder)
    if not route(builder, scale, step):
        held_sizes.follow_replicas(builder, scale)
        held_sizes.count_pods(builder)
        return
    builder.record_held_events()
    resize(builder, scale, step)
    scale_down(builder)
    trim_history(builder)
    promote_if_done(builder, scale, new.rs)
    step_plugins.stop_plugins(builder)
    analyses.stop(builder)
    analyses.trim(builder)
    experiments.stop(builder)
    experiments.trim(builder)
    _write_status(builder, new)


def reset_if_changed(builder: PlanBuilder, new: ReplicaSet) -> None:
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
    stages.end_commands(builder)
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
    count, index = len(s.steps), status.current_step_index
    known = not builder.invalid or status.current_step_hash == _hash_of_steps(s)  # else the index is not adjusted
    if known:
        status.current_step_index = None if not count else min(max(index or 0, 0), count)
    command = stages.apply_commands(builder, skips_trial=in_rollback_window(builder))
    if command is UpdateCommand.PROMOTE or (command is UpdateCommand.COMPLETE and known):
        status.current_step_index = count or None
    # The pass that reports an abort's reason needs the status of the runs.
    if command in (UpdateCommand.PROMOTE, UpdateCommand.COMPLETE) or (
        command is UpdateCommand.ABORT and s.rollout.status.abort
    ):
        analyses.forget(builder, BACKGROUND, STEP)
    stages.end_abort(builder)


def _walk(builder: PlanBuilder, scale: ScalePlan) -> StepState:
    """Complete steps, and begin the analyses of the present one. Returns the step that traffic and sizes follow."""
    if _may_walk(builder):
        analyses.forget_other_steps(builder)
        walk(builder, scale.arrived)
    return step_state(builder)


def _may_walk(builder: PlanBuilder) -> bool:
    """Begin the background analysis. False if the update is over, paused, or a write that steps rely on is held."""
    s, status = builder.context, builder.status
    over = promoted(status) or status.abort or status.promote_full or in_rollback_window(builder)
    if over or s.spec.paused or (s.new and builder.missing(s.new)):
        return False
    canary = s.canary
    if canary and canary.analysis and (status.current_step_index or 0) >= int(canary.analysis.get("startingStep") or 0):
        analyses.ensure_run(builder, BACKGROUND, canary.analysis)
    held = held_routing(s)
    for one in held:
        builder.hold_write(one)  # the pass that planned it was at a later step, so this one may not plan it again
    if held or any((h.verb, h.kind) == ("create", "AnalysisRun") for h in builder.held):
        return False  # steps rely on the weight, the Services and the analysis: a held write of one stops them
    return all(p.reason == CANARY_PAUSE for p in status.pause_conditions)


def promote_if_done(builder: PlanBuilder, scale: ScalePlan, new: ReplicaSet) -> None:
    """The new version becomes the stable one when its steps are complete and its pods serve."""
    s, status = builder.context, builder.status
    count = len(s.steps)
    if promoted(status) or status.abort or frozen(builder) or not scale.serves(new):
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


def _write_status(builder: PlanBuilder, new: NewVersion) -> None:
    s, status, old, rs = builder.context, builder.status, builder.context.rollout.status, new.rs
    live = [each for each in s.sets if each is not rs] + [rs]
    pods = count_pods(builder, live)
    status.replicas, status.ready_replicas, status.available_replicas = pods.existing, pods.ready, pods.available
    status.hpa_replicas = status.replicas
    status.updated_replicas = rs.status.replicas
    status.selector = s.selector_text
    status.observed_generation = str(s.rollout.metadata.generation)
    leads, own = reach.reached(builder), builder.ready_not_evicted(rs, rs.status.available_replicas)
    has_traffic = reach.all_on_new(builder, leads)
    # Pods that no request reaches (an old version in its scale-down delay) keep nothing available.
    with_traffic = (
        pods
        if leads is None
        else count_pods(builder, [each for each in live if each.status.replicas and hash_of(each) in leads])
    )
    arrived = promoted(status) and has_traffic and status.updated_replicas == s.replicas and own >= s.replicas
    if arrived:
        duration.finish(status, s.now)
    moved = (
        stages.progressed(builder)
        or status.replicas - status.updated_replicas < old.replicas - old.updated_replicas
        or status.current_step_index != old.current_step_index
        or status.current_step_hash != old.current_step_hash
    )
    outcome = UpdateOutcome(
        healthy=arrived and status.available_replicas == status.replicas == s.replicas,
        available=with_traffic.available >= s.replicas,
        progressed=moved,
        for_user=_waits_for_person(builder),
        own=own,
        has_traffic=has_traffic,
    )
    stages.report(builder, new, outcome)
    if promoted(status) and not has_traffic:
        builder.wait(wait_reasons.TRAFFIC.code, "requests still go to another version")


def _waits_for_person(builder: PlanBuilder) -> bool:
    if not builder.status.pause_conditions:
        return False
    step = step_state(builder).step
    return step is None or step.pause is None or step.pause.duration is None
