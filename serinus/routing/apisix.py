"""APISIX: rules of the user's ApisixRoute get the weights. Each header route is a second ApisixRoute of the Rollout.

Source: traffic routing, section 6. A header route is a copy of the first ApisixRoute and is updated whenever that
changes. Argo Rollouts writes both in every pass; here they are written only on a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.names import LAST_APPLIED
from serinus.api.pods.defaults import copied
from serinus.api.rollout import CanaryStrategy, HeaderRoutingMatch, Rollout, SetHeaderRoute
from serinus.api.served_kind import ServedKind
from serinus.api.validation.findings import Finding, required
from serinus.api.validation.routing_rules import Capabilities
from serinus.routing.router import Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import (
    beside_others,
    controls,
    created,
    edited,
    foreign_weights,
    not_found,
    removed,
    twice,
    weight_reason,
)

Json = dict[str, Any]
KIND = ServedKind("apisix.apache.org", "ApisixRoute", "apisixroutes", ("v2",))
DEFAULT_WEIGHT = 100
"""APISIX's weight of a backend without one."""


class ApisixRoute(msgspec.Struct, omit_defaults=True):
    name: str = ""
    rules: list[str] = []


class ApisixRouting(msgspec.Struct, omit_defaults=True):
    route: ApisixRoute = msgspec.field(default_factory=ApisixRoute)

    def rules(self) -> tuple[str, ...]:
        """Names of the rules that get weights. Default: the name of the ApisixRoute."""
        return tuple(self.route.rules) or (self.route.name,)


