"""Header and mirror routes and ping-pong Services, through a router that keeps them all in one object."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.names import HASH
from serinus.api.rollout import CanaryStrategy, Rollout
from serinus.api.validation.routing_rules import Capabilities
from serinus.routing import registry
from serinus.routing.router import Objects, Reference, Router, RouteResult, Traffic, Write
from tests.support.engine.world import World, release, rollout, service

Json = dict[str, Any]


class Said(msgspec.Struct, rename="camel"):
    virtual_service: Json = {}


class OneObject(Router[Said]):
    """A router whose object has the desired state."""

    key = "istio"
    config = Said
    capabilities = Capabilities(header_routes=True, mirror_routes=True, ping_pong=True, experiments=True)

    def needs_services(self, config: Said, canary: CanaryStrategy) -> bool:
        return canary.ping_pong is None

    def references(self, rollout: Rollout, config: Said) -> tuple[Reference, ...]:
        return (Reference("ConfigMap", "routes"),)

    def route(self, config: Said, traffic: Traffic, objects: Objects) -> RouteResult:
        spec = {
            "weight": traffic.weight,
            "canary": traffic.canary_service,
            "stable": traffic.stable_service,
            "routes": list(msgspec.to_builtins(traffic.routes)),
        }
        found = objects.get("ConfigMap", "routes")
        if found and found["data"] == spec:
            return RouteResult()
        verb = "patch" if found else "create"
        body: Json = {"metadata": {"name": "routes"}, "data": spec}
        return RouteResult((Write(verb, "ConfigMap", "routes", body, "as asked", "Routed", "routed"),))


class RoutedWorld(World):
    """Hands the router's object to the planner, as a controller's cache would."""

    def snapshot(self) -> Any:
        found = {
            f"{kind}/{name}": o for (kind, name), o in self.objects.items() if kind in ("ConfigMap", "VirtualService")
        }
        return msgspec.structs.replace(super().snapshot(), objects=found)

    @property
    def traffic(self) -> Json:
        return self.objects["ConfigMap", "routes"]["data"]


@pytest.fixture(autouse=True)
def router(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "routers", lambda: {"istio": OneObject()})


HEADER = {"name": "testers", "match": [{"headerName": "X-Canary", "headerValue": {"exact": "yes"}}]}
MIRROR = {"name": "shadow", "match": [{"path": {"prefix": "/"}}], "percentage": 20}
ISTIO: Json = {"istio": {"virtualService": {"name": "web"}}, "managedRoutes": [{"name": "shadow"}, {"name": "testers"}]}


def settled(**canary: Any) -> RoutedWorld:
    given: Json = {"trafficRouting": ISTIO, **canary}
    services = [service(name) for name in ("web", "web-canary", "ping", "pong")]
    named = {"kind": "VirtualService", "metadata": {"name": "web"}}
    world = RoutedWorld(*services, named, rollout(**given))
    world.settle()
    return world


def resume(world: World) -> None:
    world.patch("Rollout", "web", {"status": {"pauseConditions": None}})
    world.settle()


def names(world: RoutedWorld) -> list[str]:
    return [route["name"] for route in world.traffic["routes"]]


def test_a_header_route_leads_testers_to_the_canary_until_a_step_takes_it_away():
    steps = [
        {"setCanaryScale": {"replicas": 1}},
        {"setHeaderRoute": HEADER},
        {"pause": {}},
        {"setHeaderRoute": {"name": "testers"}},
        {"pause": {}},
    ]
    world = settled(steps=steps)
    assert names(world) == []
    release(world, "green")
    world.settle()
    assert (world.traffic["routes"], world.traffic["weight"]) == ([HEADER], 0)
    resume(world)
    assert names(world) == []


def test_routes_stand_in_the_order_of_managed_routes_and_go_with_the_promotion():
    steps = [{"setWeight": 50}, {"setHeaderRoute": HEADER}, {"setMirrorRoute": MIRROR}, {"pause": {}}]
    world = settled(steps=steps)
    release(world, "green")
    world.settle()
    assert names(world) == ["shadow", "testers"]
    resume(world)
    world.after(60)
    assert (names(world), world.rollout.status.phase) == ([], "Healthy")


def test_an_abort_takes_the_routes_away():
    world = settled(steps=[{"setWeight": 50}, {"setHeaderRoute": HEADER}, {"pause": {}}])
    release(world, "green")
    world.settle()
    world.patch("Rollout", "web", {"status": {"abort": True}})
    world.settle()
    assert (names(world), world.traffic["weight"]) == ([], 0)


def test_no_route_leads_to_a_canary_without_a_ready_pod():
    world = settled(steps=[{"setHeaderRoute": HEADER}, {"setWeight": 50}, {"pause": {}}])
    release(world, "green")
    world.settle(ready=False)
    assert names(world) == []
    world.settle()
    assert names(world) == ["testers"]


def test_ping_and_pong_change_roles_at_each_promotion_and_no_request_changes_its_service():
    pair = {"pingService": "ping", "pongService": "pong"}
    world = settled(pingPong=pair, canaryService="", stableService="", steps=[{"setWeight": 50}, {"pause": {}}])
    assert (world.rollout.status.canary.stable_ping_pong, world.traffic["stable"]) == ("ping", "ping")
    release(world, "green")
    world.settle()
    blue, green = (world.set_of(i).metadata.labels[HASH] for i in ("blue", "green"))
    assert (world.traffic["canary"], world.traffic["weight"]) == ("pong", 50)
    assert (world.selected("ping"), world.selected("pong")) == (blue, green)
    resume(world)
    world.after(60)
    assert (world.rollout.status.canary.stable_ping_pong, world.rollout.status.phase) == ("pong", "Healthy")
    assert (world.traffic["stable"], world.traffic["weight"], world.selected("pong")) == ("pong", 0, green)
