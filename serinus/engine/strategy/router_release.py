"""Router objects that a Rollout no longer names, or that outlive it: all their traffic goes to the stable Service.

Argo Rollouts leaves the last weights in place. Objects that the Rollout controls are deleted with it. A spec that
cannot be used changes nothing, so a router keeps its weights until the edit that drops it is valid.
"""

from __future__ import annotations

from typing import NamedTuple

from serinus.api.decoding.reading import converted
from serinus.api.meta import ObjectMeta
from serinus.api.rollout import Rollout
from serinus.engine.core.plan import Action
from serinus.engine.core.service_release import is_settled
from serinus.engine.replicasets.routes import managed, service_names
from serinus.engine.strategy.traffic.write import action_of
from serinus.routing import registry
from serinus.routing.router import ANY, Objects, Traffic


def dropped(old: Rollout, new: Rollout | None) -> frozenset[tuple[str, str]]:
    """(kind, name) of objects that routers of `old` may have written and `new` (None: deleted) does not name."""
    before = {(ref.kind, ref.name) for ref in registry.references(old)}
    return frozenset(before - ({(ref.kind, ref.name) for ref in registry.references(new)} if new else set()))


def may_release(new: Rollout | None) -> bool:
    """Whether the controller has observed the present spec and found it valid."""
    return new is None or is_settled(new)


class Release(NamedTuple):
    """`actions`: the writes that are due now. `again_after`: seconds after which more are due without a change."""

    actions: tuple[Action, ...] = ()
    again_after: float | None = None


def release(old: Rollout, new: Rollout | None, objects: Objects, now: float) -> Release:
    """The writes that release the objects that only `old` names; none once released. `now`: seconds since the epoch."""
    canary, meta = old.spec.strategy.canary, old.metadata
    if canary is None or canary.traffic_routing is None:
        return Release()
    free, routing = dropped(old, new), canary.traffic_routing
    canary_service, stable_service = service_names(canary, old.status)
    status = old.status
    traffic = Traffic(
        meta.name,
        meta.namespace,
        meta.uid,
        {},
        canary,
        canary_service,
        stable_service,
        0,
        routing.max_traffic_weight or 100,
        status.current_pod_hash,
        status.stable_rs,
        managed=managed(canary.steps, routing),
        now=now,
    )
    # The planner sets the weights of objects that the Rollout still names.
    given = Objects(
        objects.namespace,
        {name: one for name, one in objects.ingresses.items() if _named(free, "Ingress", name)},
        {key: one for key, one in objects.others.items() if _named(free, *_split(key))},
        objects.served,
    )
    actions: list[Action] = []
    later: list[float] = []
    for used in registry.routers_of(old.spec):
        answer = used.router.release(used.config, traffic, given)
        later += [] if answer.again_after is None else [answer.again_after]
        for write in answer.writes:
            if _named(free, write.kind, write.name) and not (
                new is None and _goes_along(objects, write.kind, write.name, meta.uid)
            ):
                actions.append(action_of(write))
    return Release(tuple(actions), min(later, default=None))


def _named(free: frozenset[tuple[str, str]], kind: str, name: str) -> bool:
    return (kind, name) in free or (kind, ANY) in free


def _split(key: str) -> tuple[str, str]:
    kind, _, name = key.partition("/")
    return kind, name


def _goes_along(objects: Objects, kind: str, name: str, uid: str) -> bool:
    """Whether garbage collection removes the object with its Rollout."""
    if kind == "Ingress":
        metadata = objects.ingresses[name].metadata if name in objects.ingresses else ObjectMeta()
    else:
        metadata = converted((objects.get(kind, name) or {}).get("metadata") or {}, ObjectMeta, own=False)
    owner = metadata.controller()
    return owner is not None and owner.uid == uid
