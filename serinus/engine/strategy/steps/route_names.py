"""Names of header and mirror routes: each is one of `trafficRouting.managedRoutes`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from serinus.api.meta import Json
from serinus.api.validation.findings import Finding, invalid, required
from serinus.engine.core.step_kinds import StepPlace


def named(words: str, part: Any) -> str:
    """`words` and the name of the part."""
    name = cast(Json, part).get("name") if isinstance(part, dict) else None
    return f"{words} {name or ''}".rstrip()


def managed_route(field: str, name: str, place: StepPlace) -> Iterator[Finding]:
    """A route that `managedRoutes` does not name. Argo Rollouts would never remove it."""
    if place.routing is None:
        return
    if not place.routing.managed_routes:
        missing = "spec.strategy.canary.trafficRouting.managedRoutes"
        yield required("spec.strategy.trafficRouting.managedRoutes", f"Rollout has missing field '{missing}'")
    elif name not in place.managed:
        text = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"
        yield invalid(f"{place.path}.{field}", name, text)
