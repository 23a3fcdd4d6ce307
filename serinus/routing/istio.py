"""Istio: weights in VirtualServices, and the pods of a DestinationRule's subsets. Source: traffic routing, section 3.

The user creates both kinds of objects. A subset moves to another version when its weight is observed to be 0. A weight
rises when its subset is observed to select that version. One pass writes the DestinationRule or the VirtualServices.
It writes both where the canary subset selected the stable version before: a proxy may receive the writes in any order,
and a request reaches pods that serve in either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from serinus.api.names import MANAGED_BY
from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.served_kind import located
from serinus.api.validation.findings import Finding, internal, invalid, required
from serinus.api.validation.routing_rules import Capabilities
from serinus.routing import istio_subsets
from serinus.routing.confirmations import confirmed
from serinus.routing.istio_config import (
    GROUP,
    RULE,
    SERVICE,
    IstioRouting,
    reference_name,
    services_of,
    sides_from,
    sides_of,
)
from serinus.routing.istio_managed_routes import managed_routes
from serinus.routing.istio_reports import REPORTS_WITHIN, unconfirmed
from serinus.routing.istio_routes import Sides, chosen, problems
from serinus.routing.istio_subset_moves import from_stable, of_another_host, subset_moves
from serinus.routing.istio_weights import beside_foreign, crowded, weighed
from serinus.routing.router import Notice, Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import edited, not_found

Json = dict[str, Any]


class Istio(Router[IstioRouting]):
    key = "istio"
    config = IstioRouting
    capabilities = Capabilities(header_routes=True, mirror_routes=True, ping_pong=True, experiments=True, verifies=True)
    kinds = (SERVICE, RULE)
    marked_kind = RULE
    permissions = ((GROUP, ("virtualservices", "destinationrules"), "get list watch patch"),)

    def needs_services(self, config: IstioRouting, canary: CanaryStrategy) -> bool:
        return config.destination_rule is None and canary.ping_pong is None

    def by_hash(self, config: IstioRouting) -> bool:
        return config.destination_rule is not None

    def validate(self, config: IstioRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if (config.virtual_service is None) == (not config.virtual_services):
            yield internal(path, "either VirtualService or VirtualServices must be configured")
            return
        for i, use in enumerate(config.uses):
            if not use.name:
                at = f"{config.field}[{i}]" if config.virtual_services else config.field
                yield required(f"{path}.{at}.name", "the name of a VirtualService")
        rule = config.destination_rule
        if rule is not None:
            names = ("name", rule.name), ("canarySubsetName", rule.canary_subset_name)
            for field, value in (*names, ("stableSubsetName", rule.stable_subset_name)):
                if not value:
                    yield required(f"{path}.destinationRule.{field}")
            if rule.canary_subset_name and rule.canary_subset_name == rule.stable_subset_name:
                text = "the canary and the stable version need two different subsets"
                yield invalid(f"{path}.destinationRule.canarySubsetName", rule.canary_subset_name, text)

    def references(self, rollout: Rollout, config: IstioRouting) -> tuple[Reference, ...]:
        own = rollout.metadata.namespace
        path = f"spec.strategy.canary.trafficRouting.istio.{config.field}.name"
        references = [Reference(SERVICE.key, reference_name(use.name, own), path) for use in config.uses if use.name]
        if config.destination_rule is not None:
            references.append(Reference(RULE.key, config.destination_rule.name))
        return tuple(references)

    def check(self, rollout: Rollout, config: IstioRouting, objects: Objects) -> Iterator[Finding]:
        canary = rollout.spec.strategy.canary
        assert canary is not None
        managed = [route.name for route in canary.traffic_routing.managed_routes] if canary.traffic_routing else []
        sides = sides_from(config, canary, *services_of(canary, rollout.status))
        path = f"spec.strategy.canary.trafficRouting.istio.{config.field}.name"
        for use in config.uses:
            name = reference_name(use.name, objects.namespace)
            seen = objects.get(SERVICE.key, name)
            for problem in problems(use, seen.get("spec"), managed, sides) if seen is not None else ():
                yield invalid(path, located(name, "")[1], problem)

    def route(self, config: IstioRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        refused = self._refused(config, traffic, objects)
        if refused is not None:
            return refused
        rule, moved, still = subset_moves(config, traffic, objects)
        if moved and (still or not from_stable(config, traffic, objects)):
            return RouteResult(
                moved, pending=f"the subsets of DestinationRule {rule} are to be seen before weights change"
            )
        if still:
            return RouteResult(pending=still)
        weights = tuple(weighed(config, traffic, objects))
        writes = (*moved, *_at_once(moved, weights))
        verified, why = confirmed(_reports(config, objects), writes)
        return RouteResult(
            writes,
            verified=verified,
            unverified=why,
            unverified_for=REPORTS_WITHIN,
            shared=beside_foreign(config, traffic, objects),
        )

    def release(self, config: IstioRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        """Moves all weights to the stable side, then removes the DestinationRule's hashes and annotation."""
        alone = traffic.all_stable()
        writes = tuple(weighed(config, alone, objects))
        rule = config.destination_rule
        seen = objects.get(RULE.key, rule.name) if rule else None
        if writes or rule is None or seen is None or istio_subsets.belongs_to(seen) != traffic.rollout:
            return RouteResult(writes)
        sides = sides_of(config, alone)
        because = "the Rollout leads the subsets no more: they select pods of every version again"
        return RouteResult(edited(RULE, rule.name, seen, lambda obj: istio_subsets.let_go(obj, sides), because))

    def unmark(self, name: str, seen: Json) -> tuple[Write, ...]:
        owner = istio_subsets.belongs_to(seen)
        sides = Sides("", "", "", "", (), owner, {}, frozenset())
        because = f"Rollout {owner} is gone or leads the subsets no more: they select pods of every version again"
        return edited(RULE, name, seen, lambda rule: istio_subsets.let_go(rule, sides), because)

    def _refused(self, config: IstioRouting, traffic: Traffic, objects: Objects) -> RouteResult | None:
        """The error that prevents the routing; None without one."""
        sides, rule = sides_of(config, traffic), config.destination_rule
        for use in config.uses:
            name = reference_name(use.name, objects.namespace)
            seen = objects.get(SERVICE.key, name)
            if seen is None:
                notice = Notice("VirtualServiceNotFound", f"VirtualService `{located(name, '')[1]}` not found")
                return RouteResult(error=not_found(SERVICE, name, objects), notices=(notice,))
            spec: Json = seen["spec"] if isinstance(seen.get("spec"), dict) else {}
            problem = next(problems(use, spec, traffic.managed, sides), "")
            problem = problem or crowded(chosen(use, spec, traffic.managed), sides)
            problem = problem or managed_routes(use, {**spec}, traffic.routes, traffic.managed, sides)
            if problem:
                return RouteResult(error=f"VirtualService {name}: {problem}")
        if rule is not None:
            seen = objects.get(RULE.key, rule.name)
            if seen is None:
                notice = Notice("DestinationRuleNotFound", f"DestinationRule `{rule.name}` not found")
                return RouteResult(error=not_found(RULE, rule.name, objects), notices=(notice,))
            other = istio_subsets.belongs_to(seen)
            if other not in ("", traffic.rollout):
                mark = f"annotation {MANAGED_BY}"
                text = f"DestinationRule {rule.name} is managed by Rollout {other} ({mark}): name another one, or remove the annotation"
                return RouteResult(error=text)
            lost = next(istio_subsets.missing(seen, sides), "")
            if foreign := of_another_host(config, traffic, objects, seen):
                return RouteResult(error=foreign)
            if lost:
                text = f"DestinationRule {rule.name}: spec.subsets has no subset {lost}: add it, with the labels of the pods"
                return RouteResult(error=text)
        return None


def _at_once(moved: tuple[Write, ...], weights: tuple[Write, ...]) -> tuple[Write, ...]:
    """The weights, of which the first is sent together with the move of the subsets, if there is one.

    The canary subset then comes from the stable version: requests reach pods that serve whichever write comes first.
    """
    if not moved or not weights:
        return weights
    return (structs.replace(weights[0], beside=f"{moved[-1].kind}/{moved[-1].name}"), *weights[1:])


ROUTER = Istio()


def _reports(config: IstioRouting, objects: Objects) -> Iterator[str | None]:
    """Of the VirtualServices and the DestinationRule: why they are not in force."""
    named = [(SERVICE, reference_name(use.name, objects.namespace)) for use in config.uses]
    for kind, name in [*named, *([(RULE, config.destination_rule.name)] if config.destination_rule else [])]:
        seen = objects.get(kind.key, name)
        yield unconfirmed(kind.kind, name, seen) if seen is not None else None
