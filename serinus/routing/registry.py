"""The routers there are, in the order in which they are asked. A new one is its file and a line here."""

from __future__ import annotations

from serinus.api.rollout import TrafficRouting
from serinus.routing.nginx import Nginx
from serinus.routing.router import Router

ROUTERS: tuple[Router, ...] = (Nginx(),)


def routers_of(routing: TrafficRouting | None) -> tuple[Router, ...]:
    """The routers that this part of a Rollout uses."""
    return tuple(r for r in ROUTERS if r.used(routing)) if routing else ()
