"""The content of an Istio VirtualService: its routes for the Rollout, the side of each destination, and the weights.

Source: traffic routing, section 3. Functions that change an object change the given copy. Content that does not have
the form in Istio's documentation is skipped: no shape of an object raises.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

from serinus.api.rollout import HeaderRoutingMatch, RouteMatch, SetHeaderRoute, SetMirrorRoute, StringMatch
from serinus.routing.writes import uneven

Json = dict[str, Any]
Role = Literal["canary", "stable", "trial", "past trial", "reserved", "foreign"]
PROTOCOLS = ("http", "tls", "tcp")
HOLDER = "spec.strategy.canary.trafficRouting.istio.virtualService"


class TlsRoute(msgspec.Struct, rename="camel", omit_defaults=True):
    port: int = 0
    sni_hosts: list[str] = []


class TcpRoute(msgspec.Struct, omit_defaults=True):
    port: int = 0


class VirtualServiceUse(msgspec.Struct, rename="camel", omit_defaults=True):
    """A VirtualService, and the selection of its routes that get weights."""

    name: str = ""
    routes: list[str] = []
    tls_routes: list[TlsRoute] = []
    tcp_routes: list[TcpRoute] = []


class Sides(NamedTuple):
    """Identifies the destinations of the canary and the stable version: by host, or by subset of a DestinationRule.

    `reserved`: subsets whose weight the user sets (`additionalSubsetNames`). `trials`: Service of an experiment -> its
    weight; `past_trials`: further names that the steps give to such Services.
    """

    canary: str
    stable: str
    canary_subset: str = ""
    stable_subset: str = ""
    reserved: tuple[str, ...] = ()
    rollout: str = ""
    trials: Mapping[str, int] = MappingProxyType({})
    past_trials: frozenset[str] = frozenset()

    def role(self, destination: Any) -> Role:
        """The role by subset, then by host, because both subsets may have the stable Service as host."""
        to = destination.get("destination") if isinstance(destination, dict) else None
        host, subset = _text(to, "host").partition(".")[0], _text(to, "subset")
        if self.canary_subset and subset:
            by_subset: dict[str, Role] = dict.fromkeys(self.reserved, "reserved")
            by_subset |= {self.stable_subset: "stable", self.canary_subset: "canary"}
            return by_subset.get(subset, "foreign")
        if host and host in (self.canary, self.stable):
            return "canary" if host == self.canary else "stable"
        if host in self.trials:
            return "trial"
        return "past trial" if self.is_trial(host) else "foreign"

    def is_trial(self, name: str) -> bool:
        """Whether an experiment step has the Service. Its default name is ROLLOUT-HASH-REVISION-STEP-TEMPLATE."""
        return name in self.past_trials or re.match(rf"{re.escape(self.rollout)}-[0-9a-z]+-\d+-\d+-.", name) is not None


class Share(NamedTuple):
    """The weights of one route. `foreign`: sum of the weights of destinations that are not the Rollout's, of 100."""

    canary: int
    stable: int
    trials: dict[str, int]
    foreign: int


def share(route: Json, sides: Sides, weight: int) -> Share:
    """The weights for a canary `weight` of 100. Foreign destinations keep theirs; the rest is divided."""
    held = {"foreign": 0, "reserved": 0}
    for destination in _list(route, "route"):
        role = sides.role(destination)
        if role in held:
            held[role] += max(0, weight_of(destination, route))
    left, stable = max(0, 100 - held["foreign"]), 100 - weight - sum(sides.trials.values())
    canary = _part(weight, left)
    trials = {name: _part(trial, left) for name, trial in sorted(sides.trials.items())}
    if stable <= 0:  # the canary gets the rounding remainder
        return Share(max(0, left - sum(trials.values())), 0, trials, held["foreign"])
    stable = max(0, left - canary - sum(trials.values()) - held["reserved"])
    return Share(canary, stable, trials, held["foreign"])


def divide(route: Json, sides: Sides, weight: int) -> None:
    """Writes the weights into a route. Removes destinations of past experiments and adds those of present ones."""
    wanted = share(route, sides, weight)
    destinations: list[Any] = []
    missing = dict(wanted.trials)
    for destination in _list(route, "route"):
        role, number = sides.role(destination), None
        if role == "past trial" and weight_of(destination, route) > 0:
            continue
        if role == "trial":
            name = host_of(destination).partition(".")[0]
            number = missing.pop(name, None)
        elif role in ("canary", "stable"):
            number = wanted.canary if role == "canary" else wanted.stable
        if number is not None and weight_of(destination, route) != number:
            destination["weight"] = number
        destinations.append(destination)
    domain = host_of(_first(route, sides, "stable")).partition(".")[2]
    for name, number in missing.items():
        host = f"{name}.{domain}" if domain else name
        destinations.append({"destination": {"host": host}, "weight": number})
    if destinations != route.get("route"):
        route["route"] = destinations


