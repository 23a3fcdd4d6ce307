"""Compares the weights in force at AWS with the desired weights. Source: traffic routing, section 2 (VerifyWeight).

The controller reads AWS (`controller/aws/read_back.py`) and passes the result as values; this module makes no calls. A
listener rule counts if it forwards to both the canary's and the stable target group. The rule of a header route has
only one of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.messages.counted import counted
from serinus.routing.router import Objects, ReadBack, Traffic

ASK_AGAIN = 10.0
"""Seconds between two reads of AWS."""


def unverified(names: tuple[str, ...], traffic: Traffic, objects: Objects) -> str | None:
    """Why the weights are not known to be in force; "" if they are. None if nothing is read back.

    With canary weight 0 there is no check: scale-down then uses the delays of a Rollout without read-back.
    """
    if objects.read_back is None or not traffic.weight:
        return None
    return next((why for name in names for why in _differences(name, traffic, objects)), "")


def unregistered(names: tuple[str, ...], traffic: Traffic, objects: Objects) -> str:
    """Why the stable Service must not get all requests yet; "" if it may.

    After a promotion the canary's target group has all requests, and pods of the same version are moving to the stable
    one. An abort or a rollback does not wait, because the stable Service has its pods.
    """
    promoted = bool(traffic.stable_hash) and traffic.shared_hash == traffic.stable_hash
    if objects.read_back is None or traffic.weight or not promoted:
        return ""
    for name in names:
        reading, why = _reading(name, objects)
        if reading is None:
            return why
        if reading.targets is None:
            return f"AWS was not asked yet which pods of Service {traffic.stable_service} it has registered"
        if traffic.stable_service not in reading.targets:
            continue  # targets of type instance are nodes
        there = reading.targets[traffic.stable_service]
        missing = [address for address in traffic.stable_addresses if address not in there]
        if missing:
            pods, known = len(traffic.stable_addresses), len(traffic.stable_addresses) - len(missing)
            return f"AWS has registered {known} of {counted(pods, 'ready pod')} of Service {traffic.stable_service} (Ingress {name})"
    return ""


def _reading(name: str, objects: Objects) -> tuple[ReadBack | None, str]:
    """(the reading of the current Ingress, why there is none)."""
    reading, ingress = (objects.read_back or {}).get(name), objects.ingresses.get(name)
    if reading is None or ingress is None or reading.version != ingress.metadata.resource_version:
        return None, f"AWS was not asked yet for the weights of Ingress {name}"
    if reading.error:
        return None, reading.error
    return reading, ""


def _differences(name: str, traffic: Traffic, objects: Objects) -> Iterator[str]:
    reading, why = _reading(name, objects)
    if reading is None:
        yield why
        return
    canary, stable = traffic.canary_service, traffic.stable_service
    rules = [rule for rule in reading.forwards if canary in rule and stable in rule]
    if not rules:
        yield (
            f"no listener rule of the load balancer of Ingress {name} forwards to both {stable} and {canary}: read the Events of "
            "the Ingress"
        )
    desired = {canary: traffic.weight, stable: traffic.stable_weight}
    desired |= {each.service_name: each.weight for each in traffic.additional}
    for rule in rules:
        for service, weight in desired.items():
            now = rule.get(service, 0)
            if now != weight:
                yield f"Service {service} of Ingress {name} is to have weight {weight}, and AWS has {now}"
