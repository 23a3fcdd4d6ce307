"""Istio: weights in VirtualServices, and the pods of a DestinationRule's subsets. Source: traffic routing, section 3.

The user creates both kinds of objects. A subset moves to another version when its weight is observed to be 0. A weight
rises when its subset is observed to select that version. One pass writes the DestinationRule or the VirtualServices.
It writes both where the canary subset selected the stable version before: a proxy may receive the writes in any order,
and a request reaches pods that serve in either.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.api.names import ISTIO_GROUP, MANAGED_BY
from serinus.api.rollout import CanaryStrategy, Rollout, RolloutStatus, SetHeaderRoute, WeightDestination
from serinus.api.served_kind import ServedKind, located, name_from
from serinus.api.validation.findings import Finding, internal, invalid, required
from serinus.api.validation.routing_rules import Capabilities
from serinus.routing import istio_subsets
from serinus.routing.confirmations import confirmed
from serinus.routing.istio_reports import REPORTS_WITHIN, unconfirmed
from serinus.routing.istio_routes import (
    Sides,
    VirtualServiceUse,
    chosen,
    divide,
    foreign_hosts,
    host_of,
    leads_to,
    managed_routes,
    problems,
    share,
)
from serinus.routing.router import Notice, Objects, Reference, Router, RouteResult, Traffic, Write
from serinus.routing.writes import beside_others, edited, not_found, weight_reason

Json = dict[str, Any]
GROUP, VERSIONS = ISTIO_GROUP, ("v1", "v1beta1", "v1alpha3")
SERVICE = ServedKind(GROUP, "VirtualService", "virtualservices", VERSIONS)
RULE = ServedKind(GROUP, "DestinationRule", "destinationrules", VERSIONS)


class DestinationRuleUse(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str = ""
    canary_subset_name: str = ""
    stable_subset_name: str = ""
    additional_subset_names: list[str] = []


class IstioRouting(msgspec.Struct, rename="camel", omit_defaults=True):
    virtual_service: VirtualServiceUse | None = None
    virtual_services: list[VirtualServiceUse] = []
    destination_rule: DestinationRuleUse | None = None

    @property
    def uses(self) -> list[VirtualServiceUse]:
        return self.virtual_services or ([self.virtual_service] if self.virtual_service else [])

    @property
    def field(self) -> str:
        return "virtualServices" if self.virtual_services else "virtualService"


class Istio(Router[IstioRouting]):
    key = "istio"
    config = IstioRouting
    capabilities = Capabilities(header_routes=True, mirror_routes=True, ping_pong=True, experiments=True, verifies=True)
    kinds = (SERVICE, RULE)
    marked_kind = RULE
    permissions = ((GROUP, ("virtualservices", "destinationrules"), "get list watch patch"),)

    def needs_services(self, config: IstioRouting, canary: CanaryStrategy) -> bool:
        return config.destination_rule is None and canary.ping_pong is None

    def by_hash(self, config: IstioRouting) -> bool:
        return config.destination_rule is not None

    def validate(self, config: IstioRouting, canary: CanaryStrategy, path: str) -> Iterator[Finding]:
        if (config.virtual_service is None) == (not config.virtual_services):
            yield internal(path, "either VirtualService or VirtualServices must be configured")
            return
        for i, use in enumerate(config.uses):
            if not use.name:
                at = f"{config.field}[{i}]" if config.virtual_services else config.field
                yield required(f"{path}.{at}.name", "the name of a VirtualService")
        rule = config.destination_rule
        if rule is not None:
            names = ("name", rule.name), ("canarySubsetName", rule.canary_subset_name)
            for field, value in (*names, ("stableSubsetName", rule.stable_subset_name)):
                if not value:
                    yield required(f"{path}.destinationRule.{field}")
            if rule.canary_subset_name and rule.canary_subset_name == rule.stable_subset_name:
                text = "the canary and the stable version need two different subsets"
                yield invalid(f"{path}.destinationRule.canarySubsetName", rule.canary_subset_name, text)

    def references(self, rollout: Rollout, config: IstioRouting) -> tuple[Reference, ...]:
        own = rollout.metadata.namespace
        path = f"spec.strategy.canary.trafficRouting.istio.{config.field}.name"
        found = [Reference(SERVICE.key, _reference_name(use.name, own), path) for use in config.uses if use.name]
        if config.destination_rule is not None:
            found.append(Reference(RULE.key, config.destination_rule.name))
        return tuple(found)

    def check(self, rollout: Rollout, config: IstioRouting, objects: Objects) -> Iterator[Finding]:
        canary = rollout.spec.strategy.canary
        assert canary is not None
        managed = [route.name for route in canary.traffic_routing.managed_routes] if canary.traffic_routing else []
        sides = _sides(config, canary, *_services(canary, rollout.status))
        path = f"spec.strategy.canary.trafficRouting.istio.{config.field}.name"
        for use in config.uses:
            name = _reference_name(use.name, objects.namespace)
            seen = objects.get(SERVICE.key, name)
            for problem in problems(use, seen.get("spec"), managed, sides) if seen is not None else ():
                yield invalid(path, located(name, "")[1], problem)

    def route(self, config: IstioRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        refused = self._refused(config, traffic, objects)
        if refused is not None:
            return refused
        rule, moved, still = _moved(config, traffic, objects)
        if moved and (still or not _from_stable(config, traffic, objects)):
            return RouteResult(
                moved, pending=f"the subsets of DestinationRule {rule} are to be seen before weights change"
            )
        if still:
            return RouteResult(pending=still)
        writes = (*moved, *_weighed(config, traffic, objects))
        verified, why = confirmed(_reports(config, objects), writes)
        shared = _shared(config, traffic, objects)
        return RouteResult(writes, verified=verified, unverified=why, unverified_for=REPORTS_WITHIN, shared=shared)

    def release(self, config: IstioRouting, traffic: Traffic, objects: Objects) -> RouteResult:
        """Moves all weights to the stable side, then removes the DestinationRule's hashes and annotation."""
        alone = traffic.all_stable()
        writes = tuple(_weighed(config, alone, objects))
        rule = config.destination_rule
        seen = objects.get(RULE.key, rule.name) if rule else None
        if writes or rule is None or seen is None or istio_subsets.belongs_to(seen) != traffic.rollout:
            return RouteResult(writes)
        sides = _of(config, alone)
        because = "the Rollout leads the subsets no more: they select pods of every version again"
        return RouteResult(edited(RULE, rule.name, seen, lambda found: istio_subsets.let_go(found, sides), because))

    def unmark(self, name: str, seen: Json) -> tuple[Write, ...]:
        owner = istio_subsets.belongs_to(seen)
        sides = Sides("", "", "", "", (), owner, {}, frozenset())
        because = f"Rollout {owner} is gone or leads the subsets no more: they select pods of every version again"
        return edited(RULE, name, seen, lambda rule: istio_subsets.let_go(rule, sides), because)

    def _refused(self, config: IstioRouting, traffic: Traffic, objects: Objects) -> RouteResult | None:
        """The error that prevents the routing; None without one."""
        sides, rule = _of(config, traffic), config.destination_rule
        for use in config.uses:
            name = _reference_name(use.name, objects.namespace)
            seen = objects.get(SERVICE.key, name)
            if seen is None:
                notice = Notice("VirtualServiceNotFound", f"VirtualService `{located(name, '')[1]}` not found")
                return RouteResult(error=not_found(SERVICE, name, objects), notices=(notice,))
            spec: Json = seen["spec"] if isinstance(seen.get("spec"), dict) else {}
            problem = next(problems(use, spec, traffic.managed, sides), "")
            problem = problem or _crowded(chosen(use, spec, traffic.managed), sides)
            problem = problem or managed_routes(use, copy.deepcopy(spec), traffic.routes, traffic.managed, sides)
            if problem:
                return RouteResult(error=f"VirtualService {name}: {problem}")
        if rule is not None:
            seen = objects.get(RULE.key, rule.name)
            if seen is None:
                notice = Notice("DestinationRuleNotFound", f"DestinationRule `{rule.name}` not found")
                return RouteResult(error=not_found(RULE, rule.name, objects), notices=(notice,))
            other = istio_subsets.belongs_to(seen)
            if other not in ("", traffic.rollout):
                mark = f"annotation {MANAGED_BY}"
                text = f"DestinationRule {rule.name} is managed by Rollout {other} ({mark}): name another one, or remove the annotation"
                return RouteResult(error=text)
            lost = next(istio_subsets.missing(seen, sides), "")
            if foreign := _of_another_host(config, traffic, objects, seen):
                return RouteResult(error=foreign)
            if lost:
                text = f"DestinationRule {rule.name}: spec.subsets has no subset {lost}: add it, with the labels of the pods"
                return RouteResult(error=text)
        return None


