"""The state in force on the gateway of one machine, compared with the desired weights."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.routing import registry
from serinus.routing.router import GatewayState, RouteResult
from tests.support.routing.plain import Cluster, rollout

BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "front"},
    "spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": BACKEND}]}}]},
}
SERVICE: dict[str, Any] = {
    "apiVersion": "traefik.io/v1alpha1",
    "kind": "TraefikService",
    "metadata": {"name": "front"},
    "spec": {"weighted": {"services": [{"name": name, "port": 80} for name in ("web", "web-canary")]}},
}
ROUTERS: dict[str, tuple[Any, Any]] = {
    "nginx": ({"stableIngress": "front"}, INGRESS),
    "traefik": ({"weightedTraefikServiceName": "front"}, SERVICE),
}
each_router = pytest.mark.parametrize("routing", ROUTERS)
NEW = ("10.0.0.1", "10.0.0.2")
PROMOTED: dict[str, Any] = {"shared_hash": "new", "stable_hash": "new", "stable_addresses": NEW}


def split(canary: int, stable: int) -> GatewayState:
    return GatewayState(({"web-canary": canary, "web": stable}, {"other": 1, "another": 1}))


def answer(weight: int, now: int, state: GatewayState | None, routing: str = "nginx", **fields: Any) -> RouteResult:
    """Of the router, where its object has the weight `now`."""
    there = Cluster(rollout({routing: ROUTERS[routing][0]}), ROUTERS[routing][1])
    there.route(now)
    objects = msgspec.structs.replace(there.seen(), gateway=state)
    used = registry.routers_of(there.rollout.spec)[0]
    return used.route(there.traffic(weight, **fields), objects)


@each_router
@pytest.mark.parametrize(
    ("weight", "state", "verified", "why"),
    [
        (20, None, None, ""),
        (20, split(20, 80), True, ""),
        (20, split(1, 4), True, ""),
        (20, GatewayState(({"web-canary": 20, "web": 80, "other": 50},)), True, ""),
        (20, split(0, 0), False, "Service web-canary is to have weight 20 of 100: the gateway has 0 of 0"),
        (100, split(100, 0), True, ""),
        (20, split(0, 100), False, "Service web-canary is to have weight 20 of 100: the gateway has 0 of 100"),
        (20, GatewayState(error="no answer"), False, "no answer"),
        (20, GatewayState(({"web": 1, "other": 1},)), None, ""),
        (0, split(20, 80), None, ""),
    ],
    ids=[
        "not read",
        "same",
        "same ratio",
        "others too",
        "none",
        "all",
        "another",
        "error",
        "not its Ingress",
        "no share",
    ],
)
def test_a_weight_is_verified_when_the_gateway_has_it(
    weight: int, state: GatewayState | None, verified: bool | None, why: str, routing: str
):
    result = answer(weight, weight, state, routing)
    assert (result.verified, result.unverified) == (verified, why)


def test_a_weight_that_is_being_written_is_not_verified_yet():
    result = answer(20, 0, split(20, 80))
    assert (result.verified, result.unverified) == (False, "Ingress web-front-canary is being written")


@each_router
@pytest.mark.parametrize(
    ("servers", "pending"),
    [
        ({"web": ("10.0.0.9",)}, "the gateway still has pods of another version for Service web"),
        ({"web": ("10.0.0.1", "10.0.0.9")}, "the gateway still has pods of another version for Service web"),
        ({"web": ()}, "the gateway has no pod of Service web yet"),
        ({"web": ("10.0.0.1",)}, ""),
        ({"web": NEW}, ""),
        ({}, ""),
    ],
    ids=["old pods", "both", "none", "one of two", "all", "not its Service"],
)
def test_after_a_promotion_the_stable_service_gets_requests_when_the_gateway_has_its_pods(
    servers: dict[str, tuple[str, ...]], pending: str, routing: str
):
    result = answer(0, 100, GatewayState(servers=servers), routing, **PROMOTED)
    assert (result.pending, bool(result.writes)) == (pending, not pending)


@each_router
def test_an_abort_and_a_way_back_wait_for_nothing(routing: str):
    old = GatewayState(servers={"web": ("10.0.0.9",)})
    assert answer(0, 20, old, routing, shared_hash="new", stable_hash="old", stable_addresses=NEW).writes
    back: dict[str, Any] = {"shared_hash": "new", "canary_hash": "old", "stable_hash": "old", "stable_addresses": NEW}
    assert answer(0, 20, old, routing, **back).writes
