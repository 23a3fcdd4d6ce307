"""The nginx Ingress controller, and every gateway that supports its canary annotations.

For each stable Ingress the router maintains a canary Ingress. Its rules lead to the canary Service, and its annotations
have the weight. Source: traffic routing, section 1. The canary Ingress is never deleted before the Rollout: it stays at
weight 0. The router keeps its foreign annotations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.meta import ObjectMeta
from serinus.api.network import Ingress
from serinus.api.resources import INGRESSES
from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.validation.findings import Finding, invalid
from serinus.api.validation.metadata import annotation_findings
from serinus.api.validation.routing_rules import Capabilities
from serinus.api.values.label_rules import label_key
from serinus.routing.gateway_state import STATE_WITHIN, in_force, other_servers
from serinus.routing.ingress_rules import either, leads_to, paths_of, service_of
from serinus.routing.router import Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import weight_reason

Json = dict[str, Any]
CLASS = "kubernetes.io/ingress.class"
NAME_LIMIT = 246


class NginxRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    annotation_prefix: str = ""
    stable_ingress: str = ""
    additional_ingress_annotations: dict[str, str] = {}
    stable_ingresses: list[str] = []
    canary_ingress_annotations: dict[str, str] = {}

    @property
    def prefix(self) -> str:
        """Prefix of the annotations that this Ingress controller reads."""
        return self.annotation_prefix or "nginx.ingress.kubernetes.io"

    def prefixed(self, key: str) -> str:
        """The annotation for a key of `additionalIngressAnnotations`."""
        return key if key.startswith(self.prefix) else f"{self.prefix}/{key}"


def canary_ingress_name(rollout: str, stable_ingress: str) -> str:
    return f"{rollout}-{stable_ingress}"[:NAME_LIMIT] + "-canary"


def stable_ingresses(nginx: NginxRouting) -> tuple[str, ...]:
    return tuple(nginx.stable_ingresses) if nginx.stable_ingresses else (nginx.stable_ingress,)


class Nginx(Router[NginxRouting]):
    key = "nginx"
    config = NginxRouting
    capabilities = Capabilities(max_weight=True, reads_gateway=True)
    kinds = (INGRESSES,)
    permissions = (("networking.k8s.io", ("ingresses",), "get list watch create patch"),)

    def validate(self, config: NginxRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        at = path.replace(".canary.", ".")  # path form of checks that need only the Rollout
        wrong = list(label_key(f"{at}.annotationPrefix", config.prefixed("canary")))
        yield from wrong
        if not wrong:
            given = {config.prefixed(key): value for key, value in config.additional_ingress_annotations.items()}
            yield from annotation_findings(f"{at}.additionalIngressAnnotations", given)
        yield from annotation_findings(f"{at}.canaryIngressAnnotations", config.canary_ingress_annotations)
        yield from either(path, "StableIngress or StableIngresses", config.stable_ingress, config.stable_ingresses)

    def references(self, rollout: Rollout, config: NginxRouting) -> tuple[Reference, ...]:
        references: list[Reference] = []
        for path, stable in named_ingresses(f"{PATH}.nginx", config):
            references.append(Reference("Ingress", stable, path))
            references.append(Reference("Ingress", canary_ingress_name(rollout.metadata.name, stable), made=True))
        return tuple(references)

    def check(self, rollout: Rollout, config: NginxRouting, objects: Objects) -> Iterator[Finding]:
        canary = rollout.spec.strategy.canary
        service = canary.stable_service if canary else ""
        for path, name in named_ingresses(f"{PATH}.nginx", config):
            ingress = objects.ingresses.get(name)
            if ingress is not None and not leads_to(ingress, service):
                yield invalid(path, name, f"ingress `{name}` has no rules using service {service} backend")

    def route(self, config: NginxRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        writes: list[Write] = []
        for name in stable_ingresses(config):
            stable = objects.ingresses.get(name)
            if stable is None:
                return RouteResult(
                    error=f'error retrieving stableIngress `{name}` from cache: ingress.networking.k8s.io "{name}" not found'
                )
            spec = canary_spec(stable, traffic)
            if spec is None:
                return RouteResult(
                    error=f"ingress `{name}` has no rules using service {traffic.stable_service} backend"
                )
            canary_name = canary_ingress_name(traffic.rollout, name)
            canary_ingress = objects.ingresses.get(canary_name)
            desired = wanted_annotations(stable.metadata, traffic, config)
            if canary_ingress is None:
                write = _create(canary_name, desired, spec, traffic)
            elif _controlled(canary_ingress.metadata, traffic.uid) or _orphan(canary_ingress, spec, config):
                write = _patch(canary_ingress, desired, spec, traffic)
            else:
                return RouteResult(error=_another(canary_ingress))
            if write:
                writes.append(write)
        if writes and (why := other_servers(traffic, objects)):
            return RouteResult(pending=why, again_after=STATE_WITHIN)
        verified, why = in_force(traffic, objects, writes)
        return RouteResult(tuple(writes), verified=verified, unverified=why, unverified_for=STATE_WITHIN)


PATH = "spec.strategy.canary.trafficRouting"
ROUTER = Nginx()


def named_ingresses(path: str, config: NginxRouting) -> Iterator[tuple[str, str]]:
    """(field, name) of each stable Ingress."""
    if config.stable_ingress:
        yield f"{path}.stableIngress", config.stable_ingress
    for name in config.stable_ingresses:
        yield f"{path}.stableIngresses", name


def wanted_annotations(stable: ObjectMeta, traffic: Traffic, nginx: NginxRouting) -> dict[str, str]:
    """Annotations that the canary Ingress must have; later rows win."""
    prefix = nginx.prefix
    desired = {CLASS: stable.annotations[CLASS]} if CLASS in stable.annotations else {}
    for key, value in nginx.additional_ingress_annotations.items():
        desired[nginx.prefixed(key)] = value
    desired |= nginx.canary_ingress_annotations
    desired[f"{prefix}/canary"] = "true"
    desired[f"{prefix}/canary-weight"] = str(traffic.weight)
    if traffic.canary.traffic_routing and traffic.canary.traffic_routing.max_traffic_weight is not None:
        desired[f"{prefix}/canary-weight-total"] = str(traffic.max_weight)
    return desired


def canary_spec(stable: Ingress, traffic: Traffic) -> Json | None:
    """The stable rules to the stable Service, redirected to the canary Service; None without any."""
    rules = [rule for each in stable.spec.rules if (rule := _to_canary(each, traffic)) is not None]
    if not rules:
        return None
    spec: Json = {"rules": rules}
    if stable.spec.ingress_class_name is not None:
        spec["ingressClassName"] = stable.spec.ingress_class_name
    if stable.spec.tls:
        spec["tls"] = stable.spec.tls
    return spec


def _to_canary(rule: Json, traffic: Traffic) -> Json | None:
    """The rule with the canary Service in place of the stable one; None if no path of it leads there."""
    stable, canary, paths = traffic.stable_service, traffic.canary_service, list(paths_of(rule))
    leads = False
    for i, path in enumerate(paths):
        if service_of(path) == stable:
            backend, leads = path["backend"], True
            paths[i] = {**path, "backend": {**backend, "service": {**backend["service"], "name": canary}}}
    return {**rule, "http": {**rule["http"], "paths": paths}} if leads else None


def _controlled(meta: ObjectMeta, uid: str) -> bool:
    owner = meta.controller()
    return owner is not None and owner.uid == uid


def _orphan(ingress: Ingress, spec: Json, nginx: NginxRouting) -> bool:
    """Whether `kubectl delete --cascade=orphan` left this Ingress: it has no controller and our rules."""
    canary = ingress.metadata.annotations.get(f"{nginx.prefix}/canary") == "true"
    return canary and ingress.metadata.controller() is None and ingress.spec.rules == spec["rules"]


def _another(ingress: Ingress) -> str:
    name, owner = ingress.metadata.name, ingress.metadata.controller()
    whose = f"which {owner.kind} {owner.name} controls" if owner else "which no Rollout made"
    return (
        f"canary ingress `{name}` controlled by different object: Ingress {name}, {whose}, has the name of the Ingress "
        "that this Rollout needs; delete it, or give the Rollout another name"
    )


def _create(name: str, desired: dict[str, str], spec: Json, traffic: Traffic) -> Write:
    body: Json = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "namespace": traffic.namespace,
            "annotations": desired,
            "ownerReferences": [traffic.owner],
        },
        "spec": spec,
    }
    return Write(
        "create",
        "Ingress",
        name,
        body,
        f"the canary needs an Ingress of its own to get {traffic.weight} of {traffic.max_weight}",
        "CreatingCanaryIngress",
        f"Creating canary ingress `{name}` with weight `{traffic.weight}`",
    )


def _patch(ingress: Ingress, desired: dict[str, str], spec: Json, traffic: Traffic) -> Write | None:
    patch: Json = {}
    changed = {k: v for k, v in desired.items() if ingress.metadata.annotations.get(k) != v}
    if changed:
        patch["metadata"] = {"annotations": changed}
    if not _controlled(ingress.metadata, traffic.uid):
        owners = [msgspec.to_builtins(owner) for owner in ingress.metadata.owner_references]
        patch["metadata"] = {**patch.get("metadata", {}), "ownerReferences": [*owners, traffic.owner]}
    live: Json = {"rules": ingress.spec.rules}
    if ingress.spec.ingress_class_name is not None:
        live["ingressClassName"] = ingress.spec.ingress_class_name
    if ingress.spec.tls:
        live["tls"] = ingress.spec.tls
    if live != spec:
        patch["spec"] = {k: spec.get(k) for k in ("rules", "ingressClassName", "tls") if live.get(k) != spec.get(k)}
    if not patch:
        return None
    name = ingress.metadata.name
    return Write(
        "patch",
        "Ingress",
        name,
        patch,
        weight_reason(traffic),
        "PatchingCanaryIngress",
        f"Updating Ingress `{name}` to desiredWeight '{traffic.weight}'",
        uid=ingress.metadata.uid,
        resource_version=ingress.metadata.resource_version,
    )
