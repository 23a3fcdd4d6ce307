"""Service selectors follow revisions, and never point at a ReplicaSet with no ready pods.

Source: canary strategy, section 8, and traffic routing, section 10 ("Service selectors").
"""

from __future__ import annotations

from serinus.api.messages.counted import counted
from serinus.api.meta import Json
from serinus.api.names import HASH, MANAGED_BY
from serinus.api.network import Service
from serinus.api.workloads import ReplicaSet
from serinus.engine.core import wait_reasons
from serinus.engine.core.builder import PlanBuilder
from serinus.engine.core.context import hash_of, serving
from serinus.engine.core.plan import Action, Event
from serinus.engine.replicasets.routes import service_names
from serinus.engine.status import scale_down_delay
from serinus.routing.registry import by_hash


def selected_hash(builder: PlanBuilder, name: str) -> str:
    """The revision that the observed Service selects; "" if it selects all revisions, or does not exist."""
    service = builder.context.snapshot.services.get(name)
    return service.spec.selector.get(HASH, "") if service else ""


def selects(builder: PlanBuilder, name: str) -> str:
    """The revision that a Service selects after this pass; "" if it selects all revisions, or does not exist."""
    for action in builder.actions:
        if action.kind == "Service" and action.name == name:
            return action.body.get("spec", {}).get("selector", {}).get(HASH) or selected_hash(builder, name)
    return selected_hash(builder, name)


def leads_to(builder: PlanBuilder, name: str, rs: ReplicaSet | None) -> bool:
    """Whether a Service selects this version, as observed or after this pass."""
    return bool(name) and rs is not None and hash_of(rs) in (selected_hash(builder, name), selects(builder, name))


def canary_weight_of(builder: PlanBuilder, rs: ReplicaSet | None) -> int:
    """The largest canary weight, stored or planned, whose requests go to this version, now or after this pass.

    The canary Service decides: it may move after the weight was recorded, and after a promotion it selects the stable
    version. If a router selects pods by their hash, the status decides.
    """
    s, canary = builder.context, builder.context.canary
    weights = [w.canary for w in (s.rollout.status.canary.weights, builder.status.canary.weights) if w]
    if canary is None or rs is None or not weights:
        return 0
    leads = not by_hash(s.spec) and leads_to(builder, service_names(canary, builder.status)[0], rs)
    return max((w.weight for w in weights if leads or w.pod_template_hash == hash_of(rs)), default=0)


def weight_of(builder: PlanBuilder, rs: ReplicaSet | None) -> int:
    """The largest weight, stored or planned, whose requests go to this version through either Service.

    An update back to the former version may begin before the stable Service has left it.
    """
    s, canary = builder.context, builder.context.canary
    weights = [w for w in (s.rollout.status.canary.weights, builder.status.canary.weights) if w]
    if canary is None or rs is None or not weights:
        return 0
    if by_hash(s.spec):
        stable = [w.stable.weight for w in weights if w.stable.pod_template_hash == hash_of(rs)]
    else:
        led = leads_to(builder, service_names(canary, builder.status)[1], rs)
        stable = [w.stable.weight for w in weights if led]
    return min(s.max_weight, canary_weight_of(builder, rs) + max(stable, default=0))


def carrier(builder: PlanBuilder) -> ReplicaSet | None:
    """The version that was observed to receive the canary's share of the requests. It may not be the newest one.

    The Service's selector decides, not the status; the newest version if the Service selects none of them. If a router
    selects pods by their hash, the status decides.
    """
    canary, weights = builder.context.canary, builder.context.rollout.status.canary.weights
    if by_hash(builder.context.spec):
        recorded = weights.canary.pod_template_hash if weights else ""
        return builder.context.named(recorded) or builder.context.new
    led = builder.context.named(selected_hash(builder, service_names(canary, builder.status)[0])) if canary else None
    return led or builder.context.new


