"""The header routes of a Gateway API route: a rule, with the name of the managed route, for each rule with the weights.

Source: traffic routing, section 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from serinus.api.pods.defaults import copied
from serinus.api.rollout import HeaderRoutingMatch, SetHeaderRoute
from serinus.routing.gateway_api_rules import backends, backends_to, list_of, of_others
from serinus.routing.router import Json, Traffic
from serinus.routing.writes import in_places

SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def header_routes(traffic: Traffic) -> list[SetHeaderRoute]:
    """Header routes in order of precedence. As in the plugin, a setMirrorRoute step changes nothing."""
    return [each for each in traffic.routes if isinstance(each, SetHeaderRoute)]


def lead_headers(spec: Json, rules: list[Json], traffic: Traffic, *, enabled: bool) -> None:
    """Puts the rules of header routes after the user's. At equal paths, more headers have precedence in any order.

    Rules of others at the end of the list keep their places. Otherwise two Rollouts that both want the last place would
    write for ever.
    """
    steps = [step.set_header_route for step in traffic.canary.steps if step.set_header_route]
    unnamed = [{**rule, "name": None} for step in steps for rule in _header_rules(step, rules, traffic)]
    ours = [rule for rule in spec["rules"] if _is_managed(rule, unnamed, traffic)]
    desired = [rule for each in header_routes(traffic) if enabled for rule in _header_rules(each, rules, traffic)]
    present = [next((rule for rule in ours if _alike(rule, each)), each) for each in desired]
    before = len(spec["rules"])
    while before and (spec["rules"][before - 1] in ours or of_others(spec["rules"][before - 1], traffic)):
        before -= 1
    user = [rule for rule in spec["rules"][:before] if rule not in ours]
    spec["rules"] = [*user, *in_places(spec["rules"][before:], ours, present, last=True)]


def another(rules: list[Any], traffic: Traffic) -> str:
    """The error for a header route whose name a rule of others has; "" without one."""
    names = {route.name for route in header_routes(traffic)}
    for rule in rules:
        name = rule.get("name") if isinstance(rule, dict) else None
        if isinstance(name, str) and name in names and (to := of_others(rule, traffic)):
            return (
                f"rule {name} leads to {', '.join(to)}, and is not this Rollout's: give the header route another name in "
                "spec.strategy.canary.trafficRouting.managedRoutes and in its steps"
            )
    return ""


def _is_managed(rule: Any, unnamed: list[Json], traffic: Traffic) -> bool:
    """Whether the rule is managed: by its name, or by its content if the route's definition has no rule names.

    A user's rule with the canary Service as its only backend stays, and so does a rule to the Services of others.
    """
    if not isinstance(rule, dict):
        return False
    name = rule.get("name")
    if of_others(rule, traffic):
        return False
    if not name:
        return any(_alike(rule, each) for each in unnamed)
    stem, _, number = str(name).rpartition("-")
    only_canary = {each.get("name") for each in backends(rule)} == {traffic.canary_service}
    return name in traffic.managed or (only_canary and number.isdecimal() and stem in traffic.managed)


def _alike(rule: Json, desired: Json) -> bool:
    """Whether both are equal, apart from a weight of 1 that the API server adds and a name that it may drop."""
    return _plain(rule) == _plain(desired) and (rule.get("name") or desired.get("name")) in (None, desired.get("name"))


def _plain(rule: Json) -> Json:
    refs = [{k: v for k, v in each.items() if (k, v) != ("weight", 1)} for each in backends(rule)]
    return {**{k: v for k, v in rule.items() if k != "name"}, "backendRefs": refs}


def _header_rules(step: SetHeaderRoute, rules: list[Json], traffic: Traffic) -> Iterator[Json]:
    headers = [header for match in step.match if (header := condition(match))]
    if not headers:
        return
    for number, rule in enumerate(rules):
        header_rule = copied(rule)
        canary = {
            k: v for k, v in backends_to(header_rule, traffic.canary_service, traffic)[0].items() if k != "weight"
        }
        header_rule["name"] = f"{step.name}-{number}" if number else step.name
        header_rule["backendRefs"] = [{"group": "", "kind": "Service", **canary}]
        matches = [each for each in list_of(header_rule.get("matches")) if isinstance(each, dict)]
        header_rule["matches"] = [
            {**each, "headers": [*list_of(each.get("headers")), *copied(headers)]} for each in matches or [{}]
        ]
        yield header_rule


def condition(match: HeaderRoutingMatch) -> Json | None:
    """The condition in the form of the route; None without a value."""
    value = match.header_value
    if value is None or not (value.exact or value.prefix or value.regex):
        return None
    if value.exact:
        return {"name": match.header_name, "type": "Exact", "value": value.exact}
    pattern = SPECIAL.sub(r"\\\1", value.prefix) + ".*" if value.prefix else value.regex
    return {"name": match.header_name, "type": "RegularExpression", "value": pattern}
