"""`plan`: what to do next about one Rollout. Pure: the same snapshot gives the same plan, anywhere, at any time."""

from __future__ import annotations

from msgspec import structs

from serinus.api.meta import Json
from serinus.api.validation import invalid_spec_message
from serinus.engine import analyses, invalid, pod_troubles, waits
from serinus.engine.arriving import arriving
from serinus.engine.bluegreen import plan_blue_green
from serinus.engine.canary import plan_canary
from serinus.engine.draft import Draft
from serinus.engine.plan import Action, Plan, Snapshot, Wait
from serinus.engine.refused import tell_only_held
from serinus.engine.revision import adopt_orphans, wait_for_the_name
from serinus.engine.sight import look
from serinus.engine.told import ROUTING, told


def plan(snapshot: Snapshot) -> Plan:
    """The writes, the status, the Events, and when to look again. Never raises for what a user can write."""
    rollout = snapshot.rollout
    meta, spec = rollout.metadata, rollout.spec
    if meta.deletion_timestamp:
        return Plan()
    finding = invalid.first_finding(snapshot)
    if finding is not None:
        if wait := arriving(rollout, finding, snapshot.now):
            return Plan(again_at=wait.until, waits=(wait,))
        if not invalid.concerns_only_updates(snapshot, finding):
            return invalid.hold(snapshot, invalid_spec_message(meta.name, finding))
    wrong = finding or analyses.finding(snapshot)
    draft = Draft(look(snapshot))
    if spec.replicas is None:
        because = "spec.replicas is not set: one pod is meant"
        one: Json = {"spec": {"replicas": 1}}
        version = meta.resource_version
        if draft.act(Action("patch", "Rollout", meta.name, because, one, uid=meta.uid, resource_version=version)):
            return Plan(tuple(draft.actions))
    if draft.sight.orphans:
        adopt_orphans(draft)
        if draft.held:
            tell_only_held(draft)
            return draft.finish()
        return Plan(tuple(draft.actions))
    if wrong is not None and invalid.is_tried(draft):
        return invalid.hold(snapshot, invalid_spec_message(meta.name, wrong))
    draft.invalid = invalid_spec_message(meta.name, finding) if finding else ""
    (plan_blue_green if spec.strategy.blue_green else plan_canary)(draft)
    wait_for_the_name(draft)
    refused = next((w for w in draft.waits if w.reason in (waits.ROUTER.code, waits.INVALID.code)), None)
    if refused is not None:
        where = f"{ROUTING}: " if refused.reason == waits.ROUTER.code else ""
        invalid.say(draft, f'The Rollout "{meta.name}" is invalid: {where}{refused.message}')
    elif draft.invalid:
        draft.waits.insert(0, Wait(waits.INVALID.code, draft.invalid))
        invalid.say(draft, draft.invalid)
    else:
        pod_troubles.write_down(draft)
        if rollout.status.phase != "Healthy":
            _always_a_reason(draft)
    pod_troubles.name_causes(draft)
    return draft.finish()


def _always_a_reason(draft: Draft) -> None:
    """What the status tells everybody is among the reasons of a pass that has nothing to do."""
    stored = draft.sight.rollout.status
    if draft.actions or draft.calls or draft.status != stored:
        return
    wait = told(draft.sight.spec, stored)
    if wait is not None and all(wait.reason != other.reason for other in draft.waits):
        # The pass did not come to it: something else has to happen first, and time alone ends nothing.
        draft.waits.append(structs.replace(wait, until=None))
