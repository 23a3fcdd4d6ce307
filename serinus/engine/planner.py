"""`plan`: what to do next about one Rollout. Pure: the same snapshot gives the same plan, anywhere, at any time."""

from __future__ import annotations

from msgspec import structs

from serinus.api.derived import once
from serinus.api.meta import Json
from serinus.api.rollout import RolloutStatus
from serinus.api.validation import invalid_spec_message, validate
from serinus.engine import analyses, pod_troubles, waits
from serinus.engine.arriving import arriving
from serinus.engine.bluegreen import plan_blue_green
from serinus.engine.canary import plan_canary
from serinus.engine.conditions import WRITE_REFUSED, drop, find, put
from serinus.engine.draft import Draft, difference, settled
from serinus.engine.phase import phase_of
from serinus.engine.plan import Action, Plan, Snapshot, Wait
from serinus.engine.refused import tell_only_held
from serinus.engine.revision import adopt_orphans, wait_for_the_name
from serinus.engine.sight import look
from serinus.engine.told import ROUTING, told
from serinus.routing.registry import without_router


def plan(snapshot: Snapshot) -> Plan:
    """The writes, the status, the Events, and when to look again. Never raises for what a user can write."""
    rollout = snapshot.rollout
    meta, spec = rollout.metadata, rollout.spec
    if meta.deletion_timestamp:
        return Plan()
    routing = spec.strategy.canary.traffic_routing if spec.strategy.canary else None
    finding = validate(
        rollout,
        services=snapshot.services,
        ingresses=snapshot.ingresses,
        objects=snapshot.objects,
        workload=snapshot.workload,
        unrouted=once(spec, "without router", lambda: without_router(routing)),
    ) or analyses.finding(snapshot)
    if finding is not None:
        if wait := arriving(rollout, finding, snapshot.now):
            return Plan(again_at=wait.until, waits=(wait,))
        return _invalid(snapshot, invalid_spec_message(meta.name, finding))
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
    (plan_blue_green if spec.strategy.blue_green else plan_canary)(draft)
    wait_for_the_name(draft)
    refused = next((w for w in draft.waits if w.reason in (waits.ROUTER.code, waits.INVALID.code)), None)
    if refused is not None:
        where = f"{ROUTING}: " if refused.reason == waits.ROUTER.code else ""
        _say_invalid(snapshot, draft.status, f'The Rollout "{meta.name}" is invalid: {where}{refused.message}')
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


def _invalid(snapshot: Snapshot, message: str) -> Plan:
    """A spec that cannot be used changes nothing but what people read of it."""
    rollout = snapshot.rollout
    status = Draft.copy_of(rollout.status)
    drop(status, WRITE_REFUSED)  # nothing is written
    _say_invalid(snapshot, status, message)
    patch = difference(settled(rollout.status), settled(status))
    return Plan(status=patch or None, status_because=message, waits=(Wait(waits.INVALID.code, message),))


def _say_invalid(snapshot: Snapshot, status: RolloutStatus, message: str) -> None:
    # A pass that came to its end has taken the condition away already: what is stored tells since when it holds.
    old = find(snapshot.rollout.status, "InvalidSpec")
    status.conditions = [c for c in status.conditions if c.type != "InvalidSpec"] + ([old] if old else [])
    changed = old is not None and old.message != message
    put(status, snapshot.now, "InvalidSpec", "True", "InvalidSpec", message, renew=changed)
    status.observed_generation = str(snapshot.rollout.metadata.generation)
    status.phase, status.message = phase_of(snapshot.rollout.spec, status)