def replaced_has_share(builder: PlanBuilder) -> bool:
    """Whether a version that is neither the new nor the stable one still has a share of the requests from a router."""
    version, weights = carrier(builder), builder.context.rollout.status.canary.weights
    superseded = version is not builder.context.new and hash_of(version) != builder.status.stable_rs
    return superseded and weights is not None and weights.canary.weight > 0


def has_requests(builder: PlanBuilder, rs: ReplicaSet) -> bool:
    """Whether a Service of a canary was observed to select this version, or a router to give it a share by its hash."""
    canary, weights = builder.context.canary, builder.context.rollout.status.canary.weights
    names = service_names(canary, builder.status) if canary else ()
    if any(name and selected_hash(builder, name) == hash_of(rs) for name in names):
        return True
    by_share = weights is not None and weights.canary.weight > 0 and by_hash(builder.context.spec)
    return by_share and carrier(builder) is rs


def point(builder: PlanBuilder, name: str, rs: ReplicaSet | None, *, role: str, in_use: bool = False) -> str:
    """Plan that Service `name` selects `rs`, unless that would leave it without ready pods.

    `in_use`: remove an old scale-down deadline of `rs` first. Otherwise that deadline may pass soon after the next version
    takes the requests, if the pass stops after the switch.

    Returns the hash that it selects after this pass. A Service not yet managed by a Rollout moves only to a fully
    available ReplicaSet. Until then it may select pods of other controllers.
    """
    service = builder.context.snapshot.services.get(name)
    if service is None or rs is None:
        return ""
    have, want = service.spec.selector.get(HASH, ""), hash_of(rs)
    if have == want:
        return have
    size, avail = builder.size(rs), builder.available_not_evicted(rs, serving(rs))
    managed = MANAGED_BY in service.metadata.annotations
    if not (avail > 0 if managed else 0 < size <= avail) and not (have and not size and _wants_none(builder)):
        builder.wait(
            wait_reasons.SERVICE.code,
            f"Service {name} moves to the {role} {rs.metadata.name} when it has ready pods: {avail}/{size} available",
        )
        return have
    if in_use:
        scale_down_delay.drop_deadline(builder, rs)
    switched = _switch(
        builder,
        service,
        have,
        want,
        f"Service {name} is to lead to the {role} {rs.metadata.name}, which has {counted(avail, 'ready pod')}",
    )
    return want if switched else have


def _wants_none(builder: PlanBuilder) -> bool:
    """Whether a blue-green Rollout wants no pods and none serves. Its Services then only record the active version."""
    s = builder.context
    return s.blue_green is not None and not s.replicas and not any(r.status.available_replicas for r in s.sets)


def _switch(builder: PlanBuilder, service: Service, have: str, want: str, because: str) -> bool:
    name, meta = service.metadata.name, service.metadata
    patch: Json = {"spec": {"selector": {HASH: want}}}
    if MANAGED_BY not in meta.annotations:
        patch["metadata"] = {"annotations": {MANAGED_BY: builder.context.rollout.metadata.name}}
    event = Event("SwitchService", f"Switched selector for service '{name}' from '{have}' to '{want}'")
    return builder.act(
        Action(
            "patch",
            "Service",
            name,
            because,
            patch,
            uid=meta.uid,
            resource_version=meta.resource_version,
            events=(event,),
        )
    )


def references(builder: PlanBuilder) -> Json:
    """hash → the object or role that still refers to it, as observed. Such a ReplicaSet is never scaled down."""
    canary, old = builder.context.canary, builder.context.rollout.status
    users: Json = {}
    if old.canary.weights:
        users |= {
            old.canary.weights.canary.pod_template_hash: "the router",
            old.canary.weights.stable.pod_template_hash: "the router",
        }
    for name in service_names(canary, builder.status) if canary else ():
        if name and (selected := selected_hash(builder, name)):
            users[selected] = f"Service {name}"
    users |= {
        old.stable_rs: "the stable version",
        builder.status.stable_rs: "the stable version",
        builder.status.current_pod_hash: "the new version",
    }
    users.pop("", None)
    return users
