"""Router objects that no Rollout manages any more get all traffic back to the stable Service."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.engine.strategy.router_release import may_drop, release
from serinus.routing.router import Objects
from tests.support.plays.player import play
from tests.support.plays.recordings import scenario
from tests.support.plays.story import moments
from tests.support.routing.plain import NAMESPACE, Cluster, rollout

Json = dict[str, Any]
CANARY = "spec.strategy.canary"
LET_GO: dict[str, Json] = {
    "the Rollout is deleted": {"kubectl": "delete rollout web"},
    "it names the router no more": {
        "patch": [
            "Rollout/web",
            {"spec": {"strategy": {"canary": {"trafficRouting": None, "scaleDownDelaySeconds": None}}}},
        ]
    },
    "it names another object": {
        "patch": [
            "Rollout/web",
            {
                "spec": {
                    "strategy": {"canary": {"trafficRouting": {"traefik": {"weightedTraefikServiceName": "other"}}}}
                }
            },
        ]
    },
}
OTHER = """
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: other}
spec:
  weighted:
    services:
    - {name: web, port: 80, weight: 100}
    - {name: web-canary, port: 80, weight: 0}
"""


def paused_and(step: Json) -> list[Json]:
    """The trace of `traefik-walk` to its first pause, and of the actions there."""
    what = scenario("traefik-walk")
    gate = next(i for i, each in enumerate(what["do"]) if "cli" in each)
    done = play("let go", {**what, "objects": what["objects"] + OTHER, "do": [*what["do"][:gate], step, {"sleep": 5}]})
    assert done.troubles == []
    return done.trace


def weights(trace: list[Json]) -> list[int]:
    """Of the canary, as the TraefikService had them one after the other."""
    field = "spec.weighted.services"
    found = [
        m.field("TraefikService/web", field)[1]["weight"]
        for m in moments(trace)
        if m.changes("TraefikService/web", field)
    ]
    return [weight for i, weight in enumerate(found) if i == 0 or weight != found[i - 1]]


@pytest.mark.parametrize("how", LET_GO)
def test_all_traffic_goes_back_to_the_stable_service(how: str):
    """Argo Rollouts leaves 20 % on the canary Service."""
    assert weights(paused_and(LET_GO[how])) == [0, 20, 0]


def test_a_canary_mapping_of_a_deleted_rollout_drains_before_it_goes():
    what = scenario("ambassador-walk")
    gate = next(i for i, each in enumerate(what["do"]) if "cli" in each)
    done = play("let go", {**what, "do": [*what["do"][:gate], {"kubectl": "delete rollout web"}, {"sleep": 10}]})
    lines = [line for line in done.trace if line.get("object") == "Mapping/web-canary"]
    drained = next(line["t"] for line in lines if line.get("spec.weight") == 0)
    gone = next(line["t"] for line in lines if line.get("deleted"))
    assert 5 <= gone - drained < 6


def test_a_spec_that_cannot_be_used_gives_nothing_back():
    broken = {
        "patch": [
            "Rollout/web",
            {"spec": {"strategy": {"canary": {"trafficRouting": None, "dynamicStableScale": True}}}},
        ]
    }
    assert weights(paused_and(broken)) == [0, 20]


def given_back(before: Json, after: Json, *objects: Json) -> dict[str, Json]:
    """Name -> what the release writes of each object, after an edit of `trafficRouting` while the canary has a share."""
    was, now = rollout(before), rollout(after)
    there = Cluster(was, *objects)
    seen = Objects(NAMESPACE, {}, {f"{kind}/{name}": obj for (kind, name), obj in there.objects.items()}, there.served)
    assert may_drop(was, now)
    return {action.name: action.body for action in release(was, now, seen, 0.0).actions}


def route(name: str, team: str) -> Json:
    backends = [{"name": "web", "port": 80, "weight": 60}, {"name": "web-canary", "port": 80, "weight": 40}]
    meta = {"name": name, "labels": {"team": team}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": meta,
        "spec": {"rules": [{"backendRefs": backends}]},
    }


def by_label(team: str, **more: Json) -> Json:
    return {"plugins": {"argoproj-labs/gatewayAPI": {"httpRouteSelector": {"matchLabels": {"team": team}}, **more}}}


def test_routes_that_a_new_selector_leaves_out_give_their_weights_back():
    routes = route("one", "a"), route("two", "b")
    written = given_back(by_label("a"), by_label("b"), *routes)
    assert list(written) == ["one"]
    assert [each["weight"] for each in written["one"]["spec"]["rules"][0]["backendRefs"]] == [100, 0]


def test_a_route_that_is_named_in_place_of_selected_keeps_its_weights():
    named = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "one"}}}
    assert given_back(by_label("a"), named, route("one", "a")) == {}


def mesh(service: str) -> Json:
    nodes = {"canaryVirtualNodeRef": {"name": "canary"}, "stableVirtualNodeRef": {"name": "stable"}}
    return {"appMesh": {"virtualService": {"name": service}, "virtualNodeGroup": nodes}}


def of_mesh(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": kind, "metadata": {"name": name}, "spec": spec}


def virtual_service(name: str, router: str) -> Json:
    provider = {"virtualRouter": {"virtualRouterRef": {"name": router}}}
    return of_mesh("VirtualService", name, {"provider": provider})


def virtual_router(name: str) -> Json:
    targets = [
        {"virtualNodeRef": {"name": node}, "weight": weight} for node, weight in (("stable", 60), ("canary", 40))
    ]
    return of_mesh(
        "VirtualRouter", name, {"routes": [{"name": "r", "httpRoute": {"action": {"weightedTargets": targets}}}]}
    )


def test_app_meshs_router_of_a_virtual_service_that_is_named_no_more_gives_its_weights_back():
    objects = virtual_service("a", "one"), virtual_service("b", "two"), virtual_router("one"), virtual_router("two")
    nodes = of_mesh("VirtualNode", "canary", {}), of_mesh("VirtualNode", "stable", {})
    written = given_back(mesh("a"), mesh("b"), *objects, *nodes)
    assert list(written) == ["one"]
    targets = written["one"]["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
    assert [each["weight"] for each in targets] == [100, 0]


def test_app_meshs_router_that_the_next_virtual_service_has_too_keeps_its_weights():
    objects = virtual_service("a", "one"), virtual_service("b", "one"), virtual_router("one")
    assert given_back(mesh("a"), mesh("b"), *objects) == {}


STOP, START = {"controller": "stop"}, {"controller": "start"}
WITHOUT_ROUTER = {"spec": {"strategy": {"canary": {"trafficRouting": None, "scaleDownDelaySeconds": None}}}}
WHILE_NONE_RUNS: dict[str, Json] = {
    "the Rollout is deleted": {"kubectl": "delete rollout web"},
    "it names Istio no more": {"patch": ["Rollout/web", WITHOUT_ROUTER]},
    "nothing": {"sleep": 1},
}


@pytest.mark.parametrize("how", WHILE_NONE_RUNS)
def test_a_starting_controller_takes_the_hashes_off_a_destination_rule_without_its_rollout(how: str):
    """With the hash of a past version, a subset would select no pod of the next one."""
    what = scenario("istio-subsets")
    gate = next(i for i, each in enumerate(what["do"]) if "cli" in each)
    steps = [STOP, WHILE_NONE_RUNS[how], {"sleep": 1}, START, {"sleep": 25}]
    done = play("let go", {**what, "do": [*what["do"][:gate], *steps]})
    assert done.troubles == []
    lines = [line for line in done.trace if line.get("object") == "DestinationRule/web"]
    subsets = next(line["spec.subsets"] for line in reversed(lines) if "spec.subsets" in line)
    marks = [line[MARK] for line in lines if MARK in line]
    hashes = [subset["labels"].get("rollouts-pod-template-hash") for subset in subsets]
    assert (hashes == [None, None]) is (how != "nothing")
    assert (marks[-1] is None) is (how != "nothing")


MARK = "annotations.argo-rollouts.argoproj.io/managed-by-rollouts"
