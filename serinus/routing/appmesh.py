"""AWS App Mesh: weights in the routes of a VirtualRouter, and the pod hash of each VirtualNode.

Source: traffic routing, section 7. The user creates all objects. The canary node moves to another version only if it
has no weight and that version has a ready pod. The stable node moves before it gets a weight again. Argo Rollouts writes the
nodes in every pass, and removes the pods of the canary node while it still has all requests. Here a node keeps them
until its weight is observed to be 0, and DRAIN seconds longer: proxies receive the weight later than the API server.
`appmesh_nodes.py` writes the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.served_kind import ServedKind
from serinus.api.validation.findings import Finding, invalid
from serinus.routing.appmesh_nodes import (
    GROUP,
    NO_CANARY,
    NO_STABLE,
    NODE,
    VERSIONS,
    another,
    drained,
    freed,
    hash_in,
    led,
    unmarked,
)
from serinus.routing.router import ANY, Notice, Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import edited, not_found, weight_reason

Json = dict[str, Any]
SERVICE = ServedKind(GROUP, "VirtualService", "virtualservices", VERSIONS)
ROUTER_KIND = ServedKind(GROUP, "VirtualRouter", "virtualrouters", VERSIONS)
RULES = ("httpRoute", "tcpRoute", "http2Route", "grpcRoute")
UNASSOCIATED = "Virtual-service is not associated with virtual-router"
MALFORMED = "not well-formed"


class AppMeshServiceUse(msgspec.Struct, omit_defaults=True):
    name: str = ""
    routes: list[str] = []


class NodeRef(msgspec.Struct, omit_defaults=True):
    name: str = ""


class NodeGroup(msgspec.Struct, rename="camel", omit_defaults=True):
    canary_virtual_node_ref: NodeRef = msgspec.field(default_factory=NodeRef)
    stable_virtual_node_ref: NodeRef = msgspec.field(default_factory=NodeRef)


class AppMeshRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    virtual_service: AppMeshServiceUse | None = None
    virtual_node_group: NodeGroup = msgspec.field(default_factory=NodeGroup)

    @property
    def canary(self) -> str:
        return self.virtual_node_group.canary_virtual_node_ref.name

    @property
    def stable(self) -> str:
        return self.virtual_node_group.stable_virtual_node_ref.name


class AppMesh(Router[AppMeshRouting]):
    key = "appMesh"
    config = AppMeshRouting
    kinds = (SERVICE, ROUTER_KIND, NODE)
    marked_kind = NODE
    permissions = ((GROUP, ("virtualservices", "virtualrouters", "virtualnodes"), "get list watch patch"),)

    def by_hash(self, config: AppMeshRouting) -> bool:
        return True

    def validate(self, config: AppMeshRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if config.virtual_service is None or not config.virtual_service.name:
            yield invalid(PATH, None, "must provide virtual-service")
        for role in ("canary", "stable"):
            if not getattr(config, role):
                at = f"{path}.virtualNodeGroup.{role}VirtualNodeRef.name"
                yield invalid(at, "", f"the name of the VirtualNode of the {role} version is missing")

    def references(self, rollout: Rollout, config: AppMeshRouting) -> tuple[Reference, ...]:
        used = config.virtual_service
        nodes = tuple(Reference(NODE.key, name) for name in (config.canary, config.stable))
        service = Reference(SERVICE.key, used.name if used else "", PATH)
        return (service, Reference(ROUTER_KIND.key, ANY), *nodes)  # the VirtualService names its VirtualRouter

    def selected(self, config: AppMeshRouting, objects: Objects) -> frozenset[tuple[str, str]]:
        service = objects.get(SERVICE.key, config.virtual_service.name) if config.virtual_service else None
        router = _router_name(service) if service is not None else ""
        return frozenset({(ROUTER_KIND.key, router)} if router else ())

    def check(self, rollout: Rollout, config: AppMeshRouting, objects: Objects) -> Iterator[Finding]:
        name = config.virtual_service.name if config.virtual_service else ""
        service = objects.get(SERVICE.key, name)
        if service is None:
            return
        router = _router_name(service)
        virtual_router = objects.get(ROUTER_KIND.key, router)
        if not router:
            yield invalid(PATH, name, UNASSOCIATED)
        elif elsewhere := _elsewhere(name, router):
            yield invalid(PATH, name, elsewhere)
        elif virtual_router is None:
            yield invalid(PATH, name, not_found(ROUTER_KIND, router, objects), missing=(ROUTER_KIND.key, router))
        else:
            yield from _unfit(router, virtual_router)

    def route(self, config: AppMeshRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        for name in (config.stable, config.canary):
            node = objects.get(NODE.key, name)
            if node is None:
                return _missing("node", NODE, name, "VirtualNode ", traffic, objects)
            if wrong := another(name, node, traffic.rollout):
                return RouteResult(error=wrong)
        name = config.virtual_service.name if config.virtual_service else ""
        service = objects.get(SERVICE.key, name)
        if service is None:
            return _missing("service", SERVICE, name, "VirtualService ", traffic, objects)
        router = _router_name(service)
        if not router:
            return RouteResult(error=f"{UNASSOCIATED}: VirtualService {name}, spec.provider.virtualRouter")
        if elsewhere := _elsewhere(name, router):
            return RouteResult(error=elsewhere)
        virtual_router = objects.get(ROUTER_KIND.key, router)
        if virtual_router is None:
            return _missing("router", ROUTER_KIND, name, "VirtualRouter for ", traffic, objects)
        if wrong := _wrong(router, virtual_router, config, traffic.namespace):
            return RouteResult(error=wrong)
        return _moves(router, virtual_router, config, traffic, objects)

    def release(self, config: AppMeshRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        """Writes the weights first. Then the stable node selects every version, and the canary node none."""
        used = config.virtual_service
        service = objects.get(SERVICE.key, used.name) if used else None
        router = _router_name(service) if service else ""
        virtual_router = objects.get(ROUTER_KIND.key, router)
        nodes = [(name, node) for name in (config.stable, config.canary) if (node := objects.get(NODE.key, name))]
        if any(another(name, node, traffic.rollout) for name, node in nodes):
            return RouteResult()
        because = f"{traffic.rollout} leads the VirtualService no more"
        if virtual_router is not None and not _wrong(router, virtual_router, config, traffic.namespace):
            writes = edited(ROUTER_KIND, router, virtual_router, _weights(config, traffic), because)
            if writes:
                return RouteResult(writes)
        emptied, later = drained(config.canary, "", because, traffic, objects)
        stable = freed(config.stable, because, objects)
        return RouteResult((*stable, *emptied), again_after=later)

    def unmark(self, name: str, seen: Json) -> tuple[Write, ...]:
        return unmarked(name, seen)


PATH = "spec.strategy.canary.trafficRouting.appMesh.virtualService"
ROUTER = AppMesh()


def _at(value: Any, *keys: str) -> Any:
    """The value at this path of keys; None if a key is missing or a value is no object."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _router_name(service: Json) -> str:
    """Name of a VirtualService's VirtualRouter; `NAMESPACE/NAME` for another namespace, which is not read."""
    ref = _at(service, "spec", "provider", "virtualRouter", "virtualRouterRef")
    name, space = _at(ref, "name"), _at(ref, "namespace")
    if not isinstance(name, str):
        return ""
    return f"{space}/{name}" if space and space != _at(service, "metadata", "namespace") else name


