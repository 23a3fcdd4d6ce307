"""One pass over a canary Rollout: the order in which things are looked at, and what each may change.

    revision → reset on a new template or new steps → controls (abort, promote, pause) → steps → metadata
      → traffic (weight and Services) → sizes → promotion → status

Traffic comes before sizes, so that what loses its pods has lost its traffic first; and what loses pods is judged by what was
*seen* to be written, not by what this pass plans. Source: canary strategy, sections 1 to 8.
"""

from __future__ import annotations

from serinus.api.derived import once
from serinus.api.identity import step_hash
from serinus.api.names import CANARY_PAUSE
from serinus.api.workloads import ReplicaSet
from serinus.engine import (
    analyses,
    duration,
    experiments,
    held_sizes,
    metadata,
    sizes,
    step_plugins,
    steps,
    traffic,
    waits,
)
from serinus.engine.abort import carry_out, full_promotion_wanted
from serinus.engine.analysis_runs import BACKGROUND, STEP
from serinus.engine.conditions import find, promoted, settle, told_not_completed
from serinus.engine.draft import Draft
from serinus.engine.phase import phase_of
from serinus.engine.promotion import end_pauses, goes_back, in_rollback_window, promote
from serinus.engine.refused import tell_held, tell_only_held
from serinus.engine.restart import restart
from serinus.engine.revision import ensure_new, trim_history
from serinus.engine.sight import Sight, hash_of
from serinus.engine.workload import follow, scale_down


def plan_canary(draft: Draft) -> None:
    """Fill the draft for a valid canary Rollout."""
    s, before = draft.sight, draft.sight.rollout.status
    created = s.new is None
    new = ensure_new(draft, metadata.for_new(s))
    if draft.missing(new) and s.stable is None:
        tell_only_held(draft, new)
        return
    follow(draft)
    _reset_if_changed(draft, new)
    analyses.hear(draft)
    _controls(draft)
    _initial_deploy(draft, new)
    view = sizes.View(draft)
    restart(draft, view.must_serve, view.room())
    _walk(draft, view)
    metadata.keep_in_step(draft)
    if not traffic.route(draft, view):
        held_sizes.follow_replicas(draft, view)
        held_sizes.count_pods(draft)
        return
    draft.tell_held_back()
    if sizes.frozen(draft):
        if s.spec.paused:
            draft.wait(waits.PAUSED.code, "spec.paused is true: the update stays where it is")
        held_sizes.follow_replicas(draft, view)
    else:
        sizes.resize(draft, view)
    scale_down(draft)
    trim_history(draft)
    _promote_if_done(draft, view, new)
    step_plugins.wind_up(draft)
    analyses.stop(draft)
    analyses.trim(draft)
    experiments.stop(draft)
    experiments.trim(draft)
    _write_status(draft, before_index=before.current_step_index, created=created)


def _reset_if_changed(draft: Draft, new: ReplicaSet) -> None:
    """A new template, or new steps, start the update from its first step and end pauses and an abort."""
    s, status = draft.sight, draft.status
    pods, now_steps = hash_of(new), _hash_of_steps(s)
    same = status.current_step_hash == now_steps and status.current_pod_hash in ("", pods)
    if draft.invalid and status.current_pod_hash == pods:
        return  # steps that cannot be used are none yet
    first, template_changed = not status.current_pod_hash, status.current_pod_hash != pods
    status.current_pod_hash, status.current_step_hash = pods, now_steps
    if same:
        return
    end_pauses(draft)
    status.abort, status.aborted_at, status.promote_full = False, None, False
    status.restarted_at = s.spec.restart_at
    canary = status.canary
    canary.current_experiment, canary.step_plugin_statuses = "", []
    canary.current_step_analysis_run_status = canary.current_background_analysis_run_status = None
    status.current_step_index = 0 if s.steps else None
    if template_changed or not promoted(status):  # other steps for the stable version release nothing
        duration.begin_version(status, s.now, back=template_changed and goes_back(draft))
    if new is s.stable and template_changed and not first:
        duration.complete(status, "FastRolledBack")
    if new is s.stable and s.steps:
        status.current_step_index = len(s.steps)
        if not first:
            draft.tell("SkipSteps", "Rollback to stable ReplicaSets")


def _hash_of_steps(s: Sight) -> str:
    return once(s.spec, "steps", lambda: step_hash(s.steps))


def _controls(draft: Draft) -> None:
    """What people asked for: abort, retry, full promotion."""
    s, status = draft.sight, draft.status
    done, count = promoted(status), len(s.steps)
    index = status.current_step_index
    known = not draft.invalid or status.current_step_hash == _hash_of_steps(s)  # else they are not counted either
    if known:
        status.current_step_index = None if not count else min(max(index or 0, 0), count)
    if done:
        status.abort, status.promote_full = False, False
        status.current_step_index = (count or None) if known else index
        end_pauses(draft)
        analyses.forget(draft, BACKGROUND, STEP)
    elif full_promotion_wanted(status) or (in_rollback_window(draft) and not status.abort):
        status.abort = False
        status.current_step_index = count or None
        end_pauses(draft)
        analyses.forget(draft, BACKGROUND, STEP)
    elif status.abort:
        carry_out(draft)
        if s.rollout.status.abort:  # its reason was to be seen once
            analyses.forget(draft, BACKGROUND, STEP)
    if not status.abort:
        if status.aborted_at and not done:
            duration.begin(status, s.now)
            if not status.promote_full:
                status.canary.step_plugin_statuses = []
        status.aborted_at = None


