"""The annotations of an ALB Ingress: actions, conditions, and which Rollout owns which. Source: traffic routing, section 2."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from serinus.api.messages.cutting import shortened
from serinus.api.network import Ingress
from serinus.api.pods import go_json
from serinus.api.rollout import SetHeaderRoute
from serinus.routing.router import Traffic

Json = dict[str, Any]
Groups = list[tuple[str, int]]
"""(Service, weight) in the order of the action."""

OWNERS = "rollouts.argoproj.io/managed-alb-annotations"
"""Rollout -> the annotations that it owns, as JSON."""
PATH = "spec.strategy.canary.trafficRouting.alb"


class Stickiness(msgspec.Struct, rename="camel", omit_defaults=True):
    enabled: bool = False
    duration_seconds: int = 0


class AlbRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    ingress: str = ""
    ingresses: list[str] = []
    service_port: int = 0
    root_service: str = ""
    """The Service that the Ingress names; the stable Service if unset."""
    annotation_prefix: str = ""
    stickiness_config: Stickiness | None = None

    @property
    def prefix(self) -> str:
        """Prefix of the annotations that this load balancer controller reads."""
        return self.annotation_prefix or "alb.ingress.kubernetes.io"

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.ingresses)) if self.ingresses else (self.ingress,)


def owners_in(ingress: Ingress) -> Json | None:
    """Rollout -> its keys; None if the annotation cannot be parsed."""
    try:
        owners = json.loads(ingress.metadata.annotations.get(OWNERS) or "{}")
    except (ValueError, RecursionError):
        return None
    return owners if isinstance(owners, dict) else None


def keys_of(owners: Json, rollout: str) -> list[str]:
    """The annotations that the Rollout owns."""
    keys = owners.get(rollout)
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []


def unreadable_owners(ingress: Ingress) -> str:
    value = shortened(ingress.metadata.annotations[OWNERS], 200)
    return (
        f"annotation {OWNERS} of Ingress {ingress.metadata.name} must be a JSON object of lists, is {value}: remove it"
    )


def taken_by_another(ingress: Ingress, owners: Json, config: AlbRouting, traffic: Traffic) -> str:
    """The error for an action that another Rollout writes; "" without one.

    An action that leads to Services of this Rollout alone is no other's, whatever a Rollout that is gone left in OWNERS.
    """
    ours = {traffic.canary_service, traffic.stable_service, *(each.service_name for each in traffic.additional)}
    root = config.root_service or traffic.stable_service
    for name in (root, *(route.name for route in traffic.routes)):
        key = f"{config.prefix}/actions.{name}"
        owner = next((other for other in owners if other != traffic.rollout and key in keys_of(owners, other)), None)
        if owner is not None and not services_in(ingress.metadata.annotations.get(key)) <= ours:
            field = "rootService" if name == root else "managedRoutes"
            return (
                f"annotation {key} of Ingress {ingress.metadata.name} is managed by Rollout {owner} (annotation {OWNERS}): "
                f"set {PATH.removesuffix('.alb') if name != root else PATH}.{field} to another name, or remove the entry of {owner}"
            )
    return ""


def services_in(action: str | None) -> set[Any]:
    """The Services that an action forwards to. None in the set stands for content of any other form."""
    try:
        groups = json.loads(action or "{}").get("ForwardConfig", {}).get("TargetGroups", [])
        return {group.get("ServiceName") for group in groups}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {None}


def stale_annotations(
    ingress: Ingress, owners: Json, desired: dict[str, str | None], config: AlbRouting, traffic: Traffic
) -> tuple[dict[str, str | None], set[str]]:
    """(annotations, header routes to remove) for keys of the Rollout that are no longer wanted.

    A key with a condition belongs to a header route and is removed. Any other key belongs to a root Service, and paths
    may still use it. The load balancer controller refuses an Ingress with such a path and no action, so its action
    sends all requests to the stable Service.
    """
    mine = set(keys_of(owners, traffic.rollout))
    foreign = {key for rollout in owners if rollout != traffic.rollout for key in keys_of(owners, rollout)}
    managed = {f"{config.prefix}/{part}.{name}" for name in traffic.managed for part in ("actions", "conditions")}
    changes: dict[str, str | None] = {}
    gone: set[str] = set()
    for key in sorted((mine | (managed - foreign)) - set(desired)):
        prefix, condition, name = key.partition("/conditions.")
        if not condition:
            prefix, _, name = key.partition("/actions.")
        if condition or f"{prefix}/conditions.{name}" in mine or key in managed:
            changes[key] = None
            gone.add(name)
        elif key in ingress.metadata.annotations:
            changes[key] = action_of(config, [(traffic.stable_service, 100)])
    return changes, gone


def headers_of_others(owners: Json, rollout: str) -> frozenset[str]:
    """Names of the header routes of other Rollouts."""
    keys = [key for other in owners if other != rollout for key in keys_of(owners, other)]
    return frozenset(name for key in keys if (name := key.partition("/conditions.")[2]))


def action_of(config: AlbRouting, groups: Groups) -> str:
    """The value of an action, byte for byte as Argo Rollouts writes it."""
    port = str(config.service_port)
    forward: Json = {
        "TargetGroups": [{"ServiceName": name, "ServicePort": port, "Weight": weight} for name, weight in groups]
    }
    sticky = config.stickiness_config
    if sticky is not None and sticky.enabled:
        forward["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky.duration_seconds}
    return as_text({"Type": "forward", "ForwardConfig": forward})


def conditions_of(route: SetHeaderRoute) -> str:
    """Requires each header to have one of its values."""
    values: dict[str, list[str]] = {}
    for match in route.match:
        exact = match.header_value.exact if match.header_value else ""
        values.setdefault(match.header_name, []).append(exact)
    configs = [{"httpHeaderName": name, "values": several} for name, several in values.items()]
    return as_text([{"field": "http-header", "httpHeaderConfig": config} for config in configs])


def as_text(value: Any, *, ordered: bool = False) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=ordered)
    return text.translate(go_json.UNSAFE)
