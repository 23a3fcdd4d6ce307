"""The content of an Istio VirtualService: its routes for the Rollout, the side of each destination, and the weights.

`istio_managed_routes.py` has its header and mirror routes. Source: traffic routing, section 3. Functions that change an
object change the given copy. Content that does not have the form in Istio's documentation is skipped: no shape of an
object raises.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

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
        host, subset = text_at(to, "host").partition(".")[0], text_at(to, "subset")
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
    for destination in list_at(route, "route"):
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
    desired = share(route, sides, weight)
    destinations: list[Any] = []
    missing = dict(desired.trials)
    for destination in list_at(route, "route"):
        role, number = sides.role(destination), None
        if role == "past trial" and weight_of(destination, route) > 0:
            continue
        if role == "trial":
            name = host_of(destination).partition(".")[0]
            number = missing.pop(name, None)
        elif role in ("canary", "stable"):
            number = desired.canary if role == "canary" else desired.stable
        if number is not None and weight_of(destination, route) != number:
            destination["weight"] = number
        destinations.append(destination)
    domain = host_of(first_to(route, sides, "stable")).partition(".")[2]
    for name, number in missing.items():
        host = f"{name}.{domain}" if domain else name
        destinations.append({"destination": {"host": host}, "weight": number})
    if destinations != route.get("route"):
        route["route"] = destinations


def problems(use: VirtualServiceUse, spec: Any, managed: Collection[str], sides: Sides) -> Iterator[str]:
    """Why the VirtualService cannot have the weights, in Argo Rollouts' words."""
    if not any(routes_of(spec, protocol) for protocol in PROTOCOLS):
        yield "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"
    for protocol in PROTOCOLS:
        if problem := _problem(use, spec, protocol, managed, sides):
            yield f"Istio VirtualService has invalid {protocol.upper()} routes. Error: {problem}"


def chosen(use: VirtualServiceUse, spec: Any, managed: Collection[str]) -> list[Json]:
    """The routes that get weights, of all protocols. The first HTTP route is the model for those of `managed`."""
    return [route for protocol in PROTOCOLS for route in chosen_of(use, spec, protocol, managed)]


def weight_of(destination: Any, route: Json) -> int:
    """The weight of a destination. Without a weight, a single destination has 100, and one of several has 0."""
    weight = destination.get("weight") if isinstance(destination, dict) else None
    if weight is None:
        return 100 if len(list_at(route, "route")) == 1 else 0
    return int(weight) if isinstance(weight, (int, float)) else 0


def host_of(destination: Any) -> str:
    return text_at(destination.get("destination") if isinstance(destination, dict) else None, "host")


def foreign_hosts(route: Json, sides: Sides) -> dict[str, int]:
    """Host -> weight of the destinations that have a weight and are not the Rollout's."""
    weights: dict[str, int] = {}
    for destination in list_at(route, "route"):
        weight = weight_of(destination, route)
        if sides.role(destination) == "foreign" and weight > 0:
            weights[host_of(destination)] = weights.get(host_of(destination), 0) + weight
    return weights


def _part(weight: int, left: int) -> int:
    """The share `weight` of 100 of the rest `left`: at most `left`, and at least 1 for a weight above 0."""
    return min(left, max(1, weight * left // 100)) if weight > 0 else 0


def _problem(use: VirtualServiceUse, spec: Any, protocol: str, managed: Collection[str], sides: Sides) -> str:
    there = routes_of(spec, protocol)
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
    for route in chosen_of(use, spec, protocol, managed):
        roles = [sides.role(destination) for destination in list_at(route, "route")]
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


def chosen_of(use: VirtualServiceUse, spec: Any, protocol: str, managed: Collection[str]) -> list[Json]:
    """Those of one protocol."""
    there = routes_of(spec, protocol)
    if protocol == "http":
        if use.routes:
            by_name = (next((each for each in there if each.get("name") == name), None) for name in use.routes)
            return [route for route in by_name if route is not None]
        own = [route for route in there if route.get("name") not in managed]
        return own if len(own) == 1 else [route for route in own if not route.get("name")][:1]
    asked = use.tls_routes if protocol == "tls" else use.tcp_routes
    if not asked:
        return there[:1]
    matching = [route for each in asked for route in _matching(each, there, protocol)]
    return [route for i, route in enumerate(matching) if all(route is not before for before in matching[:i])]


def _matching(asked: TlsRoute | TcpRoute, there: list[Json], protocol: str) -> list[Json]:
    """Routes whose match blocks have exactly this port, and for TLS exactly these names."""
    matching: list[Json] = []
    for route in there:
        blocks = [block for block in list_at(route, "match") if isinstance(block, dict)]
        ports = {block.get("port", 0) for block in blocks if isinstance(block.get("port", 0), (int, float))} or {0}
        names = {name for block in blocks for name in list_at(block, "sniHosts") if isinstance(name, str)}
        same = not isinstance(asked, TlsRoute) or names == set(asked.sni_hosts)
        matching += [route] if ports == {asked.port} and same else []
    return matching


def first_to(route: Json, sides: Sides, role: Role) -> Any:
    """The first destination of a side; None without one."""
    return next((each for each in list_at(route, "route") if sides.role(each) == role), None)


def routes_of(spec: Any, protocol: str) -> list[Json]:
    """The routes of a protocol that are objects."""
    return [route for route in list_at(spec, protocol) if isinstance(route, dict)]


def list_at(value: Any, field: str) -> list[Any]:
    """The list in a field; empty for any other content."""
    items = value.get(field) if isinstance(value, dict) else None
    return items if isinstance(items, list) else []


def text_at(value: Any, field: str) -> str:
    """The text in a field; "" for any other content."""
    text = value.get(field) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