class Apisix(Router[ApisixRouting]):
    key = "apisix"
    config = ApisixRouting
    capabilities = Capabilities(header_routes=True)
    kinds = (KIND,)
    permissions = (("apisix.apache.org", ("apisixroutes",), "get list watch create patch delete"),)

    def validate(self, config: ApisixRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if not config.route.name:
            yield required(f"{path}.route.name", "the name of an ApisixRoute of the Rollout's namespace")

    def references(self, rollout: Rollout, config: ApisixRouting) -> tuple[Reference, ...]:
        canary = rollout.spec.strategy.canary
        routing = canary.traffic_routing if canary else None
        names = [route.name for route in routing.managed_routes] if routing else []
        names += [step.set_header_route.name for step in canary.steps if step.set_header_route] if canary else []
        header_routes = (Reference(KIND.key, name, made=True) for name in dict.fromkeys(names))
        return (Reference(KIND.key, config.route.name), *header_routes)

    def route(self, config: ApisixRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        name = config.route.name
        base = objects.get(KIND.key, name)
        if base is None:
            return RouteResult(error=not_found(KIND, name, objects))
        for rule in config.rules():
            if wrong := _wrong(base, rule, traffic):
                return RouteResult(error=f"{wrong}: ApisixRoute {name}, rule {rule}")

        def weighted(route: Json) -> None:
            for backend in (each for rule in _named(route, config.rules()) for each in _backends(rule)):
                if backend.get("serviceName") == traffic.canary_service:
                    backend["weight"] = traffic.weight
                elif backend.get("serviceName") == traffic.stable_service:
                    backend["weight"] = traffic.stable_weight

        writes = [*edited(KIND, name, base, weighted, weight_reason(traffic))]
        for route in (each for each in traffic.routes if isinstance(each, SetHeaderRoute)):
            header_route = objects.get(KIND.key, route.name)
            if header_route is not None and not controls(traffic.uid, header_route):
                return RouteResult(error=_another(route.name, header_route))
            writes += _header_route(base, header_route, route, config, traffic, objects)
        return RouteResult((*writes, *_gone(traffic, objects)), shared=_shared(base, config, traffic))

    def release(self, config: ApisixRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        """Deletes the header routes, even if the first ApisixRoute is gone."""
        if objects.get(KIND.key, config.route.name) is None:
            return RouteResult(_gone(msgspec.structs.replace(traffic, routes=()), objects))
        return super().release(config, traffic, objects)


ROUTER = Apisix()


def _items(value: Any, key: str) -> list[Json]:
    """The objects in the list at this key; empty for any other value."""
    items = value.get(key) if isinstance(value, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _named(route: Json, names: tuple[str, ...]) -> list[Json]:
    return [rule for rule in _items(route.get("spec"), "http") if rule.get("name") in names]


def _backends(rule: Json) -> list[Json]:
    return _items(rule, "backends")


def _wrong(apisix_route: Json, name: str, traffic: Traffic) -> str:
    """Why a rule cannot have the weights, in Argo Rollouts' words; "" if it can."""
    every = _items(apisix_route.get("spec"), "http")
    if not every:
        return "spec.http was not found in Apisix Route manifest"
    rules = _named(apisix_route, (name,))
    if not rules:
        nameless = any("name" not in rule for rule in every)
        return "Apisix http route rule name field not found" if nameless else f"Apisix http route rule {name} not found"
    for rule in rules:
        services = [backend.get("serviceName") for backend in _backends(rule)]
        if not services:
            return "Apisix http route backends not found"
        for service in (traffic.canary_service, traffic.stable_service):
            if service not in services:
                unnamed = None in services
                text = "serviceName field was not found in backend"
                return text if unnamed else f"apisix route {service} backend was not found"
        if several := twice(_backends(rule), traffic, key="serviceName"):
            return several
    return ""


def _shared(apisix_route: Json, config: ApisixRouting, traffic: Traffic) -> str:
    """The first rule with backends of others."""
    for rule in _named(apisix_route, config.rules()):
        others = foreign_weights(_backends(rule), traffic, DEFAULT_WEIGHT, key="serviceName")
        if others:
            where = f"rule {rule['name']} of ApisixRoute {config.route.name}"
            return beside_others(where, others, (traffic.weight, traffic.stable_weight))
    return ""


def _header_route(
    base: Json, existing: Json | None, route: SetHeaderRoute, config: ApisixRouting, traffic: Traffic, objects: Objects
) -> tuple[Write, ...]:
    """The second ApisixRoute: a copy in which the named rules lead only to the canary, with a higher priority."""
    because = f"header route {route.name} leads to the canary"
    spec = copied(base["spec"])
    for rule in _named({"spec": spec}, config.rules()):
        rule["backends"] = [
            {**backend, "weight": 100} if backend.get("serviceName") == traffic.canary_service else backend
            for backend in _backends(rule)
            if backend.get("serviceName") != traffic.stable_service
        ]
        priority = rule.get("priority")
        rule["priority"] = (priority if isinstance(priority, int) else 0) + 1
        match = rule.get("match")
        rule["match"] = {**(match if isinstance(match, dict) else {}), "exprs": [_expr(each) for each in route.match]}
    if existing is None:
        metadata = base["metadata"]
        annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != LAST_APPLIED}
        given = {"labels": metadata.get("labels"), "annotations": annotations}
        body: Json = {"metadata": {key: copied(value) for key, value in given.items() if value}, "spec": spec}
        return (created(KIND, route.name, body, because, traffic=traffic, objects=objects),)

    def followed(second: Json) -> None:
        second["spec"] = spec

    return edited(KIND, route.name, existing, followed, because)


def _expr(match: HeaderRoutingMatch) -> Json:
    subject = {"scope": "Header", "name": match.header_name}
    value = match.header_value
    if value is None or value.exact:
        return {"subject": subject, "op": "Equal", "value": value.exact if value else ""}
    return {"subject": subject, "op": "RegexMatch", "value": value.regex or f"^{value.prefix}.*"}


def _gone(traffic: Traffic, objects: Objects) -> tuple[Write, ...]:
    """Deletes the Rollout's header routes that are no longer wanted."""
    desired = {route.name for route in traffic.routes}
    every = ((name, objects.get(KIND.key, name)) for name in traffic.managed if name not in desired)
    return tuple(
        removed(KIND, name, header_route, f"the canary has no header route {name} now")
        for name, header_route in every
        if header_route is not None and controls(traffic.uid, header_route)
    )


def _another(name: str, header_route: Json) -> str:
    owners: list[Json] = header_route["metadata"].get("ownerReferences") or []
    owner = next((each for each in owners if each.get("controller")), None)
    whose = f"{owner.get('kind')} {owner.get('name')} controls it" if owner else "no Rollout made it"
    return f"duplicate ApisixRoute [{name}] already exists: {whose}; delete it, or give the header route another name"
