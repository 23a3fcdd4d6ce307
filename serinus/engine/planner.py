"""`plan` decides the next writes for one Rollout. Pure: the same snapshot always gives the same plan."""

from __future__ import annotations

from msgspec import structs

from serinus.api.meta import Json
from serinus.api.validation.findings import Finding
from serinus.api.validation.rollout import invalid_spec_message
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import build_context
from serinus.engine.core.plan import Action, Plan, Snapshot, Wait
from serinus.engine.core.references import missing_reference
from serinus.engine.judging import analyses
from serinus.engine.replicasets.revision import adopt_orphans, wait_for_the_name
from serinus.engine.status import pod_troubles
from serinus.engine.status.refused_writes import report_only_held
from serinus.engine.status.status_reason import ROUTING, reason_from_status
from serinus.engine.strategy import invalid
from serinus.engine.strategy.bluegreen.plan import plan_blue_green
from serinus.engine.strategy.canary import plan_canary

REFUSALS = frozenset({wait_reasons.ROUTING_FAILED.code, wait_reasons.INVALID.code})
"""Reasons of a pass that a router or an analysis refused: the status reports them as InvalidSpec."""


def plan(snapshot: Snapshot) -> Plan:
    """The writes, the status, the Events, and the time of the next pass. Never raises for an invalid object."""
    rollout = snapshot.rollout
    if rollout.metadata.deletion_timestamp:
        return Plan()
    finding = invalid.first_finding(snapshot)
    if finding is not None and (held := _held_by(snapshot, finding)) is not None:
        return held
    builder = PlanBuilder(build_context(snapshot))
    if (repair := _repair(builder)) is not None:
        return repair
    wrong = finding or analyses.finding(snapshot)
    if wrong is not None and invalid.is_tried(builder):
        return invalid.hold(snapshot, invalid_spec_message(rollout.metadata.name, wrong))
    builder.invalid = invalid_spec_message(rollout.metadata.name, finding) if finding else ""
    (plan_blue_green if rollout.spec.strategy.blue_green else plan_canary)(builder)
    wait_for_the_name(builder)
    _report_reason(builder)
    pod_troubles.name_causes(builder)
    return builder.finish()


def _held_by(snapshot: Snapshot, finding: Finding) -> Plan | None:
    """The whole plan if an invalid spec, or an object that is still missing, stops everything; else None."""
    if wait := missing_reference(snapshot.rollout, finding, snapshot.now):
        return Plan(requeue_at=wait.until, waits=(wait,))
    if invalid.concerns_only_updates(snapshot, finding):
        return None
    return invalid.hold(snapshot, invalid_spec_message(snapshot.rollout.metadata.name, finding))


def _repair(builder: PlanBuilder) -> Plan | None:
    """The whole plan if the Rollout has no `spec.replicas`, or does not control its ReplicaSets yet; else None."""
    meta, spec = builder.context.rollout.metadata, builder.context.spec
    if spec.replicas is None:
        because = "spec.replicas is not set: one pod is meant"
        one: Json = {"spec": {"replicas": 1}}
        version = meta.resource_version
        if builder.act(Action("patch", "Rollout", meta.name, because, one, uid=meta.uid, resource_version=version)):
            return Plan(tuple(builder.actions))
    if not builder.context.orphans:
        return None
    adopt_orphans(builder)
    if not builder.held:
        return Plan(tuple(builder.actions))
    report_only_held(builder)
    return builder.finish()


def _report_reason(builder: PlanBuilder) -> None:
    """Complete the status and the waits with the reason why the Rollout does not continue."""
    name = builder.context.rollout.metadata.name
    refused = next((wait for wait in builder.waits if wait.reason in REFUSALS), None)
    if refused is not None:
        where = f"{ROUTING}: " if refused.reason == wait_reasons.ROUTING_FAILED.code else ""
        invalid.say(builder, f'The Rollout "{name}" is invalid: {where}{refused.message}')
    elif builder.invalid:
        builder.waits.insert(0, Wait(wait_reasons.INVALID.code, builder.invalid))
        invalid.say(builder, builder.invalid)
    else:
        pod_troubles.write_down(builder)
        if builder.context.rollout.status.phase != "Healthy":
            _always_a_reason(builder)


def _always_a_reason(builder: PlanBuilder) -> None:
    """A pass without actions includes the reason from the status among its waits."""
    stored = builder.context.rollout.status
    if builder.actions or builder.calls or builder.status != stored:
        return
    wait = reason_from_status(builder.context.spec, stored)
    if wait is not None and all(wait.reason != other.reason for other in builder.waits):
        # The pass stopped before this wait, so the wait has no deadline.
        builder.waits.append(structs.replace(wait, until=None))
