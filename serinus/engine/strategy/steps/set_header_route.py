"""`setHeaderRoute`: requests with certain headers go to the new version. Source: traffic routing, section 10."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.rollout import SetHeaderRoute, StringMatch
from serinus.api.validation.findings import Finding, invalid
from serinus.engine.core.step_kinds import StepKind, StepPlace, StepRun
from serinus.engine.strategy.steps.route_names import managed_route, named
from serinus.engine.strategy.steps.string_matches import one_of


class HeaderRoute(StepKind):
    field = "setHeaderRoute"

    def describe(self, part: SetHeaderRoute) -> str:
        return f"setHeaderRoute: {part.name}"

    def words(self, part: Any) -> str:
        return named("route by header", part)

    def validate(self, part: SetHeaderRoute, place: StepPlace) -> Iterator[Finding]:
        at = f"{place.path}.setHeaderRoute"
        if place.routing is None or not place.capabilities.header_routes:
            yield invalid(at, part, "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix")
        else:
            check = _exact_only if place.capabilities.exact_headers_only else one_of
            for j, match in enumerate(part.match):
                yield from check(f"{at}.match[{j}]", match.header_value)
        yield from managed_route(self.field, part.name, place)

    def complete(self, part: SetHeaderRoute, run: StepRun) -> bool:
        return True


KIND = HeaderRoute()


def _exact_only(path: str, match: StringMatch | None) -> Iterator[Finding]:
    if match is None:
        yield from one_of(path, None)
    elif not match.exact or match.regex or match.prefix:
        yield invalid(path, match, "SetHeaderRoute match value invalid. ALB supports 'exact' value only")
