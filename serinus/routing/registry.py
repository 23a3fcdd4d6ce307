"""The routers there are, in the order in which they are asked. A new one is its file and a line here."""

from __future__ import annotations

from serinus.api.rollout import TrafficRouting
from serinus.routing.nginx import Nginx
from serinus.routing.router import Router

KINDS = ("istio", "nginx", "alb", "smi", "ambassador", "app_mesh", "traefik", "apisix")
"""Fields of `trafficRouting` that name a router."""

ROUTERS: tuple[Router, ...] = (Nginx(),)


def routers_of(routing: TrafficRouting | None) -> tuple[Router, ...]:
    """The routers that this part of a Rollout uses."""
    return tuple(r for r in ROUTERS if r.used(routing)) if routing else ()


def without_router(routing: TrafficRouting | None) -> list[str]:
    """What this part of a Rollout asks for that no router here does (its keys in `trafficRouting`)."""
    if routing is None:
        return []
    asked = [name for name in KINDS if getattr(routing, name) is not None]
    names = {"app_mesh": "appMesh"}
    known = {router.name for router in ROUTERS}
    return [names.get(a, a) for a in asked if a not in known] + [f"plugins.{name}" for name in routing.plugins]