ROUTER = Istio()


def _moved(config: IstioRouting, traffic: Traffic, objects: Objects) -> tuple[str, tuple[Write, ...], str]:
    """(DestinationRule, its writes, why a weight must not rise although there are none)."""
    use, sides = config.destination_rule, _of(config, traffic)
    seen = objects.get(RULE.key, use.name) if use else None
    if use is None or seen is None:
        return "", (), ""
    hashes: dict[str, str] = {}
    waits = ""
    wanted = (
        (sides.canary_subset, traffic.canary_hash, traffic.canary_ready, traffic.weight > 0),
        (sides.stable_subset, traffic.stable_hash, traffic.stable_ready, True),
    )
    for name, version, ready, is_its_share in wanted:
        now = istio_subsets.hash_in(seen, name)
        # A weight for this version moves with the subset: another client changed the hash, or the version was promoted.
        free = is_its_share or not _has_share(config, traffic, objects, name)
        if not version or now == version or (ready and free):
            hashes[name] = version or now
        else:
            hashes[name] = now
            if name == sides.stable_subset or traffic.weight:
                waits = f"subset {name} of DestinationRule {use.name} moves to {version} when that has ready pods"
    hashes = {name: version for name, version in hashes.items() if version}
    used = {host_of(d).partition(".")[0] for route in _seen_routes(config, traffic, objects) for d in route["route"]}

    def led(rule: Json) -> None:
        istio_subsets.lead(rule, hashes, traffic.rollout)
        istio_subsets.with_trials(rule, sides, traffic.additional, used)

    by_name = (hashes.get(name, "") for name in (sides.canary_subset, sides.stable_subset))
    canary, stable = by_name
    text = f"(%s: {canary}, %s: {stable})" % (sides.canary_subset, sides.stable_subset)
    message = f"DestinationRule {use.name} subset updated {text}"
    because = f"the subsets are to select the pods of {canary or 'every version'} and {stable or 'every version'}"
    done = edited(RULE, use.name, seen, led, because, reason="UpdatedDestinationRule", message=message)
    return use.name, done, waits


