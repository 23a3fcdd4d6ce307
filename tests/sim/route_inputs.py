"""Histories with what only some routers carry: header and mirror routes, ping-pong, weights of experiments, reports.

`routed(seed)` gives a history with a router one or two of them, from a random source of its own: the histories of `generate`
stay as they are.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from random import Random
from typing import Any

from msgspec import structs

import tests.routing
from tests.sim.generate import generate
from tests.sim.history import NAME, History
from tests.sim.routers import CANARY, HEADER_ROUTE, MIRROR_ROUTE, MODELS, with_header_routes, with_router

Json = dict[str, Any]


def routed(seed: int, router: str = "", more: str = "") -> History | None:
    """The history of a seed with a router and inputs that it carries; None for a seed without a router.

    `router`, `more`: the one to take; without them the seed chooses.
    """
    rng = Random(f"route inputs {seed}")
    models()
    key = router or rng.choice(sorted(MODELS))
    history = with_router(generate(seed), key)
    if history is None:
        return None
    able = [name for name in WAYS if name in MODELS[key].able]
    wanted = [more] if more else rng.sample(able, min(len(able), rng.choice((1, 1, 2))))
    for name in wanted:
        history = WAYS[name](history)
    return history


def models() -> None:
    """Imports the files that put the models of routers into MODELS."""
    for module in pkgutil.iter_modules(tests.routing.__path__):
        importlib.import_module(f"tests.routing.{module.name}")


def with_mirror_routes(history: History) -> History:
    """The same history with a mirror route that its steps set, and sometimes remove."""
    rng, canary = Random(f"mirror routes {history.seed}"), _canary(history)
    steps: list[Json] = list(canary.get("steps") or [])
    at = rng.randint(0, len(steps))
    route = {"name": MIRROR_ROUTE, "percentage": rng.choice((1, 50, 100)), "match": [{"path": {"prefix": "/api"}}]}
    steps.insert(at, {"setMirrorRoute": route})
    if rng.random() < 0.4:
        steps.insert(rng.randint(at + 1, len(steps)), {"setMirrorRoute": {"name": MIRROR_ROUTE}})
    return _changed(history, {**canary, "steps": steps}, MIRROR_ROUTE)


def with_ping_pong(history: History) -> History:
    """The same history with two Services that change their roles: the first version is that of NAME."""
    canary = {k: v for k, v in _canary(history).items() if k not in ("canaryService", "stableService")}
    routing: Json = canary["trafficRouting"]
    if "alb" in routing:
        routing = {**routing, "alb": {**routing["alb"], "rootService": NAME}}
    pair = {"pingService": CANARY, "pongService": NAME}
    return _changed(history, {**canary, "trafficRouting": routing, "pingPong": pair})


def with_weighted_experiments(history: History) -> History:
    """The same history with an experiment whose Services have shares of the requests."""
    rng, canary = Random(f"weighted experiments {history.seed}"), _canary(history)
    steps: list[Json] = list(canary.get("steps") or [])
    both = (("baseline", "stable"), ("candidate", "canary"))
    templates = [
        {"name": name, "specRef": ref, "replicas": rng.choice((1, 2)), "weight": rng.choice((1, 5, 10)), "service": {}}
        for name, ref in both[rng.choice((0, 0, 1)) :]
    ]
    made = {"templates": templates, "duration": rng.choice(("3s", "15s", "40s"))}
    steps.insert(rng.randint(0, len(steps)), {"experiment": made})
    return _changed(history, {**canary, "steps": steps})


def with_reports(history: History) -> History:
    """The same history with a gateway that reports, some time after it has received the router's object."""
    return structs.replace(history, reports=Random(f"reports {history.seed}").choice((0.1, 1.0, 5.0)))


WAYS: dict[str, Callable[[History], History]] = {
    "header": with_header_routes,
    "mirror": with_mirror_routes,
    "ping-pong": with_ping_pong,
    "experiment": with_weighted_experiments,
    "reports": with_reports,
}


def _canary(history: History) -> Json:
    return history.rollout["spec"]["strategy"]["canary"]


def _changed(history: History, canary: Json, *routes: str) -> History:
    """`routes`: of `managedRoutes`, after those that are there."""
    routing: Json = canary["trafficRouting"]
    if routes:
        managed = [*routing.get("managedRoutes", []), *({"name": name} for name in routes)]
        canary = {**canary, "trafficRouting": {**routing, "managedRoutes": managed}}
    spec = {**history.rollout["spec"], "strategy": {"canary": canary}}
    return structs.replace(history, rollout={**history.rollout, "spec": spec})


__all__ = ["HEADER_ROUTE", "WAYS", "routed"]
