"""Header and mirror routes (`setHeaderRoute`, `setMirrorRoute`) that exist at a step, and the roles of the Services.

The routes of a canary are those that its steps so far have set, and none once it is promoted, aborted or without a pod.
Source: traffic routing, section 10; canary strategy, sections 3 and 7.
"""

from __future__ import annotations

from serinus.api.rollout import (
    CanaryStep,
    CanaryStrategy,
    RolloutStatus,
    SetHeaderRoute,
    SetMirrorRoute,
    TrafficRouting,
)

Route = SetHeaderRoute | SetMirrorRoute


def set_by(steps: list[CanaryStep], routing: TrafficRouting) -> tuple[Route, ...]:
    """The routes after these steps, in the order of `managedRoutes`. A step without a match removes its route."""
    routes: dict[str, Route] = {}
    for step in steps:
        route = step.set_header_route or step.set_mirror_route
        if route is not None:
            routes.pop(route.name, None)
            if route.match:
                routes[route.name] = route
    order = [m.name for m in routing.managed_routes]
    return tuple(sorted(routes.values(), key=lambda r: order.index(r.name) if r.name in order else len(order)))


def managed(steps: list[CanaryStep], routing: TrafficRouting) -> tuple[str, ...]:
    """Names of all routes that the Rollout may have, and so may remove."""
    named = [r.name for step in steps if (r := step.set_header_route or step.set_mirror_route)]
    return tuple(dict.fromkeys([m.name for m in routing.managed_routes] + named))


def service_names(canary: CanaryStrategy, status: RolloutStatus) -> tuple[str, str]:
    """(canary Service, stable Service). With ping-pong they swap roles at each promotion; pong is stable at first."""
    pair = canary.ping_pong
    if pair is None:
        return canary.canary_service, canary.stable_service
    if status.canary.stable_ping_pong == "ping":
        return pair.pong_service, pair.ping_service
    return pair.ping_service, pair.pong_service
