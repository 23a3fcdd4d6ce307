"""The moves of an Istio DestinationRule's subsets to another version. Source: traffic routing, section 3.

A subset moves when its weight is observed to be 0, so that no request changes its version on the way.
"""

from __future__ import annotations

from typing import Any

from serinus.routing import istio_subsets
from serinus.routing.istio_config import RULE, SERVICE, IstioRouting, reference_name, seen_routes, sides_of
from serinus.routing.istio_managed_routes import leads_to
from serinus.routing.istio_routes import chosen, host_of
from serinus.routing.router import Objects, Traffic, Write
from serinus.routing.writes import edited

Json = dict[str, Any]


def subset_moves(config: IstioRouting, traffic: Traffic, objects: Objects) -> tuple[str, tuple[Write, ...], str]:
    """(DestinationRule, its writes, why a weight must not rise although there are none)."""
    use, sides = config.destination_rule, sides_of(config, traffic)
    seen = objects.get(RULE.key, use.name) if use else None
    if use is None or seen is None:
        return "", (), ""
    hashes: dict[str, str] = {}
    waits = ""
    desired = (
        (sides.canary_subset, traffic.canary_hash, traffic.canary_ready, traffic.weight > 0),
        (sides.stable_subset, traffic.stable_hash, traffic.stable_ready, True),
    )
    for name, version, ready, is_its_share in desired:
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
    used = {host_of(d).partition(".")[0] for route in seen_routes(config, traffic, objects) for d in route["route"]}

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


def from_stable(config: IstioRouting, traffic: Traffic, objects: Objects) -> bool:
    """Whether the canary subset moves from the stable version, which serves, and nothing else of the DestinationRule changes."""
    use, sides = config.destination_rule, sides_of(config, traffic)
    rule = objects.get(RULE.key, use.name) if use else None
    if rule is None or not traffic.stable_ready or traffic.additional:
        return False
    of_trials = any(sides.is_trial(each["name"]) for each in istio_subsets.subsets(rule))
    selected = {istio_subsets.hash_in(rule, name) for name in (sides.canary_subset, sides.stable_subset)}
    return selected == {traffic.stable_hash} and not of_trials


def of_another_host(config: IstioRouting, traffic: Traffic, objects: Objects, rule: Json) -> str:
    """The error for subsets of another host than the DestinationRule's; "" without one.

    Two Rollouts whose DestinationRules have equal names of subsets would otherwise write the same route.
    """
    sides, host = sides_of(config, traffic), istio_subsets.host_of(rule)
    if not host or "*" in host:
        return ""
    for route in seen_routes(config, traffic, objects):
        for each in route["route"]:
            to = host_of(each)
            if sides.role(each) in ("canary", "stable") and to and to.partition(".")[0] != host.partition(".")[0]:
                where = f"route {route.get('name') or '(unnamed)'} of a VirtualService leads to subsets of host {to}"
                return f"{where}, and DestinationRule {rule['metadata']['name']}, spec.host, is of {host}: name the DestinationRule of {to}"
    return ""


def _has_share(config: IstioRouting, traffic: Traffic, objects: Objects, subset: str) -> bool:
    """Whether requests reach a subset, according to all observed VirtualServices."""
    sides = sides_of(config, traffic)
    role = "canary" if subset == sides.canary_subset else "stable"
    for use in config.uses:
        spec = (objects.get(SERVICE.key, reference_name(use.name, objects.namespace)) or {}).get("spec")
        if leads_to(spec, chosen(use, spec, traffic.managed), traffic.managed, sides, role):
            return True
    return False