def leads_to(spec: Any, routes: list[Json], managed: Collection[str], sides: Sides, role: Role) -> bool:
    """Whether requests reach a side: by a weight in `routes`, or by an existing header or mirror route."""
    named = (
        each for each in _routes(spec, "http") if each.get("name") in managed and not _of_others(each, routes, sides)
    )
    for route in [*routes, *named]:
        for destination in _list(route, "route"):
            if sides.role(destination) == role and weight_of(destination, route) > 0:
                return True
        if "mirror" in route and sides.role({"destination": route["mirror"]}) == role:
            return True
    return False


def problems(use: VirtualServiceUse, spec: Any, managed: Collection[str], sides: Sides) -> Iterator[str]:
    """Why the VirtualService cannot have the weights, in Argo Rollouts' words."""
    if not any(_routes(spec, protocol) for protocol in PROTOCOLS):
        yield "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"
    for protocol in PROTOCOLS:
        if problem := _problem(use, spec, protocol, managed, sides):
            yield f"Istio VirtualService has invalid {protocol.upper()} routes. Error: {problem}"


def chosen(use: VirtualServiceUse, spec: Any, managed: Collection[str]) -> list[Json]:
    """The routes that get weights, of all protocols. The first HTTP route is the model for those of `managed`."""
    return [route for protocol in PROTOCOLS for route in _chosen(use, spec, protocol, managed)]


def managed_routes(
    use: VirtualServiceUse,
    spec: Json,
    wanted: tuple[SetHeaderRoute | SetMirrorRoute, ...],
    managed: Collection[str],
    sides: Sides,
) -> str:
    """Puts header and mirror routes first, in order, and removes others of `managed`. Returns a problem or "".

    A route of such a name that leads to no destination of the Rollout belongs to others: it stays.
    """
    if not isinstance(spec.get("http"), list):
        return "spec.http not found" if wanted else ""
    models = _chosen(use, spec, "http", managed)
    model = next(iter(models), None)
    if wanted and model is None:
        return "spec.http has no route with the canary"
    made = [_managed_route(each, model or {}, sides) for each in wanted]
    named = [each for each in _routes(spec, "http") if each.get("name") in managed]
    others = [each for each in named if _of_others(each, models, sides)]
    for each in others:
        if each["name"] in [route.name for route in wanted]:
            to = ", ".join(dict.fromkeys("/".join(filter(None, target)) for target in _targets(each)))
            return (
                f"route {each['name']} leads to {to}, and is not this Rollout's: give the header or mirror route another "
                "name in spec.strategy.canary.trafficRouting.managedRoutes and in its steps"
            )
    rest = [
        each for each in spec["http"] if each in others or not (isinstance(each, dict) and each.get("name") in managed)
    ]
    if made + rest != spec["http"]:
        spec["http"] = made + rest
    return ""


def _of_others(route: Json, ours: list[Json], sides: Sides) -> bool:
    """Whether a header or mirror route leads only to targets to which none of the Rollout's routes `ours` leads."""
    known = (each for one in ours for each in _list(one, "route") if sides.role(each) not in ("foreign", "reserved"))
    mine = {_target(each) for each in known}
    targets = _targets(route)
    return bool(mine and targets) and not mine & set(targets)


def _targets(route: Json) -> list[tuple[str, str]]:
    """(first part of the host, subset) of the destinations of a route."""
    return [_target(each) for each in _list(route, "route") if host_of(each)]


def _target(destination: Any) -> tuple[str, str]:
    to = destination.get("destination") if isinstance(destination, dict) else None
    return host_of(destination).partition(".")[0], _text(to, "subset")


def weight_of(destination: Any, route: Json) -> int:
    """The weight of a destination. Without a weight, a single destination has 100, and one of several has 0."""
    weight = destination.get("weight") if isinstance(destination, dict) else None
    if weight is None:
        return 100 if len(_list(route, "route")) == 1 else 0
    return int(weight) if isinstance(weight, (int, float)) else 0


def host_of(destination: Any) -> str:
    return _text(destination.get("destination") if isinstance(destination, dict) else None, "host")


def foreign_hosts(route: Json, sides: Sides) -> dict[str, int]:
    """Host -> weight of the destinations that have a weight and are not the Rollout's."""
    found: dict[str, int] = {}
    for destination in _list(route, "route"):
        weight = weight_of(destination, route)
        if sides.role(destination) == "foreign" and weight > 0:
            found[host_of(destination)] = found.get(host_of(destination), 0) + weight
    return found


