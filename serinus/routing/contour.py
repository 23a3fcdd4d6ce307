"""Contour's HTTPProxy: the weights of its services. It is configured like the plugin `argoproj-labs/contour`.

Source: the README and the source code of that plugin, and the reference of `projectcontour.io/v1`. The user creates the
HTTPProxy. Each of its routes with both Services gets the weights, and so does `spec.tcpproxy`. All other routes are
unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.served_kind import ServedKind, name_from
from serinus.api.validation.findings import Finding, required
from serinus.api.validation.routing_rules import Capabilities
from serinus.routing.confirmations import confirmed, is_behind, is_late, is_refused
from serinus.routing.router import FAILED, Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import (
    beside_others,
    edited,
    foreign_weight,
    foreign_weights,
    not_found,
    shares,
    twice,
    weight_reason,
)

Json = dict[str, Any]
KIND = ServedKind("projectcontour.io", "HTTPProxy", "httpproxies", ("v1",))


class ContourRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    """`httpProxy`: of the plugin's first version. `namespace`: of the HTTPProxies; default: the Rollout's."""

    http_proxies: list[str] = []
    http_proxy: str = ""
    namespace: str = ""

    def names(self) -> tuple[str, ...]:
        """Names of the HTTPProxies, without duplicates."""
        return tuple(dict.fromkeys(name for name in (self.http_proxy, *self.http_proxies) if name))

    def referred(self, own: str) -> tuple[str, ...]:
        """The same names in the form of `Reference`, for a Rollout in the namespace `own`."""
        return tuple(name_from(self.namespace, name, own) for name in self.names())


class Contour(Router[ContourRouting]):
    key = "argoproj-labs/contour"
    config = ContourRouting
    capabilities = Capabilities(ping_pong=True, max_weight=True, verifies=True)
    kinds = (KIND,)
    permissions = (("projectcontour.io", ("httpproxies",), "get list watch patch"),)

    def needs_services(self, config: ContourRouting, canary: CanaryStrategy) -> bool:
        return canary.ping_pong is None

    def validate(self, config: ContourRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if not config.http_proxies and not config.http_proxy:
            yield required(f"{path}.httpProxies", "the names of HTTPProxies")
        for index, name in enumerate(config.http_proxies):
            if not name:
                yield required(f"{path}.httpProxies[{index}]", "the name of an HTTPProxy")

    def references(self, rollout: Rollout, config: ContourRouting) -> tuple[Reference, ...]:
        return tuple(Reference(KIND.key, name) for name in config.referred(rollout.metadata.namespace))

    def route(self, config: ContourRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        writes: list[Write] = []
        proxies: list[Json] = []
        for name in config.referred(traffic.namespace):
            observed = objects.get(KIND.key, name)
            wrong = not_found(KIND, name, objects) if observed is None else _wrong(name, observed, traffic)
            if wrong or observed is None:
                return RouteResult(error=f"{FAILED}: {wrong}")
            because = weight_reason(traffic)
            writes += edited(KIND, name, observed, lambda proxy: _divide(proxy, traffic), because)
            proxies.append(observed)
        reports = [_unconfirmed(proxy) for proxy in proxies]
        verified, why = (None, "") if None in reports else confirmed(reports, writes)
        shared = next(filter(None, (_shared(proxy, traffic) for proxy in proxies)), "")
        return RouteResult(tuple(writes), verified=verified, unverified=why, shared=shared)


ROUTER = Contour()


def _list(value: Any, field: str) -> list[Json]:
    items = value.get(field) if isinstance(value, dict) else None
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _routes(proxy: Json) -> list[Json]:
    """All parts of an HTTPProxy that lead to Services."""
    spec = proxy.get("spec")
    tcp = spec.get("tcpproxy") if isinstance(spec, dict) else None
    return [*_list(spec, "routes"), *([tcp] if isinstance(tcp, dict) else [])]


def _services(route: Json) -> list[Json]:
    """Services that answer requests. A mirror only gets copies."""
    return [each for each in _list(route, "services") if each.get("mirror") is not True]


def _names(route: Json) -> set[str]:
    return {name for each in _services(route) if isinstance(name := each.get("name"), str)}


def _divided(proxy: Json, traffic: Traffic) -> list[Json]:
    """The routes with both Services."""
    return [route for route in _routes(proxy) if {traffic.canary_service, traffic.stable_service} <= _names(route)]


def _wrong(name: str, proxy: Json, traffic: Traffic) -> str:
    """Why the HTTPProxy cannot have the weights, in the plugin's words if it has any; "" if it can."""
    routes = _divided(proxy, traffic)
    if not routes:
        there = {name for route in _routes(proxy) for name in _names(route)}
        for service in (traffic.canary_service, traffic.stable_service):
            if service not in there:
                return f"the service: {service} is not found in HTTPProxy: add it to spec.routes[].services of {name}"
        return f"no route of HTTPProxy {name} has both {traffic.stable_service} and {traffic.canary_service} in its services"
    several = next(filter(None, (twice(_services(route), traffic) for route in routes)), "")
    if several:
        return f"a route of HTTPProxy {name}, services: {several}"
    foreign = max(foreign_weight(_services(route), traffic) for route in routes)
    if foreign >= traffic.max_weight:
        return (
            f"other services of a route of HTTPProxy {name} have {foreign} of {traffic.max_weight}: lower their weights, so "
            f"that {traffic.stable_service} and {traffic.canary_service} have a share"
        )
    return ""


def _divide(proxy: Json, traffic: Traffic) -> None:
    for route in _divided(proxy, traffic):
        canary, stable = shares(traffic, foreign_weight(_services(route), traffic))
        for service in _services(route):
            if service.get("name") in (traffic.canary_service, traffic.stable_service):
                service["weight"] = canary if service["name"] == traffic.canary_service else stable


def _shared(proxy: Json, traffic: Traffic) -> str:
    """The first route with Services of others."""
    for route in _divided(proxy, traffic):
        others = foreign_weights(_services(route), traffic)
        if others:
            where = f"a route of HTTPProxy {proxy['metadata']['name']}"
            return beside_others(where, others, shares(traffic, sum(others.values())))
    return ""


def _unconfirmed(proxy: Json) -> str | None:
    """Why Contour has not accepted the current generation; "" if it has. None without a condition `Valid`."""
    valid = [each for each in _list(proxy.get("status"), "conditions") if each.get("type") == "Valid"]
    if not valid:
        return None
    name, observed = proxy["metadata"]["name"], valid[0].get("observedGeneration")
    if is_behind(observed, proxy["metadata"].get("generation")):
        return is_late(KIND.kind, name, "Contour", observed, proxy["metadata"]["generation"])
    return "" if valid[0].get("status") == "True" else is_refused(KIND.kind, name, "Contour", valid[0])
