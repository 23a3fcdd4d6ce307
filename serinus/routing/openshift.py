"""OpenShift's Route: the weights of its backends. It is configured like the plugin `argoproj-labs/openshift`.

Source: the README and the source code of that plugin, and the reference of `route.openshift.io/v1`. The user creates
the Route. The stable Service is one of its backends (`spec.to`, `spec.alternateBackends`). The router adds the canary
Service with its first weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.served_kind import ServedKind
from serinus.api.validation.findings import Finding, invalid, required
from serinus.api.validation.routing_rules import Capabilities
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
KIND = ServedKind("route.openshift.io", "Route", "routes", ("v1",))
DEFAULT_WEIGHT = 100
"""Weight of a backend without one."""
MOST_ALTERNATES = 3
"""Maximum entries of `spec.alternateBackends` in OpenShift."""


class OpenShiftRouting(msgspec.Struct, omit_defaults=True):
    """`routes`: names, or `NAMESPACE/NAME` with the Rollout's namespace: Routes only use Services of theirs."""

    routes: list[str] = []

    def names(self) -> tuple[str, ...]:
        """Names of the Routes, without a namespace."""
        return tuple(dict.fromkeys(name.rpartition("/")[2] for name in self.routes))


class OpenShift(Router[OpenShiftRouting]):
    key = "argoproj-labs/openshift"
    config = OpenShiftRouting
    capabilities = Capabilities(ping_pong=True)
    kinds = (KIND,)
    permissions = (("route.openshift.io", ("routes",), "get list watch patch"),)

    def needs_services(self, config: OpenShiftRouting, canary: CanaryStrategy) -> bool:
        return canary.ping_pong is None

    def validate(self, config: OpenShiftRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if not config.routes:
            yield required(f"{path}.routes", "the names of Routes of the Rollout's namespace")
        for index, name in enumerate(config.routes):
            if not name.rpartition("/")[2]:
                yield required(f"{path}.routes[{index}]", "the name of a Route")

    def references(self, rollout: Rollout, config: OpenShiftRouting) -> tuple[Reference, ...]:
        return tuple(Reference(KIND.key, name) for name in config.names())

    def check(self, rollout: Rollout, config: OpenShiftRouting, objects: Objects) -> Iterator[Finding]:
        for index, name in enumerate(config.routes):
            space = name.rpartition("/")[0]
            if space not in ("", rollout.metadata.namespace):
                text = f"a Route leads to Services of its own namespace, and the Rollout is in {rollout.metadata.namespace}"
                yield invalid(f"{PATH}.routes[{index}]", name, text)

    def route(self, config: OpenShiftRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        writes: list[Write] = []
        shared = ""
        for name in config.names():
            observed = objects.get(KIND.key, name)
            wrong = not_found(KIND, name, objects) if observed is None else _wrong(name, observed, traffic)
            if wrong or observed is None:
                return RouteResult(error=f"{FAILED}: {wrong}")
            because = weight_reason(traffic)
            writes += edited(KIND, name, observed, lambda route: _divide(route, traffic), because)
            others = foreign_weights(_backends(observed), traffic, DEFAULT_WEIGHT)
            shared = shared or beside_others(f"Route {name}", others, shares(traffic, sum(others.values())))
        return RouteResult(tuple(writes), shared=shared)


PATH = "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/openshift"
ROUTER = OpenShift()


def _alternates(route: Json) -> list[Any]:
    backends = _spec(route).get("alternateBackends")
    return backends if isinstance(backends, list) else []


def _spec(route: Json) -> Json:
    spec = route.get("spec")
    return spec if isinstance(spec, dict) else {}


def _backends(route: Json) -> list[Json]:
    """All Services of the Route. `kind` is optional."""
    return [
        each
        for each in (_spec(route).get("to"), *_alternates(route))
        if isinstance(each, dict) and each.get("kind") in (None, "", "Service")
    ]


def _names(route: Json) -> set[str]:
    return {name for each in _backends(route) if isinstance(name := each.get("name"), str)}


def _wrong(name: str, route: Json, traffic: Traffic) -> str:
    """Why the Route cannot have the weights; "" if it can."""
    there, stable, canary = _names(route), traffic.stable_service, traffic.canary_service
    of_pair = traffic.canary.ping_pong is not None and canary in there
    if stable not in there and not of_pair:
        return f"Route {name} does not lead to the stable Service {stable}: name it in spec.to"
    alternates = _alternates(route)
    missing = [service for service in (canary, stable) if service not in there]
    if missing and len(alternates) >= MOST_ALTERNATES:
        return (
            f"Route {name} has {len(alternates)} spec.alternateBackends, OpenShift accepts {MOST_ALTERNATES}: "
            f"remove one of them, so that {missing[0]} has a place"
        )
    if several := twice(_backends(route), traffic):
        return f"Route {name}, spec.to and spec.alternateBackends: {several}"
    foreign = foreign_weight(_backends(route), traffic, DEFAULT_WEIGHT)
    if foreign >= traffic.max_weight:
        return (
            f"other backends of Route {name} have {foreign} of {traffic.max_weight} in "
            f"spec.alternateBackends: lower their weights, so that {stable} and {canary} have a share"
        )
    return ""


def _divide(route: Json, traffic: Traffic) -> None:
    """Sets the weights. Foreign backends keep theirs. A Service with weight 0 is not added."""
    canary, stable = shares(traffic, foreign_weight(_backends(route), traffic, DEFAULT_WEIGHT))
    there = _names(route)
    for service, weight in ((traffic.canary_service, canary), (traffic.stable_service, stable)):
        for backend in _backends(route):
            if backend.get("name") == service:
                backend["weight"] = weight
        if service not in there and weight:
            added: Json = {"kind": "Service", "name": service, "weight": weight}
            route["spec"]["alternateBackends"] = [*_alternates(route), added]
