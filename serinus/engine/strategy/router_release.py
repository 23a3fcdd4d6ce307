"""Router objects that a Rollout no longer names, or that outlive it: all their traffic goes to the stable Service.

Argo Rollouts leaves the last weights in place. Objects that the Rollout controls are deleted with it. A spec that
cannot be used changes nothing, so a router keeps its weights until the edit that drops it is valid.
"""

from __future__ import annotations

from typing import NamedTuple

from serinus.api.decoding.reading import converted
from serinus.api.meta import ObjectMeta
from serinus.api.rollout import Rollout, TrafficRouting
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


def may_drop(old: Rollout, new: Rollout | None) -> bool:
    """Whether `new` may not name some of these objects. A reference to all objects of a kind does not name those in use."""
    return bool(dropped(old, new)) or (
        new is not None
        and any(name == ANY or name.endswith(f"/{ANY}") for _, name in dropped(old, None))
        and _routing(old) != _routing(new)
    )


def _routing(rollout: Rollout) -> TrafficRouting | None:
    canary = rollout.spec.strategy.canary
    return canary.traffic_routing if canary is not None else None


def may_release(new: Rollout | None) -> bool:
    """Whether the controller has observed the present spec and found it valid."""
    return new is None or is_settled(new)


class RouterRelease(NamedTuple):
    """`actions`: the writes that are due now. `again_after`: seconds after which more are due without a change."""

    actions: tuple[Action, ...] = ()
    again_after: float | None = None


def release(old: Rollout, new: Rollout | None, objects: Objects, now: float) -> RouterRelease:
    """The writes that release the objects that only `old` names; none once released. `now`: seconds since the epoch.

    `objects`: of the routers of both.
    """
    canary, meta = old.spec.strategy.canary, old.metadata
    if canary is None or canary.traffic_routing is None:
        return RouterRelease()
    routing, in_use = canary.traffic_routing, _in_use(new, objects)
    free = dropped(old, new) | (_selected(old, objects) if new is not None else frozenset())

    def is_free(kind: str, name: str) -> bool:
        return ((kind, name) in free or (kind, ANY) in free) and (kind, name) not in in_use

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
        {name: one for name, one in objects.ingresses.items() if is_free("Ingress", name)},
        {key: one for key, one in objects.others.items() if is_free(*_split(key))},
        objects.served,
    )
    actions: list[Action] = []
    later: list[float] = []
    for used in registry.routers_of(old.spec):
        answer = used.router.release(used.config, traffic, given)
        later += [] if answer.again_after is None else [answer.again_after]
        for write in answer.writes:
            if is_free(write.kind, write.name) and not (
                new is None and _goes_along(objects, write.kind, write.name, meta.uid)
            ):
                actions.append(action_of(write))
    return RouterRelease(tuple(actions), min(later, default=None))


def _in_use(new: Rollout | None, objects: Objects) -> frozenset[tuple[str, str]]:
    """(kind, name) of the objects that the routers of `new` use."""
    return dropped(new, None) | _selected(new, objects) if new is not None else frozenset()


def _selected(rollout: Rollout, objects: Objects) -> frozenset[tuple[str, str]]:
    selected = (used.router.selected(used.config, objects) for used in registry.routers_of(rollout.spec))
    return frozenset[tuple[str, str]]().union(*selected)


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
