"""Shares that backends of others have beside the Rollout's Services: every router that keeps them says so, and `why` repeats it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.engine.explain.why import explain
from tests.support.engine.world import World, release, routed
from tests.support.routing.plain import Cluster, rollout

Json = dict[str, Any]
ISTIO, OTHER = "networking.istio.io/v1", "old"
CASES: dict[str, tuple[Json, Json, str]] = {
    "istio": (
        {"istio": {"virtualService": {"name": "front"}}},
        {
            "apiVersion": ISTIO,
            "kind": "VirtualService",
            "spec": {
                "http": [
                    {
                        "name": "primary",
                        "route": [
                            {"destination": {"host": "web"}, "weight": 80},
                            {"destination": {"host": "web-canary"}, "weight": 0},
                            {"destination": {"host": OTHER}, "weight": 20},
                        ],
                    }
                ]
            },
        },
        "route primary of VirtualService front also leads to old (weight 20): the canary gets 32 of 100, the stable version 48",
    ),
    "traefik": (
        {"traefik": {"weightedTraefikServiceName": "front"}},
        {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "TraefikService",
            "spec": {
                "weighted": {"services": [{"name": "web"}, {"name": "web-canary"}, {"name": OTHER, "weight": 20}]}
            },
        },
        "TraefikService front also leads to old (weight 20): the canary gets 40 of 120, the stable version 60",
    ),
    "apisix": (
        {"apisix": {"route": {"name": "front", "rules": ["r1"]}}},
        {
            "apiVersion": "apisix.apache.org/v2",
            "kind": "ApisixRoute",
            "spec": {
                "http": [
                    {
                        "name": "r1",
                        "backends": [{"serviceName": name} for name in ("web", "web-canary", OTHER)],
                    }
                ]
            },
        },
        "rule r1 of ApisixRoute front also leads to old (weight 100): the canary gets 40 of 200, the stable version 60",
    ),
    "argoproj-labs/gatewayAPI": (
        {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "front"}}},
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "spec": {
                "rules": [
                    {
                        "backendRefs": [
                            {"name": "web", "port": 80},
                            {"name": "web-canary", "port": 80},
                            {"name": "web", "namespace": "edge", "port": 80, "weight": 25},
                        ]
                    }
                ]
            },
        },
        "a rule of HTTPRoute front also leads to edge/web (weight 25): the canary gets 40 of 125, the stable version 60",
    ),
    "argoproj-labs/contour": (
        {"plugins": {"argoproj-labs/contour": {"httpProxies": ["front"]}}},
        {
            "apiVersion": "projectcontour.io/v1",
            "kind": "HTTPProxy",
            "spec": {
                "routes": [
                    {
                        "services": [
                            {"name": "web", "port": 80, "weight": 80},
                            {"name": "web-canary", "port": 80, "weight": 0},
                            {"name": OTHER, "port": 80, "weight": 20},
                        ]
                    }
                ]
            },
        },
        "a route of HTTPProxy front also leads to old (weight 20): the canary gets 32 of 100, the stable version 48",
    ),
    "argoproj-labs/openshift": (
        {"plugins": {"argoproj-labs/openshift": {"routes": ["front"]}}},
        {
            "apiVersion": "route.openshift.io/v1",
            "kind": "Route",
            "spec": {
                "to": {"kind": "Service", "name": "web", "weight": 80},
                "alternateBackends": [{"kind": "Service", "name": OTHER, "weight": 20}],
            },
        },
        "Route front also leads to old (weight 20): the canary gets 32 of 100, the stable version 48",
    ),
}
"""Key of the router -> its configuration, its object with a backend of somebody else, the sentence at weight 40. nginx, ALB,
Ambassador and SMI write the whole list of backends; a route of App Mesh has two targets."""


def shared(there: Cluster) -> str:
    return "; ".join(answer.shared for answer in there.answers(there.traffic(40)) if answer.shared)


def cluster(key: str) -> Cluster:
    routing, obj, _ = CASES[key]
    return Cluster(rollout(routing), {**copy.deepcopy(obj), "metadata": {"name": "front"}})


@pytest.mark.parametrize("key", CASES)
def test_the_share_of_somebody_else_is_named_with_the_weights_in_force(key: str):
    there = cluster(key)
    assert shared(there) == CASES[key][2]
    there.route(40)
    assert shared(there) == CASES[key][2]


@pytest.mark.parametrize("key", CASES)
def test_the_rollouts_own_backends_are_no_shares_of_others(key: str):
    routing, obj, _ = CASES[key]
    alone = {**without_others(copy.deepcopy(obj)), "metadata": {"name": "front"}}
    assert shared(Cluster(rollout(routing), alone)) == ""


def without_others(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: without_others(value) for key, value in found.items()}
    if isinstance(found, list):
        return [without_others(each) for each in found if not is_others(each)]
    return found


def is_others(entry: Json) -> bool:
    named = entry.get("name"), entry.get("serviceName"), (entry.get("destination") or {}).get("host")
    return OTHER in named or entry.get("namespace") == "edge"


def test_why_names_the_share_of_somebody_else():
    routing, obj, sentence = CASES["traefik"]
    world = routed(steps=[{"setWeight": 40}, {"pause": {}}])
    world.objects["TraefikService.traefik.io", "front"] = World(
        {**copy.deepcopy(obj), "metadata": {"name": "front"}}
    ).objects["TraefikService", "front"]
    world.patch("Rollout", "web", {"spec": {"strategy": {"canary": {"trafficRouting": {"nginx": None, **routing}}}}})
    release(world, "green")
    world.settle()
    assert sentence in explain(world.snapshot()).observed