def _initial_deploy(draft: Draft, new: ReplicaSet) -> None:
    """Without a stable version there is nothing to compare with, and nothing else to serve: this one becomes stable at once."""
    s, status = draft.sight, draft.status
    if status.stable_rs and s.stable is not None:
        return
    how = "Stable ReplicaSet is gone" if status.stable_rs and status.stable_rs != hash_of(new) else "Initial deploy"
    s.stable = new
    if find(status, "Completed") is None:
        told_not_completed(draft)
    promote(draft, new, how)


def _walk(draft: Draft, view: sizes.View) -> None:
    s, status = draft.sight, draft.status
    over = promoted(status) or status.abort or status.promote_full or in_rollback_window(draft)
    if over or s.spec.paused or (s.new and draft.missing(s.new)):
        return
    canary = s.canary
    if canary and canary.analysis and (status.current_step_index or 0) >= int(canary.analysis.get("startingStep") or 0):
        analyses.want(draft, BACKGROUND, canary.analysis)
    if traffic.held(s) or any((h.verb, h.kind) == ("create", "AnalysisRun") for h in draft.held):
        return  # steps rely on the weight, the Services and the analysis: one that cannot be written holds them
    if any(p.reason != CANARY_PAUSE for p in status.pause_conditions):
        return
    analyses.forget_other_steps(draft)
    steps.walk(draft, view.arrived)


def _promote_if_done(draft: Draft, view: sizes.View, new: ReplicaSet) -> None:
    s, status = draft.sight, draft.status
    count = len(s.steps)
    if promoted(status) or status.abort or sizes.frozen(draft) or not view.serves(new):
        return
    weights = status.canary.weights
    if s.routing and count and weights and weights.canary.weight < s.max_weight:
        return
    if s.routing and weights and weights.verified is False:
        return
    if status.promote_full:
        promote(draft, new, "Full promotion requested", fast=True)
    elif in_rollback_window(draft):
        promote(draft, new, "Rollback within window", fast=True)
    elif not count or status.current_step_index == count:
        promote(draft, new, f"Completed all {count} canary steps")


def _write_status(draft: Draft, *, before_index: int | None, created: bool) -> None:
    s, status, old = draft.sight, draft.status, draft.sight.rollout.status
    new = s.new
    assert new is not None
    live = [r for r in s.sets if r is not new] + [new]
    status.replicas = sum(r.status.replicas for r in live)
    status.ready_replicas = sum(draft.still(r, r.status.ready_replicas) for r in live)
    status.available_replicas = sum(draft.still(r, r.status.available_replicas) for r in live)
    status.hpa_replicas = status.replicas
    status.updated_replicas = new.status.replicas
    status.selector = s.selector_text
    status.observed_generation = str(s.rollout.metadata.generation)
    leads, own = traffic.reached(draft), draft.still(new, new.status.available_replicas)
    has_traffic = traffic.all_on_new(draft)
    # Pods that no request reaches (an old version in its scale-down delay) keep nothing available.
    reachable = (r for r in live if leads is None or hash_of(r) in leads)
    available = sum(draft.still(r, r.status.available_replicas) for r in reachable) >= s.replicas
    arrived = promoted(status) and has_traffic and status.updated_replicas == s.replicas and own >= s.replicas
    healthy = arrived and status.available_replicas == status.replicas == s.replicas
    if arrived:
        duration.finish(status, s.now)
    progressed = (
        draft.evicts()
        or status.updated_replicas != old.updated_replicas
        or status.replicas - status.updated_replicas < old.replicas - old.updated_replicas
        or status.ready_replicas > old.ready_replicas
        or status.available_replicas > old.available_replicas
        or status.stable_rs != old.stable_rs
        or status.current_pod_hash != old.current_pod_hash
        or status.current_step_index != before_index
        or status.current_step_hash != old.current_step_hash
    )
    tell_held(draft)
    created = created and not draft.missing(new)
    settle(draft, healthy=healthy, available=available, progressed=progressed, created=created)
    duration.count_pause(status, s.now, manual=s.spec.paused or _waits_for_person(draft))
    status.phase, status.message = phase_of(s.spec, status, available=own, has_traffic=has_traffic)
    if promoted(status) and not has_traffic:
        draft.wait(waits.TRAFFIC.code, "requests still go to another version")


def _waits_for_person(draft: Draft) -> bool:
    s, status = draft.sight, draft.status
    index = status.current_step_index or 0
    if not status.pause_conditions or index >= len(s.steps):
        return bool(status.pause_conditions)
    pause = s.steps[index].pause
    return pause is None or pause.duration is None