def _from_stable(config: IstioRouting, traffic: Traffic, objects: Objects) -> bool:
    """Whether the canary subset moves from the stable version, which serves, and nothing else of the DestinationRule changes."""
    use, sides = config.destination_rule, _of(config, traffic)
    seen = objects.get(RULE.key, use.name) if use else None
    if seen is None or not traffic.stable_ready or traffic.additional:
        return False
    of_trials = any(sides.is_trial(each["name"]) for each in istio_subsets.subsets(seen))
    selected = {istio_subsets.hash_in(seen, name) for name in (sides.canary_subset, sides.stable_subset)}
    return selected == {traffic.stable_hash} and not of_trials


def _weighed(config: IstioRouting, traffic: Traffic, objects: Objects) -> Iterator[Write]:
    """Writes the weights and the header and mirror routes of the VirtualServices. It skips missing or invalid ones."""
    sides = _of(config, traffic)
    specs: dict[str, Json] = {}
    told: dict[str, list[str]] = {}
    for use in config.uses:
        name = _reference_name(use.name, objects.namespace)
        seen = objects.get(SERVICE.key, name)
        if seen is None or any(problems(use, seen.get("spec"), traffic.managed, sides)):
            continue
        spec = specs.setdefault(name, copy.deepcopy(seen["spec"]))
        before = copy.deepcopy(spec)
        routes = chosen(use, spec, traffic.managed)
        for route in routes:
            divide(route, sides, traffic.weight)
        weights_changed = spec != before
        managed_routes(use, spec, traffic.routes, traffic.managed, sides)
        texts = told.setdefault(name, [])
        texts += [f"set to desiredWeight '{traffic.weight}'{_left(routes, sides, traffic)}"] if weights_changed else []
        texts += _told_routes(before, spec, traffic)
    for name, spec in specs.items():
        seen = objects.get(SERVICE.key, name)
        assert seen is not None
        message = f"VirtualService `{located(name, '')[1]}` " + "; ".join(dict.fromkeys(told[name]))
        because = weight_reason(traffic)

        def replaced(found: Json, spec: Json = spec) -> None:
            found["spec"] = spec

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


def _shared(config: IstioRouting, traffic: Traffic, objects: Objects) -> str:
    """The first route with destinations of others that have a weight."""
    sides = _of(config, traffic)
    for use in config.uses:
        name = _reference_name(use.name, objects.namespace)
        for route in chosen(use, (objects.get(SERVICE.key, name) or {}).get("spec"), traffic.managed):
            part = share(route, sides, traffic.weight)
            others = foreign_hosts(route, sides)
            if others:
                where = f"route {route.get('name') or '(unnamed)'} of VirtualService {name}"
                return beside_others(where, others, (part.canary, part.stable), sum(part.trials.values()))
    return ""


