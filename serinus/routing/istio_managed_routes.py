"""The header and mirror routes of an Istio VirtualService. Source: traffic routing, section 3.

Two Rollouts may have such routes in one VirtualService. Each keeps the places of the other's.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any

from serinus.api.pods.defaults import copied
from serinus.api.rollout import HeaderRoutingMatch, RouteMatch, SetHeaderRoute, SetMirrorRoute, StringMatch
from serinus.routing.istio_routes import (
    Role,
    Sides,
    VirtualServiceUse,
    chosen_of,
    first_to,
    host_of,
    list_at,
    routes_of,
    text_at,
    weight_of,
)
from serinus.routing.writes import in_places

Json = dict[str, Any]


def managed_routes(
    use: VirtualServiceUse,
    spec: Json,
    desired: tuple[SetHeaderRoute | SetMirrorRoute, ...],
    managed: Collection[str],
    sides: Sides,
) -> str:
    """Puts header and mirror routes first, in order, and removes others of `managed`. Returns a problem or "".

    It replaces `spec["http"]`, and leaves the list itself and its routes as they are.

    A route of such a name that leads to no destination of the Rollout belongs to others: it stays. Such routes of another
    Rollout keep their places among the first, whatever their names. Otherwise two Rollouts that both want the first
    place would write for ever.
    """
    if not isinstance(spec.get("http"), list):
        return "spec.http not found" if desired else ""
    models = chosen_of(use, spec, "http", managed)
    model = next(iter(models), None)
    if desired and model is None:
        return "spec.http has no route with the canary"
    own_routes = [_managed_route(each, model or {}, sides) for each in desired]
    named = [each for each in routes_of(spec, "http") if each.get("name") in managed]
    if not desired and not named:
        return ""
    others = [each for each in named if _of_others(each, models, sides)]
    for each in others:
        if each["name"] in [route.name for route in desired]:
            to = ", ".join(dict.fromkeys("/".join(filter(None, target)) for target in _targets(each)))
            return (
                f"route {each['name']} leads to {to}, and is not this Rollout's: give the header or mirror route another "
                "name in spec.strategy.canary.trafficRouting.managedRoutes and in its steps"
            )
    mine = [each for each in named if each not in others]
    first = list(
        itertools.takewhile(lambda each: each in mine or _is_managed_by_others(each, models, sides), spec["http"])
    )
    rest = [each for each in spec["http"][len(first) :] if each not in mine]
    routes = [*in_places(first, mine, own_routes), *rest]
    if routes != spec["http"]:
        spec["http"] = routes
    return ""


def leads_to(spec: Any, routes: list[Json], managed: Collection[str], sides: Sides, role: Role) -> bool:
    """Whether requests reach a side: by a weight in `routes`, or by an existing header or mirror route."""
    named = (
        each for each in routes_of(spec, "http") if each.get("name") in managed and not _of_others(each, routes, sides)
    )
    for route in [*routes, *named]:
        for destination in list_at(route, "route"):
            if sides.role(destination) == role and weight_of(destination, route) > 0:
                return True
        if "mirror" in route and sides.role({"destination": route["mirror"]}) == role:
            return True
    return False


def _of_others(route: Json, ours: list[Json], sides: Sides) -> bool:
    """Whether a header or mirror route leads only to targets to which none of the Rollout's routes `ours` leads."""
    known = (each for one in ours for each in list_at(one, "route") if sides.role(each) not in ("foreign", "reserved"))
    mine = {_target(each) for each in known}
    targets = _targets(route)
    return bool(mine and targets) and not mine & set(targets)


def _is_managed_by_others(route: Any, ours: list[Json], sides: Sides) -> bool:
    """Whether this has the form of another Rollout's header or mirror route."""
    if not isinstance(route, dict) or not route.get("name") or not _of_others(route, ours, sides):
        return False
    matches, destinations = list_at(route, "match"), list_at(route, "route")
    by_header = bool(matches) and all(isinstance(each, dict) and set(each) == {"headers"} for each in matches)
    return "mirror" in route or (by_header and len(destinations) == 1 and weight_of(destinations[0], route) == 100)


def _targets(route: Json) -> list[tuple[str, str]]:
    """(first part of the host, subset) of the destinations of a route."""
    return [_target(each) for each in list_at(route, "route") if host_of(each)]


def _target(destination: Any) -> tuple[str, str]:
    to = destination.get("destination") if isinstance(destination, dict) else None
    return host_of(destination).partition(".")[0], text_at(to, "subset")


def _managed_route(desired: SetHeaderRoute | SetMirrorRoute, model: Json, sides: Sides) -> Json:
    canary, first = first_to(model, sides, "canary"), next(iter(list_at(model, "route")), None)
    to: Json = {"host": host_of(canary) or sides.canary}
    port = first["destination"].get("port") if first is not None and host_of(first) else None
    if isinstance(port, dict) and port.get("number"):
        to["port"] = {"number": port["number"]}
    if sides.canary_subset:
        to["subset"] = sides.canary_subset
    if isinstance(desired, SetHeaderRoute):
        matches = [_header_match(match) for match in desired.match]
        return {"name": desired.name, "match": matches, "route": [{"weight": 100, "destination": to}]}
    return {
        "name": desired.name,
        "match": [_request_match(match) for match in desired.match],
        "route": copied(list_at(model, "route")),
        "mirror": to,
        "mirrorPercentage": {"value": 100 if desired.percentage is None else desired.percentage},
    }


def _header_match(match: HeaderRoutingMatch) -> Json:
    return {"headers": {match.header_name: _string_match(match.header_value)}}


def _request_match(match: RouteMatch) -> Json:
    parts: Json = {} if match.method is None else {"method": _string_match(match.method)}
    parts |= {} if match.path is None else {"uri": _string_match(match.path)}
    headers = {name: _string_match(value) for name, value in match.headers.items()}
    return parts | ({"headers": headers} if headers else {})


def _string_match(match: StringMatch | None) -> Json:
    ways = ("exact", "regex", "prefix")
    return {way: value for way in ways if match is not None and (value := getattr(match, way))}