def _elsewhere(service: str, router: str) -> str:
    """Why a VirtualRouter of another namespace is not written; "" for one of the Rollout's."""
    space, slash, own = router.partition("/")
    if not slash:
        return ""
    return (
        f"VirtualService {service}, spec.provider.virtualRouter.virtualRouterRef.namespace: VirtualRouter {own} is in "
        f"namespace {space}, and Serinus writes those of the Rollout's namespace only: move it there"
    )


def _missing(what: str, kind: ServedKind, name: str, subject: str, traffic: Traffic, objects: Objects) -> RouteResult:
    if not objects.is_served(kind):
        return RouteResult(error=not_found(kind, name, objects))
    text = f"{subject}`{name}` not found in namespace `{traffic.namespace}`"
    return RouteResult(error=f"Virtual-{what} is missing: {text}", notices=(Notice(f"{kind.kind}NotFound", text),))


def _rule(route: Any) -> str:
    """The field of a route that contains its targets; "" for an unsupported kind of route."""
    return next((rule for rule in RULES if isinstance(_at(route, rule), dict)), "")


def _targets(route: Any) -> Any:
    return _at(route, _rule(route), "action", "weightedTargets")


def _routes(router: Json) -> list[Any]:
    routes = _at(router, "spec", "routes")
    return routes if isinstance(routes, list) else []


