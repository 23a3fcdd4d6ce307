"""The AWS load balancer controller: annotations of an Ingress set the weights. Source: traffic routing, section 2.

The user's Ingress has a path to the root Service with the port `use-annotation`. Its annotation `actions.ROOT-SERVICE`
lists the Services and their weights. A header route has a separate path, action and condition. Several Rollouts may
share an Ingress: one annotation lists the keys of each (`alb_annotations.py`). `alb_verification.py` checks whether AWS
has the weight in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.network import Ingress
from serinus.api.resources import INGRESSES
from serinus.api.rollout import CanaryStrategy, Rollout, SetHeaderRoute
from serinus.api.validation.findings import Finding, invalid
from serinus.api.validation.routing_rules import Capabilities
from serinus.api.values.label_rules import label_key
from serinus.routing.alb_annotations import (
    OWNERS,
    PATH,
    AlbRouting,
    Groups,
    action_of,
    as_text,
    conditions_of,
    headers_of_others,
    keys_of,
    owners_in,
    stale_annotations,
    taken_by_another,
    unreadable_owners,
)
from serinus.routing.alb_verification import ASK_AGAIN, unregistered, unverified
from serinus.routing.ingress_rules import either, leads_to, patched, paths_of, service_of
from serinus.routing.router import Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import weight_reason

Json = dict[str, Any]
OLD_OWNERS = "rollouts.argoproj.io/managed-alb-actions"
"""The name of OWNERS in old versions of Argo Rollouts."""
REASON = "PatchingALBIngress"
USE_ANNOTATION = "use-annotation"
LONGEST = 604_800


class Alb(Router[AlbRouting]):
    key = "alb"
    config = AlbRouting
    capabilities = Capabilities(
        header_routes=True, exact_headers_only=True, ping_pong=True, experiments=True, verifies=True
    )
    kinds = (INGRESSES,)
    permissions = (("networking.k8s.io", ("ingresses",), "get list watch patch"),)

    def needs_services(self, config: AlbRouting, canary: CanaryStrategy) -> bool:
        return canary.ping_pong is None

    def validate(self, config: AlbRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        at = path.replace(".canary.", ".")  # path form of checks that need only the Rollout
        if canary.ping_pong and not config.root_service:
            text = "Root service field is required for the configuration with ALB and ping-pong feature enabled"
            yield invalid(f"{at}.rootService", "", text)
        yield from label_key(f"{at}.annotationPrefix", f"{config.prefix}/actions")
        yield from either(path, "Ingress or Ingresses", config.ingress, config.ingresses)

    def references(self, rollout: Rollout, config: AlbRouting) -> tuple[Reference, ...]:
        return tuple(Reference("Ingress", name, path) for path, name in _named(config))

    def check(self, rollout: Rollout, config: AlbRouting, objects: Objects) -> Iterator[Finding]:
        canary = rollout.spec.strategy.canary
        root = config.root_service or (canary.stable_service if canary else "")
        for path, name in _named(config):
            ingress = objects.ingresses.get(name)
            if ingress is not None and not leads_to(ingress, root):
                yield invalid(path, name, f"ingress `{name}` has no rules using service {root} backend")

    def route(self, config: AlbRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        sticky, root = config.stickiness_config, config.root_service or traffic.stable_service
        if sticky is not None and sticky.enabled and not 1 <= sticky.duration_seconds <= LONGEST:
            text = "TargetGroupStickinessConfig's duration must be between 1 and 604800 seconds (7 days)!"
            return RouteResult(error=f"{text} {PATH}.stickinessConfig.durationSeconds is {sticky.duration_seconds}")
        writes: list[Write] = []
        for name in config.names():
            ingress = objects.ingresses.get(name)
            if ingress is None:
                return RouteResult(error=f'ingress.networking.k8s.io "{name}" not found')
            if not leads_to(ingress, root):
                return RouteResult(error=f"ingress does not have service `{root}` in rules: Ingress {name}")
            owners = owners_in(ingress)
            if owners is None:
                return RouteResult(error=unreadable_owners(ingress))
            if taken := taken_by_another(ingress, owners, config, traffic):
                return RouteResult(error=taken)
            writes += _led(ingress, owners, config, traffic)
        if writes and (why := unregistered(config.names(), traffic, objects)):
            return RouteResult(pending=why, again_after=ASK_AGAIN)
        why = unverified(config.names(), traffic, objects)
        if writes and why is not None:
            why = why or "the weights are being written"
        return RouteResult(tuple(writes), verified=None if why is None else not why, unverified=why or "")

    def release(self, config: AlbRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        """Sends all traffic to the stable Service and removes the Rollout's keys."""
        ingresses = [objects.ingresses[name] for name in config.names() if name in objects.ingresses]
        return RouteResult(tuple(write for ingress in ingresses for write in _given_back(ingress, config, traffic)))


ROUTER = Alb()


def _named(config: AlbRouting) -> Iterator[tuple[str, str]]:
    """(field, name) of each Ingress."""
    if config.ingress:
        yield f"{PATH}.ingress", config.ingress
    for name in config.ingresses:
        yield f"{PATH}.ingresses", name


