"""One pass over a blue-green Rollout: the order of its stages, the commands, and the status.

    revision → reset on a new template → sizes → pause → preview Service → active Service → metadata → promotion → status

Both Services move only to a ReplicaSet with ready pods. The old version keeps its pods for the delay after the observed
switch. Source: the Rollout resource, section 6; its quirks that cost traffic (section 10) are not followed.
"""

from __future__ import annotations

from serinus.api.rollout import CanaryStatus
from serinus.api.workloads import ReplicaSet
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of
from serinus.engine.judging import analyses
from serinus.engine.replicasets import ephemeral_roles
from serinus.engine.replicasets.restart import restart
from serinus.engine.replicasets.revision import trim_history
from serinus.engine.replicasets.workload import scale_down
from serinus.engine.status import duration
from serinus.engine.status.conditions import promoted
from serinus.engine.status.promotion import goes_back, in_rollback_window
from serinus.engine.strategy import stages
from serinus.engine.strategy.bluegreen.sizes import must_serve, resize
from serinus.engine.strategy.bluegreen.switch import Selectors, pause, promote_if_switched, switch
from serinus.engine.strategy.bluegreen.versions import Versions, observe
from serinus.engine.strategy.stages import NewVersion, UpdateOutcome, count_pods


def plan_blue_green(builder: PlanBuilder) -> None:
    """Fill the builder for a valid blue-green Rollout."""
    new = stages.begin(builder)
    if new is None:
        return
    changed = reset_if_changed(builder, new.rs)
    stages.first_deploy(builder, new.rs)
    stages.begin_retry(builder)
    analyses.sync_runs(builder)
    versions = observe(builder, new.rs, changed=changed)
    _controls(builder, versions)
    restart(builder, lambda rs: must_serve(builder, versions, rs))
    retired = resize(builder, versions)
    elapsed = pause(builder, versions)
    selectors = switch(builder, versions, elapsed=elapsed, retired=retired)
    ephemeral_roles.keep_in_step(builder)
    scale_down(builder)
    trim_history(builder)
    promote_if_switched(builder, versions, selectors.active)
    analyses.stop(builder)
    analyses.trim(builder)
    _write_status(builder, versions, selectors, new)


def reset_if_changed(builder: PlanBuilder, new: ReplicaSet) -> bool:
    """A new template ends pauses, an abort and a full promotion, and restarts the update. Returns whether it is new."""
    s, status, pods = builder.context, builder.status, hash_of(new)
    before, status.current_pod_hash = status.current_pod_hash, pods
    status.canary, status.current_step_hash, status.current_step_index = CanaryStatus(), "", None
    if before == pods:
        return False
    stages.end_commands(builder)
    status.blue_green.scale_up_preview_check_point = False
    status.blue_green.pre_promotion_analysis_run_status = status.blue_green.post_promotion_analysis_run_status = None
    if not before:
        status.restarted_at = s.spec.restart_at
    duration.begin_version(status, s.now, back=goes_back(builder))
    if before and new is s.stable:
        duration.complete(status, "FastRolledBack")
    return True


def _controls(builder: PlanBuilder, versions: Versions) -> None:
    """The users' commands: abort, retry, full promotion."""
    stages.apply_commands(builder, skips_trial=versions.fast_back and in_rollback_window(builder))
    stages.end_abort(builder)


def _write_status(builder: PlanBuilder, versions: Versions, selectors: Selectors, new: NewVersion) -> None:
    s, status, old = builder.context, builder.status, builder.context.rollout.status
    live = [r for r in s.sets if r is not new.rs] + [new.rs]
    active = next((r for r in live if selectors.active and hash_of(r) == selectors.active), None)
    status.blue_green.active_selector, status.blue_green.preview_selector = selectors
    pods = count_pods(builder, [active] if active else live)
    status.replicas = sum(r.status.replicas for r in live)
    status.ready_replicas, status.available_replicas = pods.ready, pods.available
    status.hpa_replicas = pods.existing
    status.updated_replicas = new.rs.status.replicas
    status.selector = s.selector_of(selectors.active) if active else s.selector_text
    status.observed_generation = str(s.rollout.metadata.generation)
    # A Service without a revision stays so while no pods are wanted: it may select the pods that the Rollout
    # replaces.
    switched = selectors.active == status.current_pod_hash or not (s.replicas or selectors.active)
    serving = promoted(status) and switched and versions.saturated(builder, new.rs)
    if serving:
        duration.finish(status, s.now)
    strategy = versions.strategy
    shown = not strategy.preview_service or selectors.preview == status.current_pod_hash or not s.replicas
    moved = (
        stages.progressed(builder)
        or selectors.active != old.blue_green.active_selector
        or selectors.preview != old.blue_green.preview_selector
    )
    outcome = UpdateOutcome(
        healthy=serving and shown and status.updated_replicas == status.available_replicas == s.replicas,
        available=versions.saturated(builder, active),
        progressed=moved,
        for_user=bool(status.pause_conditions) and strategy.auto_promotion_enabled is False,
    )
    stages.report(builder, new, outcome)