def _part(weight: int, left: int) -> int:
    """The share `weight` of 100 of the rest `left`: at most `left`, and at least 1 for a weight above 0."""
    return min(left, max(1, weight * left // 100)) if weight > 0 else 0


def _problem(use: VirtualServiceUse, spec: Any, protocol: str, managed: Collection[str], sides: Sides) -> str:
    there = _routes(spec, protocol)
    if not there:
        return ""
    named = {"http": use.routes, "tls": use.tls_routes, "tcp": use.tcp_routes}[protocol]
    if protocol == "http":
        lost = next((name for name in use.routes if all(each.get("name") != name for each in there)), None)
        if lost is not None:
            return f"HTTP Route '{lost}' is not found in the defined Virtual Service."
    elif any(
        not _matching(each, there, protocol) for each in (use.tls_routes if protocol == "tls" else use.tcp_routes)
    ):
        return f"No matching {protocol.upper()} routes found in the defined Virtual Service."
    for route in _chosen(use, spec, protocol, managed):
        roles = [sides.role(destination) for destination in _list(route, "route")]
        what = ("Canary", sides.canary_subset or sides.canary), ("Stable", sides.stable_subset or sides.stable)
        for side, name in what:
            if side.lower() not in roles:
                kind = "DestinationRule subset" if sides.canary_subset else "Service"
                return f"{side} {kind} '{name}' not found in route"
        canary, stable = ((name, roles.count(side.lower())) for side, name in what)
        if several := uneven(canary, stable):
            return f"route {route.get('name') or '(unnamed)'}: {several}"
    own = [route for route in there if protocol != "http" or route.get("name") not in managed]
    if not named and len(own) > 1:
        field = "routes" if protocol == "http" else f"{protocol}Routes"
        return (
            f"spec.{protocol}[] should be set in VirtualService and it must have exactly one route when omitting "
            f"{HOLDER}.{field}"
        )
    return ""


def _chosen(use: VirtualServiceUse, spec: Any, protocol: str, managed: Collection[str]) -> list[Json]:
    there = _routes(spec, protocol)
    if protocol == "http":
        if use.routes:
            by_name = (next((each for each in there if each.get("name") == name), None) for name in use.routes)
            return [route for route in by_name if route is not None]
        own = [route for route in there if route.get("name") not in managed]
        return own if len(own) == 1 else [route for route in own if not route.get("name")][:1]
    asked = use.tls_routes if protocol == "tls" else use.tcp_routes
    if not asked:
        return there[:1]
    found = [route for each in asked for route in _matching(each, there, protocol)]
    return [route for i, route in enumerate(found) if all(route is not before for before in found[:i])]


def _matching(asked: TlsRoute | TcpRoute, there: list[Json], protocol: str) -> list[Json]:
    """Routes whose match blocks have exactly this port, and for TLS exactly these names."""
    found: list[Json] = []
    for route in there:
        blocks = [block for block in _list(route, "match") if isinstance(block, dict)]
        ports = {block.get("port", 0) for block in blocks if isinstance(block.get("port", 0), (int, float))} or {0}
        names = {name for block in blocks for name in _list(block, "sniHosts") if isinstance(name, str)}
        same = not isinstance(asked, TlsRoute) or names == set(asked.sni_hosts)
        found += [route] if ports == {asked.port} and same else []
    return found


def _managed_route(wanted: SetHeaderRoute | SetMirrorRoute, model: Json, sides: Sides) -> Json:
    canary, first = _first(model, sides, "canary"), next(iter(_list(model, "route")), None)
    to: Json = {"host": host_of(canary) or sides.canary}
    port = first["destination"].get("port") if first is not None and host_of(first) else None
    if isinstance(port, dict) and port.get("number"):
        to["port"] = {"number": port["number"]}
    if sides.canary_subset:
        to["subset"] = sides.canary_subset
    if isinstance(wanted, SetHeaderRoute):
        matches = [_header_match(match) for match in wanted.match]
        return {"name": wanted.name, "match": matches, "route": [{"weight": 100, "destination": to}]}
    return {
        "name": wanted.name,
        "match": [_request_match(match) for match in wanted.match],
        "route": copy.deepcopy(_list(model, "route")),
        "mirror": to,
        "mirrorPercentage": {"value": 100 if wanted.percentage is None else wanted.percentage},
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


def _first(route: Json, sides: Sides, role: Role) -> Any:
    return next((each for each in _list(route, "route") if sides.role(each) == role), None)


def _routes(spec: Any, protocol: str) -> list[Json]:
    return [route for route in _list(spec, protocol) if isinstance(route, dict)]


def _list(value: Any, field: str) -> list[Any]:
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _text(value: Any, field: str) -> str:
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