def _crowded(routes: list[Json], sides: Sides) -> str:
    for route in routes:
        if share(route, sides, 0).foreign >= 100:
            hosts = ", ".join(foreign_hosts(route, sides))
            return f"route {route.get('name') or '(unnamed)'} gives all of 100 to {hosts}: leave a part to the Rollout"
    return ""


def _of_another_host(config: IstioRouting, traffic: Traffic, objects: Objects, rule: Json) -> str:
    """The error for subsets of another host than the DestinationRule's; "" without one.

    Two Rollouts whose DestinationRules have equal names of subsets would otherwise write the same route.
    """
    sides, host = _of(config, traffic), istio_subsets.host_of(rule)
    if not host or "*" in host:
        return ""
    for route in _seen_routes(config, traffic, objects):
        for each in route["route"]:
            to = host_of(each)
            if sides.role(each) in ("canary", "stable") and to and to.partition(".")[0] != host.partition(".")[0]:
                where = f"route {route.get('name') or '(unnamed)'} of a VirtualService leads to subsets of host {to}"
                return f"{where}, and DestinationRule {rule['metadata']['name']}, spec.host, is of {host}: name the DestinationRule of {to}"
    return ""


def _seen_routes(config: IstioRouting, traffic: Traffic, objects: Objects) -> Iterator[Json]:
    for use in config.uses:
        seen = objects.get(SERVICE.key, _reference_name(use.name, objects.namespace))
        yield from chosen(use, (seen or {}).get("spec"), traffic.managed)


def _reports(config: IstioRouting, objects: Objects) -> Iterator[str | None]:
    """Of the VirtualServices and the DestinationRule: why they are not in force."""
    named = [(SERVICE, _reference_name(use.name, objects.namespace)) for use in config.uses]
    for kind, name in [*named, *([(RULE, config.destination_rule.name)] if config.destination_rule else [])]:
        seen = objects.get(kind.key, name)
        yield unconfirmed(kind.kind, name, seen) if seen is not None else None


def _has_share(config: IstioRouting, traffic: Traffic, objects: Objects, subset: str) -> bool:
    """Whether requests reach a subset, according to all observed VirtualServices."""
    sides = _of(config, traffic)
    role = "canary" if subset == sides.canary_subset else "stable"
    for use in config.uses:
        spec = (objects.get(SERVICE.key, _reference_name(use.name, objects.namespace)) or {}).get("spec")
        if leads_to(spec, chosen(use, spec, traffic.managed), traffic.managed, sides, role):
            return True
    return False


def _of(config: IstioRouting, traffic: Traffic) -> Sides:
    canary = traffic.canary
    named = canary.canary_service or canary.stable_service
    pair = (canary.canary_service, canary.stable_service) if named else (traffic.canary_service, traffic.stable_service)
    return _sides(config, canary, *pair, rollout=traffic.rollout, additional=traffic.additional)


def _sides(
    config: IstioRouting,
    canary: CanaryStrategy,
    canary_service: str,
    stable_service: str,
    *,
    rollout: str = "",
    additional: tuple[WeightDestination, ...] = (),
) -> Sides:
    rule = config.destination_rule or DestinationRuleUse()
    templates = (t for step in canary.steps if step.experiment for t in step.experiment.get("templates") or ())
    named = frozenset(str(t["service"]["name"]) for t in templates if (t.get("service") or {}).get("name"))
    return Sides(
        canary_service,
        stable_service,
        rule.canary_subset_name,
        rule.stable_subset_name,
        tuple(rule.additional_subset_names),
        rollout,
        {each.service_name: each.weight for each in additional},
        named,
    )


def _services(canary: CanaryStrategy, status: RolloutStatus) -> tuple[str, str]:
    """(canary, stable). Ping and pong are used only if neither Service is set."""
    pair = canary.ping_pong
    if pair is None or canary.canary_service or canary.stable_service:
        return canary.canary_service, canary.stable_service
    if status.canary.stable_ping_pong == "ping":
        return pair.pong_service, pair.ping_service
    return pair.ping_service, pair.pong_service


def _reference_name(name: str, own: str) -> str:
    """Converts `web`, `web.NAMESPACE` or `web.NAMESPACE.svc.cluster.local` to the form of `Reference`."""
    short = name.removesuffix(".cluster.local")
    if short != name:
        short = short.removesuffix(".svc")
    first, dot, namespace = short.rpartition(".")
    return name_from(namespace, first, own) if dot and first else short
