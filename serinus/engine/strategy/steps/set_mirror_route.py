"""`setMirrorRoute`: copies of certain requests go to the new version. Source: traffic routing, section 10."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.rollout import SetMirrorRoute
from serinus.api.validation.findings import Finding, invalid
from serinus.engine.core.step_kinds import StepKind, StepPlace, StepRun
from serinus.engine.strategy.steps.route_names import managed_route, named
from serinus.engine.strategy.steps.string_matches import one_of


class MirrorRoute(StepKind):
    field = "setMirrorRoute"

    def describe(self, part: SetMirrorRoute) -> str:
        return f"setMirrorRoute: {part.name}"

    def words(self, part: Any) -> str:
        return named("mirror requests", part)

    def validate(self, part: SetMirrorRoute, place: StepPlace) -> Iterator[Finding]:
        at = f"{place.path}.setMirrorRoute"
        if place.routing is None or not place.capabilities.mirror_routes:
            yield invalid(at, part, "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins")
        for j, match in enumerate(part.match):
            for text in (match.method, match.path, *match.headers.values()):
                if text is not None:
                    yield from one_of(f"{at}.match[{j}]", text)
        yield from managed_route(self.field, part.name, place)

    def complete(self, part: SetMirrorRoute, run: StepRun) -> bool:
        return True


KIND = MirrorRoute()
