"""The configuration of the Istio router, and how it names objects and destinations. Source: traffic routing, section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.names import ISTIO_GROUP
from serinus.api.rollout import CanaryStrategy, RolloutStatus, WeightDestination
from serinus.api.served_kind import ServedKind, name_from
from serinus.routing.istio_routes import Sides, VirtualServiceUse, chosen
from serinus.routing.router import Objects, Traffic

Json = dict[str, Any]
GROUP, VERSIONS = ISTIO_GROUP, ("v1", "v1beta1", "v1alpha3")
SERVICE = ServedKind(GROUP, "VirtualService", "virtualservices", VERSIONS)
RULE = ServedKind(GROUP, "DestinationRule", "destinationrules", VERSIONS)


class DestinationRuleUse(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    canary_subset_name: str = ""
    stable_subset_name: str = ""
    additional_subset_names: list[str] = []


class IstioRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    virtual_service: VirtualServiceUse | None = None
    virtual_services: list[VirtualServiceUse] = []
    destination_rule: DestinationRuleUse | None = None

    @property
    def uses(self) -> list[VirtualServiceUse]:
        return self.virtual_services or ([self.virtual_service] if self.virtual_service else [])

    @property
    def field(self) -> str:
        return "virtualServices" if self.virtual_services else "virtualService"


def reference_name(name: str, own: str) -> str:
    """Converts `web`, `web.NAMESPACE` or `web.NAMESPACE.svc.cluster.local` to the form of `Reference`."""
    short = name.removesuffix(".cluster.local")
    if short != name:
        short = short.removesuffix(".svc")
    first, dot, namespace = short.rpartition(".")
    return name_from(namespace, first, own) if dot and first else short


def sides_of(config: IstioRouting, traffic: Traffic) -> Sides:
    canary = traffic.canary
    named = canary.canary_service or canary.stable_service
    pair = (canary.canary_service, canary.stable_service) if named else (traffic.canary_service, traffic.stable_service)
    return sides_from(config, canary, *pair, rollout=traffic.rollout, additional=traffic.additional)


def sides_from(
    config: IstioRouting,
    canary: CanaryStrategy,
    canary_service: str,
    stable_service: str,
    *,
    rollout: str = "",
    additional: tuple[WeightDestination, ...] = (),
) -> Sides:
    rule = config.destination_rule or DestinationRuleUse()
    templates = (t for step in canary.steps if step.experiment for t in step.experiment.get("templates") or ())
    named = frozenset(str(t["service"]["name"]) for t in templates if (t.get("service") or {}).get("name"))
    return Sides(
        canary_service,
        stable_service,
        rule.canary_subset_name,
        rule.stable_subset_name,
        tuple(rule.additional_subset_names),
        rollout,
        {each.service_name: each.weight for each in additional},
        named,
    )


def services_of(canary: CanaryStrategy, status: RolloutStatus) -> tuple[str, str]:
    """(canary, stable). Ping and pong are used only if neither Service is set."""
    pair = canary.ping_pong
    if pair is None or canary.canary_service or canary.stable_service:
        return canary.canary_service, canary.stable_service
    if status.canary.stable_ping_pong == "ping":
        return pair.pong_service, pair.ping_service
    return pair.ping_service, pair.pong_service


def seen_routes(config: IstioRouting, traffic: Traffic, objects: Objects) -> Iterator[Json]:
    for use in config.uses:
        service = objects.get(SERVICE.key, reference_name(use.name, objects.namespace))
        yield from chosen(use, (service or {}).get("spec"), traffic.managed)
