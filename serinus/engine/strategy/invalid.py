"""A Rollout whose spec, or an object that it names, is invalid: the held parts, and the reporting status.

The update is held: no step, no weight, no promotion. Versions that serve already follow `spec.replicas`. Errors in
steps and in templates of analyses affect nothing else: a first version, a rollback without a trial, and an abort
continue.
"""

from __future__ import annotations

from serinus.api.messages.cutting import shortened
from serinus.api.pods.identity import step_hash
from serinus.api.validation import rollout as validation
from serinus.api.validation.findings import Finding
from serinus.api.validation.strategy import strategy_findings
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import build_context_from_status, hash_of
from serinus.engine.core.plan import Plan, Snapshot, Wait
from serinus.engine.status.conditions import find, put
from serinus.engine.status.phase import phase_of
from serinus.engine.status.promotion import in_rollback_window
from serinus.engine.status.refused_writes import report_held
from serinus.engine.strategy.scaling import held
from serinus.engine.strategy.scaling.scale_plan import ScalePlan
from serinus.engine.strategy.spec_rules import RULES


def first_finding(snapshot: Snapshot) -> Finding | None:
    """The first error of the Rollout and of the objects that it names, except for the content of analysis templates."""
    return validation.validate(
        snapshot.rollout,
        services=snapshot.services,
        ingresses=snapshot.ingresses,
        objects=snapshot.objects,
        workload=snapshot.workload,
        served=snapshot.served,
        unreadable=snapshot.unreadable,
        rules=RULES,
    )


def concerns_only_updates(snapshot: Snapshot, first: Finding) -> bool:
    """Whether this finding and all others affect only updates."""
    return first.of_update and validation.concerns_only_updates(
        snapshot.rollout,
        services=snapshot.services,
        ingresses=snapshot.ingresses,
        objects=snapshot.objects,
        workload=snapshot.workload,
        served=snapshot.served,
        unreadable=snapshot.unreadable,
        rules=RULES,
    )


def is_tried(builder: PlanBuilder) -> bool:
    """Whether steps and analyses decide about the wanted version.

    They do not decide about the first version, the stable one, an aborted one, or one inside the rollback window.
    """
    s, status = builder.context, builder.context.rollout.status
    pod_hash = hash_of(s.new) or s.computed_hash
    aborted = status.abort and status.current_pod_hash == pod_hash
    return status.stable_rs not in ("", pod_hash) and not aborted and not in_rollback_window(builder)


def hold(snapshot: Snapshot, message: str) -> Plan:
    """The whole pass while the update is held: sizes follow `spec.replicas`, and the status contains the reason."""
    builder, replicas = PlanBuilder(build_context_from_status(snapshot)), snapshot.rollout.spec.replicas
    if replicas is not None and replicas >= 0:
        held.follow_replicas(builder, _scale_plan(builder))
    held.count_pods(builder)
    report_held(builder)
    builder.waits.insert(0, Wait(wait_reasons.INVALID.code, message))
    say(builder, message)
    return builder.finish(message if builder.status != snapshot.rollout.status else "")


def _scale_plan(builder: PlanBuilder) -> ScalePlan | None:
    """The sizes of the steps; None if the steps are invalid or not those of the current update."""
    s = builder.context
    if s.canary is None or s.new is None or next(strategy_findings(s.rollout, RULES), None) is not None:
        return None
    return ScalePlan(builder) if s.rollout.status.current_step_hash == step_hash(s.steps) else None


def say(builder: PlanBuilder, message: str) -> None:
    """Set the condition InvalidSpec and the phase that follows from it."""
    message = shortened(message)  # as the condition stores it, for the comparison
    status, stored = builder.status, builder.context.rollout
    # A complete pass has already removed the condition. The stored one has the transition time.
    old = find(stored.status, "InvalidSpec")
    status.conditions = [c for c in status.conditions if c.type != "InvalidSpec"] + ([old] if old else [])
    changed = old is not None and old.message != message
    put(status, builder.context.now, "InvalidSpec", "True", "InvalidSpec", message, renew=changed)
    status.observed_generation = str(stored.metadata.generation)
    status.phase, status.message = phase_of(stored.spec, status)
