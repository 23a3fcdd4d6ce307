"""Compares the state in force on the gateway of one machine with the desired traffic.

The controller reads the gateway (`controller/gateway_reader.py`) and passes its state as a value; this module makes no
calls. Source: traffic routing, section 10 (verification). It serves the routers whose objects Traefik reads on one machine, and
whose controllers report nothing: nginx and Traefik.
"""

from __future__ import annotations

from collections.abc import Sequence

from serinus.routing.router import Objects, Traffic, Write

STATE_WITHIN = 10.0
"""Seconds after which an update continues although the gateway does not confirm its weight."""


def in_force(traffic: Traffic, objects: Objects, writes: Sequence[Write]) -> tuple[bool | None, str]:
    """(`RouteResult.verified`, `RouteResult.unverified`). `writes`: of this pass to the objects that the gateway reads.

    With canary weight 0 there is no check: an old version keeps its pods for its delay. A gateway that splits no
    requests between both Services does not serve these Ingresses, and cannot confirm anything.
    """
    state = objects.gateway
    if state is None or not traffic.weight:
        return None, ""
    if state.error:
        return False, state.error
    canary, stable = traffic.canary_service, traffic.stable_service
    splits = [split for split in state.splits if canary in split and stable in split]
    for split in splits:
        # Others may have a share of the same split.
        both, whole = split[canary] + split[stable], traffic.weight + traffic.stable_weight
        if not both or split[canary] * whole != traffic.weight * both:
            desired, present = f"weight {traffic.weight} of {whole}", f"{split[canary]} of {both}"
            return False, f"Service {canary} is to have {desired}: the gateway has {present}"
    if writes:
        return False, f"{writes[0].kind} {writes[0].name} is being written"
    return (True, "") if splits else (None, "")


def other_servers(traffic: Traffic, objects: Objects) -> str:
    """Why the stable Service must not get all requests yet; "" if it may.

    After a promotion the canary Service has all requests, and the stable one moves to pods of the same version. Until
    the gateway has received that move, it would send requests to the replaced version, or to no pod. An abort or a
    rollback does not wait, because the stable Service has its pods.
    """
    state, promoted = objects.gateway, bool(traffic.stable_hash) and traffic.shared_hash == traffic.stable_hash
    if state is None or state.error or traffic.weight or not promoted or not traffic.stable_addresses:
        return ""
    servers = state.servers.get(traffic.stable_service)
    if servers is None:
        return ""
    if not servers:
        return f"the gateway has no pod of Service {traffic.stable_service} yet"
    if set(servers) <= set(traffic.stable_addresses):
        return ""
    return f"the gateway still has pods of another version for Service {traffic.stable_service}"
