"""The writes of an Istio VirtualService: weights, header and mirror routes. Source: traffic routing, section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.pods.defaults import copied
from serinus.api.rollout import SetHeaderRoute
from serinus.api.served_kind import located
from serinus.routing.istio_config import SERVICE, IstioRouting, reference_name, sides_of
from serinus.routing.istio_managed_routes import managed_routes
from serinus.routing.istio_routes import Sides, chosen, divide, foreign_hosts, problems, share
from serinus.routing.router import Objects, Traffic, Write
from serinus.routing.writes import beside_others, edited, weight_reason

Json = dict[str, Any]


def weighed(config: IstioRouting, traffic: Traffic, objects: Objects) -> Iterator[Write]:
    """Writes the weights and the header and mirror routes of the VirtualServices. It skips missing or invalid ones."""
    sides = sides_of(config, traffic)
    specs: dict[str, Json] = {}
    told: dict[str, list[str]] = {}
    for use in config.uses:
        name = reference_name(use.name, objects.namespace)
        seen = objects.get(SERVICE.key, name)
        if seen is None or any(problems(use, seen.get("spec"), traffic.managed, sides)):
            continue
        before = copied(specs[name]) if name in specs else seen["spec"]
        spec = specs.setdefault(name, copied(before))
        routes = chosen(use, spec, traffic.managed)
        for route in routes:
            divide(route, sides, traffic.weight)
        weights_changed = spec != before
        managed_routes(use, spec, traffic.routes, traffic.managed, sides)
        texts = told.setdefault(name, [])
        texts += [f"set to desiredWeight '{traffic.weight}'{_left(routes, sides, traffic)}"] if weights_changed else []
        texts += _told_routes(before, spec, traffic) if spec != before else ()
    for name, spec in specs.items():
        seen = objects.get(SERVICE.key, name)
        assert seen is not None
        if spec == seen["spec"]:
            continue
        message = f"VirtualService `{located(name, '')[1]}` " + "; ".join(dict.fromkeys(told[name]))
        because = weight_reason(traffic)

        def replaced(service: Json, spec: Json = spec) -> None:
            service["spec"] = spec

        yield from edited(SERVICE, name, seen, replaced, because, reason="Updated VirtualService", message=message)


def _told_routes(before: Json, after: Json, traffic: Traffic) -> Iterator[str]:
    """Argo Rollouts' words for header and mirror routes that are added, changed or removed."""
    was, now = ({r.get("name"): r for r in s.get("http") or () if isinstance(r, dict)} for s in (before, after))
    for route in traffic.routes:
        kind = "headerRoute" if isinstance(route, SetHeaderRoute) else "mirrorRoute"
        if _lead(was.get(route.name)) != _lead(now.get(route.name)):
            yield f"set {kind} '{route.name}'"
    gone = [name for name in traffic.managed if name in was and name not in now]
    if gone:
        yield f"removed route {', '.join(gone)}" if traffic.routes else "removed all managed routes."


def _lead(route: Json | None) -> Json:
    """A managed route without the weights, which follow those of the route that it copies."""
    return {} if route is None else {k: v for k, v in route.items() if k != "route" or "mirror" not in route}


def _left(routes: list[Json], sides: Sides, traffic: Traffic) -> str:
    """The message about destinations that are not the Rollout's and have a weight."""
    for route in routes:
        each = share(route, sides, traffic.weight)
        if each.foreign:
            hosts = ", ".join(foreign_hosts(route, sides))
            return f": {hosts} keeps {each.foreign} of 100, so the canary gets {each.canary} and the stable version {each.stable}"
    return ""


def beside_foreign(config: IstioRouting, traffic: Traffic, objects: Objects) -> str:
    """The first route with destinations of others that have a weight."""
    sides = sides_of(config, traffic)
    for use in config.uses:
        name = reference_name(use.name, objects.namespace)
        for route in chosen(use, (objects.get(SERVICE.key, name) or {}).get("spec"), traffic.managed):
            part = share(route, sides, traffic.weight)
            others = foreign_hosts(route, sides)
            if others:
                where = f"route {route.get('name') or '(unnamed)'} of VirtualService {name}"
                return beside_others(where, others, (part.canary, part.stable), sum(part.trials.values()))
    return ""


def crowded(routes: list[Json], sides: Sides) -> str:
    for route in routes:
        if share(route, sides, 0).foreign >= 100:
            hosts = ", ".join(foreign_hosts(route, sides))
            return f"route {route.get('name') or '(unnamed)'} gives all of 100 to {hosts}: leave a part to the Rollout"
    return ""
