"""The available routers: every module of this folder that has a `ROUTER`. No list names them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

import msgspec

import serinus.routing
from serinus.api.decoding.reading import converted
from serinus.api.derived import once
from serinus.api.rollout import Rollout, RolloutSpec, TrafficRouting
from serinus.api.served_kind import ServedKind
from serinus.api.validation.findings import Finding
from serinus.routing.router import Objects, Reference, Router, RouteResult, Rule, Traffic

FIELDS = {
    "istio": "istio",
    "nginx": "nginx",
    "alb": "alb",
    "smi": "smi",
    "ambassador": "ambassador",
    "appMesh": "app_mesh",
    "traefik": "traefik",
    "apisix": "apisix",
}
"""Fields of `trafficRouting` that name a router, in the order in which routers run; plugins follow."""

PATH = "spec.strategy.canary.trafficRouting"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")


class Used(msgspec.Struct, frozen=True):
    """A router with its configuration in a Rollout."""

    router: Router[Any]
    config: Any
    path: str

    def references(self, rollout: Rollout) -> tuple[Reference, ...]:
        return tuple(ref for ref in self.router.references(rollout, self.config) if ref.name)

    def route(self, traffic: Traffic, objects: Objects) -> RouteResult:
        return self.router.route(self.config, traffic, objects)


@cache
def routers() -> dict[str, Router[Any]]:
    """Key -> router, in the order in which they run."""
    known: list[Router[Any]] = []
    for module in pkgutil.iter_modules(serinus.routing.__path__):
        router = getattr(importlib.import_module(f"serinus.routing.{module.name}"), "ROUTER", None)
        known += [router] if router is not None else []
    order = list(FIELDS)
    known.sort(key=lambda r: (order.index(r.key) if r.key in FIELDS else len(order), r.key))
    return {router.key: router for router in known}


def asked(routing: TrafficRouting | None) -> dict[str, Any]:
    """Key of a router -> its part of `trafficRouting`, for each key in it, whether the router exists or not."""
    if routing is None:
        return {}
    own = {key: part for key, field in FIELDS.items() if (part := getattr(routing, field)) is not None}
    return own | routing.plugins


def path_of(key: str) -> str:
    """The field of a Rollout that names the router."""
    return f"{PATH}.{key}" if key in FIELDS else f"{PATH}.plugins.{key}"


def routers_of(spec: RolloutSpec) -> tuple[Used, ...]:
    """The routers that a Rollout uses, with their parsed configurations."""
    return _parsed(spec)[0]


def by_hash(spec: RolloutSpec) -> bool:
    """Whether a router of the Rollout selects pods by the hash of their version."""
    return once(spec, "routers by hash", lambda: any(u.router.by_hash(u.config) for u in routers_of(spec)))


def unreadable(spec: RolloutSpec) -> tuple[Finding, ...]:
    """Parts of `trafficRouting` that do not have the router's types."""
    return _parsed(spec)[1]


def _parsed(spec: RolloutSpec) -> tuple[tuple[Used, ...], tuple[Finding, ...]]:
    return once(spec, "routers", lambda: _parse(spec.strategy.canary.traffic_routing if spec.strategy.canary else None))


def _parse(routing: TrafficRouting | None) -> tuple[tuple[Used, ...], tuple[Finding, ...]]:
    used: list[Used] = []
    wrong: list[Finding] = []
    parts = asked(routing)
    for key, router in routers().items():
        if key not in parts:
            continue
        try:
            used.append(Used(router, converted(parts[key] or {}, router.config), path_of(key)))
        except msgspec.ValidationError as error:
            problem, _, where = str(error).partition(" - at `$.")
            path = f"{path_of(key)}.{where.rstrip('`')}" if where else path_of(key)
            wrong.append(Finding(path, f"{path}: {problem}"))
    return tuple(used), tuple(wrong)


def references(rollout: Rollout) -> tuple[Reference, ...]:
    """Every object that the routers of a Rollout read or write."""

    def named() -> tuple[Reference, ...]:
        return tuple(ref for used in routers_of(rollout.spec) for ref in used.references(rollout))

    return once(rollout.spec, "router references", named)


def without_router(routing: TrafficRouting | None) -> list[str]:
    """The keys in `trafficRouting` for which no router exists."""
    unknown = [key for key in asked(routing) if key not in routers()]
    return [key if key in FIELDS else f"plugins.{key}" for key in unknown]


def known() -> str:
    """The routers of this version, for the error about a missing one."""
    own = ", ".join(key for key in routers() if key in FIELDS)
    plugins = ", ".join(key for key in routers() if key not in FIELDS)
    return own + (f", and the plugins {plugins}" if plugins else "")


@cache
def kinds() -> dict[str, ServedKind]:
    """Kinds of other projects that routers use, by key."""
    return {kind.key: kind for router in routers().values() for kind in router.kinds if isinstance(kind, ServedKind)}


def permissions() -> tuple[Rule, ...]:
    """The rights of all routers, one row per resource."""
    rows: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for router in routers().values():
        for group, names, verbs in router.permissions:
            rows.setdefault((group, names), set()).update(verbs.split())
    return tuple((group, names, " ".join(v for v in VERBS if v in verbs)) for (group, names), verbs in rows.items())