def _led(ingress: Ingress, owners: Json, config: AlbRouting, traffic: Traffic) -> list[Write]:
    """The missing changes of one Ingress."""
    root, prefix = config.root_service or traffic.stable_service, config.prefix
    routes = {route.name: route for route in traffic.routes if isinstance(route, SetHeaderRoute)}
    weights: Groups = [(traffic.canary_service, traffic.weight)]
    weights += [(each.service_name, each.weight) for each in traffic.additional]
    weights.append((traffic.stable_service, traffic.stable_weight))
    desired: dict[str, str | None] = {f"{prefix}/actions.{root}": action_of(config, weights)}
    for name, route in routes.items():
        desired[f"{prefix}/actions.{name}"] = action_of(config, [(traffic.canary_service, 100)])
        desired[f"{prefix}/conditions.{name}"] = conditions_of(route)
    mine = keys_of(owners, traffic.rollout)
    rest, gone = stale_annotations(ingress, owners, desired, config, traffic)
    gone -= {root, *routes}
    keys = [key for key in mine if key in desired] + [key for key in desired if key not in mine]
    desired |= rest
    desired[OWNERS] = as_text({**owners, traffic.rollout: keys}, ordered=True)
    rules = _rules(ingress, routes, gone, (*traffic.managed, *routes), headers_of_others(owners, traffic.rollout))
    return patched(
        ingress, desired, rules, REASON, *_telling(ingress, desired, f"{prefix}/actions.{root}", list(routes), traffic)
    )


def _given_back(ingress: Ingress, config: AlbRouting, traffic: Traffic) -> list[Write]:
    owners = owners_in(ingress)
    root = f"{config.prefix}/actions.{config.root_service or traffic.stable_service}"
    if owners is None:  # the owners are unknown: use the names in this Rollout
        mine = [root] if root in ingress.metadata.annotations else []
        owners = {traffic.rollout: mine}
        left: dict[str, str | None] = {}
    else:
        others = {rollout: keys for rollout, keys in owners.items() if rollout != traffic.rollout}
        left = {OWNERS: as_text(others, ordered=True) if others else None}
        if traffic.rollout not in owners:
            return []
    desired, gone = stale_annotations(ingress, owners, {}, config, traffic)
    desired |= left | {OLD_OWNERS: None}
    rules = _rules(ingress, {}, gone, (), frozenset())
    name = ingress.metadata.name
    because = f"{traffic.rollout} leads the Ingress no more: all traffic goes to {traffic.stable_service}"
    return patched(ingress, desired, rules, REASON, because, f"Updating Ingress `{name}` to desiredWeight '0'")


def _rules(
    ingress: Ingress,
    routes: dict[str, SetHeaderRoute],
    gone: set[str],
    order: tuple[str, ...],
    others: frozenset[str],
) -> list[Json]:
    """The rules with a path for each header route, before all other paths."""
    missing = [name for name in routes if not leads_to(ingress, name)]
    headers = {*routes, *others}
    rank = {name: place for place, name in reversed(list(enumerate(order)))}
    rules: list[Json] = []
    for rule in ingress.spec.rules:
        before = paths_of(rule)
        paths = [path for path in before if not (_by_annotation(path) and service_of(path) in gone)] or before
        if paths and routes:
            paths = [_path(name) for name in missing] + paths
            paths.sort(key=lambda path: service_of(path) not in headers)
        # Header routes of other Rollouts keep their places. Otherwise two Rollouts that both want the first place would
        # write forever.
        own = iter(sorted((p for p in paths if service_of(p) in routes), key=lambda p: rank[service_of(p) or ""]))
        paths = [next(own) if service_of(path) in routes else path for path in paths]
        rules.append(rule if paths == before else {**rule, "http": {**rule["http"], "paths": paths}})
    return rules


def _path(name: str) -> Json:
    service: Json = {"name": name, "port": {"name": USE_ANNOTATION}}
    return {"path": "/*", "pathType": "ImplementationSpecific", "backend": {"service": service}}


def _by_annotation(path: Json) -> bool:
    """Whether an annotation decides where the path leads."""
    service: Json = (path.get("backend") or {}).get("service") or {}
    return (service.get("port") or {}).get("name") == USE_ANNOTATION


def _telling(
    ingress: Ingress, desired: dict[str, str | None], root: str, routes: list[str], traffic: Traffic
) -> tuple[str, str]:
    """(reason, the Event's message) of a change. A weight has precedence over a route."""
    start, notes = f"Updating Ingress `{ingress.metadata.name}`", ingress.metadata.annotations
    changed = {key for key, value in desired.items() if notes.get(key) != value}
    route = next((r for r in routes if any(k.endswith((f"/actions.{r}", f"/conditions.{r}")) for k in changed)), "")
    if root not in changed and route:
        return f"header route {route} leads to the canary", f"{start} to headerRoute '{route}'"
    if root not in changed and any(desired[key] is None for key in changed):
        return "the Rollout has these header routes no more", f"{start} removing managed routes"
    return weight_reason(traffic), f"{start} to desiredWeight '{traffic.weight}'"
