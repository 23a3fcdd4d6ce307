"""Traefik's weighted TraefikService: two of its services get the weights. Source: traffic routing, section 8.

The user creates the object. The router keeps its other services, their order and all other fields. Argo Rollouts writes
it in every pass; here it is written only if a weight changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.served_kind import ServedKind
from serinus.api.validation.findings import Finding, required
from serinus.api.validation.routing_rules import Capabilities
from serinus.routing.gateway_state import STATE_WITHIN, in_force, other_servers
from serinus.routing.router import Objects, Reference, Router, RouteResult, Traffic
from serinus.routing.writes import beside_others, edited, foreign_weights, not_found, twice, weight_reason

Json = dict[str, Any]
KIND = ServedKind("traefik.io", "TraefikService", "traefikservices", ("v1alpha1",))
DEFAULT_WEIGHT = 1
"""Traefik's weight of a service without one."""


class TraefikRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    weighted_traefik_service_name: str = ""


class Traefik(Router[TraefikRouting]):
    key = "traefik"
    config = TraefikRouting
    capabilities = Capabilities(reads_gateway=True)
    kinds = (KIND,)
    permissions = (("traefik.io", ("traefikservices",), "get list watch patch"),)

    def validate(self, config: TraefikRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if not config.weighted_traefik_service_name:
            yield required(
                f"{path}.weightedTraefikServiceName", "the name of a TraefikService of the Rollout's namespace"
            )

    def references(self, rollout: Rollout, config: TraefikRouting) -> tuple[Reference, ...]:
        return (Reference(KIND.key, config.weighted_traefik_service_name),)

    def route(self, config: TraefikRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        name = config.weighted_traefik_service_name
        observed = objects.get(KIND.key, name)
        if observed is None:
            return RouteResult(error=not_found(KIND, name, objects))
        wrong = _wrong(observed, traffic)
        if wrong:
            return RouteResult(error=f"{wrong}: TraefikService {name}, spec.weighted.services")

        def weighted(service: Json) -> None:
            for service_name, weight in _weights(traffic).items():
                for each in _named(service, service_name):
                    each["weight"] = weight

        others = foreign_weights(
            (each for each in _services(observed) if isinstance(each, dict)), traffic, DEFAULT_WEIGHT
        )
        shared = beside_others(f"TraefikService {name}", others, (traffic.weight, traffic.stable_weight))
        writes = edited(KIND, name, observed, weighted, weight_reason(traffic))
        if writes and (why := other_servers(traffic, objects)):
            return RouteResult(pending=why, shared=shared, again_after=STATE_WITHIN)
        verified, why = in_force(traffic, objects, writes)
        return RouteResult(writes, verified=verified, unverified=why, unverified_for=STATE_WITHIN, shared=shared)


ROUTER = Traefik()


def _weights(traffic: Traffic) -> dict[str, int]:
    return {traffic.canary_service: traffic.weight, traffic.stable_service: traffic.stable_weight}


def _services(service: Json) -> list[Any]:
    spec = service.get("spec")
    weighted = spec.get("weighted") if isinstance(spec, dict) else None
    services = weighted.get("services") if isinstance(weighted, dict) else None
    return services if isinstance(services, list) else []


def _named(service: Json, name: str) -> list[Json]:
    return [each for each in _services(service) if isinstance(each, dict) and each.get("name") == name]


def _wrong(service: Json, traffic: Traffic) -> str:
    """Why the object cannot have the weights, in Argo Rollouts' words; "" if it can."""
    if not _services(service):
        return "spec.weighted.services was not found in traefik service manifest"
    for role, name in (("canary", traffic.canary_service), ("stable", traffic.stable_service)):
        if not _named(service, name):
            return f"traefik {role} service was not found: no entry {name}"
    return twice((each for each in _services(service) if isinstance(each, dict)), traffic)
