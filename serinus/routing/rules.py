"""Validation of a Rollout's traffic routing (`serinus/api/validation/rollout.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from serinus.api.derived import once
from serinus.api.resources import BY_KIND
from serinus.api.rollout import Rollout, RolloutSpec, TrafficRouting
from serinus.api.served_kind import located, unserved
from serinus.api.validation.findings import Finding, invalid
from serinus.api.validation.routing_rules import Capabilities, Lookup
from serinus.routing import registry
from serinus.routing.router import ANY, Objects, Reference


class Rules:
    """Implements `RoutingRules`. `engine/strategy/spec_rules.py` adds the rules of steps."""

    def capabilities(self, routing: TrafficRouting) -> Capabilities:
        every = [_capabilities(key) for key in registry.asked(routing)]
        return reduce(Capabilities.joined, every, Capabilities())

    def needs_services(self, spec: RolloutSpec) -> bool:
        canary = spec.strategy.canary
        if canary is None:
            return False
        return any(used.router.needs_services(used.config, canary) for used in registry.routers_of(spec))

    def findings(self, spec: RolloutSpec) -> Iterator[Finding]:
        canary = spec.strategy.canary
        yield from registry.unreadable(spec)
        if canary is None:
            return
        for used in registry.routers_of(spec):
            yield from used.router.validate(used.config, canary, used.path)

    def unknown(self, routing: TrafficRouting) -> Iterator[Finding]:
        for name in registry.without_router(routing):
            path = f"{registry.PATH}.{name}"
            lacks = f"this version of Serinus has no such router, and leaves the Rollout as it is; it has {registry.known()}"
            yield Finding(path, f"{path}: {lacks}")

    def absent(self, rollout: Rollout, lookup: Lookup) -> Iterator[Finding]:
        if lookup.unreadable:
            yield from _unreadable(rollout, lookup)
        for ref in registry.references(rollout):
            if ref.path and not _exists(ref, lookup):
                yield invalid(ref.path, _own_name(ref), _absence(ref, lookup), missing=(ref.kind, ref.name))

    def read(self, rollout: Rollout, lookup: Lookup) -> tuple[object, ...]:
        ingresses, others = lookup.ingresses or {}, lookup.others or {}
        objects: list[object] = []
        for ref, key in once(rollout.spec, "router reads", lambda: _reads(rollout)):
            if not key:
                objects += [obj for each, obj in sorted(others.items()) if each.startswith(f"{ref.kind}/")]
            elif ref.kind == "Ingress":
                objects.append(ingresses.get(ref.name))
            else:
                objects.append(others.get(key))
        return tuple(objects)

    def unfit(self, rollout: Rollout, lookup: Lookup) -> Iterator[Finding]:
        objects = Objects(
            rollout.metadata.namespace, dict(lookup.ingresses or {}), dict(lookup.others or {}), dict(lookup.served)
        )
        for used in registry.routers_of(rollout.spec):
            yield from used.router.check(rollout, used.config, objects)


def _reads(rollout: Rollout) -> tuple[tuple[Reference, str], ...]:
    """Each reference with the key of its object; "" for all objects of its kind."""
    every = registry.references(rollout)
    return tuple((ref, "" if _is_any(ref) else f"{ref.kind}/{ref.name}") for ref in every)


def _unreadable(rollout: Rollout, lookup: Lookup) -> Iterator[Finding]:
    for used in registry.routers_of(rollout.spec):
        for ref in used.references(rollout):
            if trouble := lookup.unreadable.get(ref.kind):
                yield invalid(ref.path or used.path, _own_name(ref), trouble)


def _is_any(ref: Reference) -> bool:
    return ref.name == ANY or ref.name.endswith(f"/{ANY}")


def _capabilities(key: str) -> Capabilities:
    router = registry.routers().get(key)
    return router.capabilities if router else Capabilities.all()


def _exists(ref: Reference, lookup: Lookup) -> bool:
    """Whether the object exists. An object that was not looked up counts as existing."""
    if _is_any(ref):
        return True
    if ref.kind == "Ingress":
        return lookup.ingresses is None or ref.name in lookup.ingresses
    return lookup.others is None or f"{ref.kind}/{ref.name}" in lookup.others


def _own_name(ref: Reference) -> str:
    return located(ref.name, "")[1]


def _absence(ref: Reference, lookup: Lookup) -> str:
    kind = registry.kinds().get(ref.kind)
    if kind is None:
        singular = BY_KIND[ref.kind].singular
        return f'{singular}.{BY_KIND[ref.kind].group} "{_own_name(ref)}" not found'
    if lookup.served.get(ref.kind) == "":
        return unserved(kind)
    return f'{kind.group_resource} "{_own_name(ref)}" not found'