def _unfit(name: str, router: Json) -> Iterator[Finding]:
    """The errors of a VirtualRouter, in Argo Rollouts' words, over all of its routes."""
    routes = _routes(router)
    of = f"AppMesh virtual-router {name}"
    if not routes:
        yield invalid("spec.routes", name, f"No routes defined for {of}")
    for i, route in enumerate(routes):
        at, called = f"spec.routes[{i}]", f"{of} and route {_at(route, 'name')}"
        targets = _targets(route)
        action = f"{at}.{_rule(route)}.action.weightedTargets"
        if not isinstance(route, dict):
            yield invalid(at, name, f"Invalid route was found for {of} at index {i}")
        elif not _rule(route):
            yield invalid(
                at, name, f"Error getting route details for {called}. Error: Route has unsupported route type"
            )
        elif not isinstance(targets, list):
            yield invalid(action, name, f"Invalid route action found for {called}")
        elif len(targets) != 2:
            text = f"Invalid number of weightedTargets ({len(targets)}) for {called}, expected 2"
            yield invalid(action, name, text)


def _chosen(router: Json, config: AppMeshRouting) -> list[tuple[int, Json]]:
    """(index, route) of the routes that get weights."""
    names = config.virtual_service.routes if config.virtual_service else []
    routes = [(i, route) for i, route in enumerate(_routes(router)) if isinstance(route, dict)]
    return [(i, route) for i, route in routes if not names or route.get("name") in names]


def _wrong(name: str, router: Json, config: AppMeshRouting, space: str) -> str:
    """Why the routes cannot have the weights; "" if they can."""
    for finding in _unfit(name, router):
        return finding.message
    named = config.virtual_service.routes if config.virtual_service else []
    present = [route.get("name") for _, route in _chosen(router, config)]
    if lacks := [route for route in named if route not in present]:
        return f"VirtualRouter {name} has no route {lacks[0]}: {PATH}.routes"
    for i, route in _chosen(router, config):
        at = f"spec.routes[{i}]"
        if not isinstance(route.get("name"), str):
            return invalid(f"{at}.name", name, MALFORMED).message
        at = f"{at}.{_rule(route)}.action.weightedTargets"
        for k, target in enumerate(_targets(route)):
            if not isinstance(_at(target, "virtualNodeRef"), dict):
                return invalid(f"{at}[{k}].virtualNodeRef", name, MALFORMED).message
            if not isinstance(_at(target, "weight"), int | float):
                return invalid(f"{at}[{k}].weight", name, MALFORMED).message
        for node in (config.canary, config.stable):
            if not any(_leads_to(target, node, space) for target in _targets(route)):
                return f"route {route['name']} of VirtualRouter {name} has no weightedTarget for VirtualNode {node}"
    return ""


def _leads_to(target: Json, node: str, space: str) -> bool:
    ref = target["virtualNodeRef"]
    return ref.get("name") == node and (ref.get("namespace") or space) == space


def _weights(config: AppMeshRouting, traffic: Traffic) -> Any:
    """The edit that sets the weights."""

    def edit(router: Json) -> None:
        for target in (target for _, route in _chosen(router, config) for target in _targets(route)):
            if _leads_to(target, config.stable, traffic.namespace):
                target["weight"] = traffic.stable_weight
            elif _leads_to(target, config.canary, traffic.namespace):
                target["weight"] = traffic.weight

    return edit


def _moves(
    router: str, virtual_router: Json, config: AppMeshRouting, traffic: Traffic, objects: Objects
) -> RouteResult:
    """One pass writes either nodes or weights, because a proxy may receive two writes in any order."""
    because = weight_reason(traffic)
    stable = traffic.stable_hash or NO_STABLE
    same = traffic.canary_hash == stable
    canary = NO_CANARY if not traffic.canary_hash or (same and not traffic.weight) else traffic.canary_hash
    has_share, serves = _has_share(virtual_router, config, traffic), traffic.canary_ready > 0
    overlaps = not serves and hash_in(objects.get(NODE.key, config.canary) or {}) == stable
    moved = led(config.stable, stable, f"the stable version has the hash {stable}", traffic, objects)
    later: float | None = None
    if (canary == NO_CANARY or overlaps) and not has_share:
        why = "the canary has no ready pods of its own"
        emptied, later = drained(config.canary, traffic.rollout, why, traffic, objects)
        moved += emptied
    elif (canary == NO_CANARY or serves) and (not has_share or traffic.weight):
        moved += led(config.canary, canary, f"the canary is {canary}", traffic, objects)
    weights = edited(ROUTER_KIND, router, virtual_router, _weights(config, traffic), because)
    if moved and weights:
        return RouteResult(moved, pending="the VirtualNodes follow their versions before the weights do")
    return RouteResult((*moved, *weights), again_after=later)


def _has_share(router: Json, config: AppMeshRouting, traffic: Traffic) -> bool:
    """Whether a route gives the canary node a weight."""
    targets = [target for _, route in _chosen(router, config) for target in _targets(route)]
    return any(_leads_to(t, config.canary, traffic.namespace) and t["weight"] for t in targets)
