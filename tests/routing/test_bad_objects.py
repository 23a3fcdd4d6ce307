"""Each router with objects that are missing, foreign, malformed, half-edited, in the way or changed by hand.

Each of them is an error that names the object, writes nothing, raises nothing, and ends when the object is fixed. Objects of others
stay byte for byte.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from serinus.api.served_kind import ServedKind
from serinus.routing import registry
from tests.support.routing.plain import Cluster, invalid, rollout

Json = dict[str, Any]
HASH, MANAGED_BY = "rollouts-pod-template-hash", "argo-rollouts.argoproj.io/managed-by-rollouts"


def obj(version: str, kind: str, spec: Json, name: str = "front", **meta: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


def entries(key: str = "name", **more: Any) -> list[Json]:
    return [{key: "web", "weight": 100, **more}, {key: "web-canary", "weight": 0, **more}]


def destinations(*by: Json) -> list[Json]:
    return [{"destination": each, "weight": weight} for each, weight in zip(by, (100, 0), strict=True)]


def ingress(port: Json) -> Json:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": port}}}
    return obj("networking.k8s.io/v1", "Ingress", {"rules": [{"host": "a", "http": {"paths": [path]}}]})


@dataclass
class Case:
    """`objects`: those that a user applies, the one that has the weights first. `routes`: (path below spec) of the list that the
    Rollout's two destinations are in."""

    routing: Json
    objects: list[Json]
    routes: str
    canary: Json = field(default_factory=dict[str, Any])


TARGETS = [{"virtualNodeRef": {"name": name}, "weight": weight} for name, weight in (("stable", 100), ("canary", 0))]
PROVIDER = {"virtualRouter": {"virtualRouterRef": {"name": "front"}}}
NODES = {"canaryVirtualNodeRef": {"name": "canary"}, "stableVirtualNodeRef": {"name": "stable"}}
NAMED = {"canarySubsetName": "canary", "stableSubsetName": "stable"}
MESH, ISTIO, SUBSETS = "appmesh.k8s.aws/v1beta2", "networking.istio.io/v1", ("stable", "canary")
CASES: dict[str, Case] = {
    "istio": Case(
        {"istio": {"virtualService": {"name": "front", "routes": ["primary"]}}},
        [obj(ISTIO, "VirtualService", {"http": [{"name": "primary", "route": destinations({"host": "web"}, {"host": "web-canary"})}]})],
        "http.0.route",
    ),
    "istio by subsets": Case(
        {"istio": {"virtualService": {"name": "front"}, "destinationRule": {"name": "rule", **NAMED}}},
        [
            obj(ISTIO, "VirtualService", {"http": [{"route": destinations(*({"host": "web", "subset": s} for s in SUBSETS))}]}),
            obj(ISTIO, "DestinationRule", {"host": "web", "subsets": [{"name": s, "labels": {"app": "web"}} for s in SUBSETS]}, "rule"),
        ],
        "http.0.route",
        {"canaryService": "", "stableService": ""},
    ),
    "alb": Case({"alb": {"ingress": "front", "servicePort": 80}}, [ingress({"name": "use-annotation"})], "rules"),
    "nginx": Case({"nginx": {"stableIngress": "front"}}, [ingress({"number": 80})], "rules"),
    "traefik": Case(
        {"traefik": {"weightedTraefikServiceName": "front"}},
        [obj("traefik.io/v1alpha1", "TraefikService", {"weighted": {"services": entries(port=80)}})],
        "weighted.services",
    ),
    "ambassador": Case(
        {"ambassador": {"mappings": ["front"]}},
        [obj("getambassador.io/v2", "Mapping", {"prefix": "/", "service": "web:80"})],
        "service",
    ),
    "apisix": Case(
        {"apisix": {"route": {"name": "front", "rules": ["r1"]}}},
        [obj("apisix.apache.org/v2", "ApisixRoute", {"http": [{"name": "r1", "backends": entries("serviceName")}]})],
        "http",
    ),
    "appMesh": Case(
        {"appMesh": {"virtualService": {"name": "mesh"}, "virtualNodeGroup": NODES}},
        [
            obj(MESH, "VirtualRouter", {"routes": [{"name": "r", "httpRoute": {"action": {"weightedTargets": TARGETS}}}]}),
            obj(MESH, "VirtualService", {"provider": PROVIDER}, "mesh"),
            *(obj(MESH, "VirtualNode", {"podSelector": {"matchLabels": {"app": "web"}}}, name) for name in SUBSETS),
        ],
        "routes",
    ),
    "argoproj-labs/gatewayAPI": Case(
        {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "front"}}},
        [obj("gateway.networking.k8s.io/v1", "HTTPRoute", {"rules": [{"backendRefs": entries(port=80)}]})],
        "rules.0.backendRefs",
    ),
    "argoproj-labs/contour": Case(
        {"plugins": {"argoproj-labs/contour": {"httpProxies": ["front"]}}},
        [obj("projectcontour.io/v1", "HTTPProxy", {"routes": [{"services": entries(port=80)}]})],
        "routes.0.services",
    ),
    "argoproj-labs/openshift": Case(
        {"plugins": {"argoproj-labs/openshift": {"routes": ["front"]}}},
        [obj("route.openshift.io/v1", "Route", {"to": {"kind": "Service", "name": "web", "weight": 100}})],
        "to",
    ),
}  # fmt: skip
FOREIGN = {
    "an object": [{"name": "somebody", "weight": 1}],
    "text": "x",
    "a number": 7,
    "nothing": None,
    "an empty list": [],
}


def cluster(case: Case, *objects: Json, **options: Any) -> Cluster:
    return Cluster(rollout(case.routing, **case.canary), *copy.deepcopy(objects or case.objects), **options)


def edited(case: Case, path: str, value: Any) -> Json:
    """The object that has the weights, with something else below this path of its spec."""
    changed = copy.deepcopy(case.objects[0])
    at: Any = changed["spec"]
    *way, last = path.split(".")
    for key in way:
        at = at[int(key)] if key.isdecimal() else at[key]
    at[last] = value
    return changed


def content(there: Cluster) -> dict[Any, bytes]:
    """All objects without the fields that the API server sets."""
    own = ("resourceVersion", "uid")
    return {
        key: msgspec.json.encode({**each, "metadata": {k: v for k, v in each["metadata"].items() if k not in own}})
        for key, each in there.objects.items()
    }


def put_right(there: Cluster, case: Case) -> None:
    for each in case.objects:
        there.put(copy.deepcopy(each))
    there.route(20)
    assert there.error(20) == ""
    wanted = cluster(case)
    wanted.route(20)
    assert content(there) == content(wanted)


def refused(there: Cluster, name: str) -> None:
    before = content(there)
    text = there.error(20)
    assert name in text
    assert content(there) == before


@pytest.mark.parametrize("key", CASES)
def test_every_router_is_here(key: str):
    of = {used.router.key for case in CASES.values() for used in registry.routers_of(cluster(case).rollout.spec)}
    assert of | {"smi"} == set(registry.routers()), "an SMI TrafficSplit is the Rollout's own"
    put_right(cluster(CASES[key]), CASES[key])


@pytest.mark.parametrize("key", CASES)
def test_each_missing_object_is_named_and_comes_back(key: str):
    case = CASES[key]
    for index, lost in enumerate(case.objects):
        there = Cluster(
            rollout(case.routing, **case.canary), *copy.deepcopy([*case.objects[:index], *case.objects[index + 1 :]])
        )
        refused(there, lost["metadata"]["name"] if key != "appMesh" or index else "mesh")
        put_right(there, case)


@pytest.mark.parametrize("key", CASES)
def test_an_object_deleted_in_mid_canary_is_named_and_comes_back(key: str):
    if key == "ambassador":
        pytest.skip("the canary Mapping goes on without the base that it was copied from")
    case, there = CASES[key], cluster(CASES[key])
    there.route(20)
    where = next(where for where in there.objects if where[1] == case.objects[0]["metadata"]["name"])
    del there.objects[where]
    refused(there, "mesh" if key == "appMesh" else "front")
    put_right(there, case)


@pytest.mark.parametrize("value", FOREIGN)
@pytest.mark.parametrize("key", CASES)
def test_a_malformed_or_foreign_list_is_an_error_and_no_exception(key: str, value: str):
    case = CASES[key]
    if key in ("alb", "nginx") and not isinstance(FOREIGN[value], list):
        pytest.skip("the cache refuses an Ingress whose rules are no list")
    there = cluster(case, edited(case, case.routes, FOREIGN[value]), *case.objects[1:])
    refused(there, "")
    assert there.error(20)
    put_right(there, case)


@pytest.mark.parametrize("spec", [None, [], "x", {}])
@pytest.mark.parametrize("key", [key for key in CASES if key not in ("alb", "nginx")])
def test_a_spec_of_any_shape_is_an_error_and_no_exception(key: str, spec: Any):
    case = CASES[key]
    there = cluster(case, {**case.objects[0], "spec": spec}, *case.objects[1:])
    refused(there, "front" if "labs" not in key else "")
    put_right(there, case)


@pytest.mark.parametrize("key", [key for key in CASES if key not in ("alb", "nginx")])
def test_a_kind_that_the_api_server_does_not_serve_is_named(key: str):
    case = CASES[key]
    kinds = registry.routers_of(cluster(case).rollout.spec)[0].router.kinds
    there = Cluster(
        rollout(case.routing, **case.canary), served={kind.key: "" for kind in kinds if isinstance(kind, ServedKind)}
    )
    assert "the API server does not serve" in there.error(20)
    assert "install the definition of" in there.error(20)


@pytest.mark.parametrize("key", [*CASES, "smi"])
def test_a_kind_that_the_controller_cannot_read_is_invalid_with_the_reason_and_the_remedy(key: str):
    """A missing right, or a definition in another version: no "not found", which would be wrong."""
    case = CASES.get(key) or Case({"smi": {}}, [], "")
    subject = rollout(case.routing, **case.canary)
    used = registry.routers_of(subject.spec)[0]
    kinds = [kind.key if isinstance(kind, ServedKind) else kind.kind for kind in used.router.kinds]
    for kind in kinds:
        text = invalid(subject, ingresses={}, objects={}, unreadable={kind: f"{kind} is forbidden: ask for the right"})
        if any(ref.kind == kind for ref in used.references(subject)):
            assert used.path in text
            assert text.endswith(f"{kind} is forbidden: ask for the right")


@pytest.mark.parametrize("key", CASES)
def test_a_weight_that_somebody_changed_is_written_again_and_the_rest_stays(key: str):
    case, there = CASES[key], cluster(CASES[key])
    stranger = obj("networking.k8s.io/v1", "Ingress", {"rules": []}, "stranger")
    there.put(stranger)
    there.route(20)
    wanted = content(there)
    for each in case.objects:
        there.put(copy.deepcopy(each))
    there.route(20)
    assert content(there) == wanted


def test_a_destination_rule_of_another_rollout_says_whose_it_is():
    case = CASES["istio by subsets"]
    theirs = copy.deepcopy(case.objects[1])
    theirs["metadata"]["annotations"] = {MANAGED_BY: "api"}
    there = cluster(case, case.objects[0], theirs)
    refused(there, "DestinationRule rule is managed by Rollout api")
    put_right(there, case)


def test_a_canary_ingress_of_somebody_else_says_so():
    case = CASES["nginx"]
    theirs = {**copy.deepcopy(case.objects[0]), "metadata": {"name": "web-front-canary"}}
    there = cluster(case, *case.objects, theirs)
    refused(there, "canary ingress `web-front-canary` controlled by different object")


LISTS = {
    "istio": "http.0.route",
    "istio by subsets": "http.0.route",
    "traefik": "weighted.services",
    "apisix": "http.0.backends",
    "argoproj-labs/gatewayAPI": "rules.0.backendRefs",
    "argoproj-labs/contour": "routes.0.services",
}


OTHERWISE = {
    "alb": "several paths may lead to a Service, and one action divides them",
    "nginx": "several paths may lead to a Service, and the canary Ingress has them all",
    "ambassador": "a Mapping leads to one Service",
    "appMesh": "a route must have two targets: test_appmesh.py",
    "argoproj-labs/openshift": "a Route may name the canary first with its weight: test_openshift.py",
}
"""Routers without a list in which a second entry of a Service would count double."""


def test_every_router_says_what_a_second_entry_means():
    assert LISTS.keys() | OTHERWISE.keys() == CASES.keys()


@pytest.mark.parametrize("index", [0, 1], ids=["stable", "canary"])
@pytest.mark.parametrize("key", LISTS)
def test_a_service_that_is_listed_twice_is_an_error_and_no_weight_counts_double(key: str, index: int):
    """Weight 20 in two entries beside 80 would be a third of the requests."""
    case, path = CASES[key], LISTS[key]
    at: Any = case.objects[0]["spec"]
    for part in path.split("."):
        at = at[int(part)] if part.isdecimal() else at[part]
    there = cluster(case, edited(case, path, [*at, copy.deepcopy(at[index])]), *case.objects[1:])
    refused(there, "2 times")
    refused(there, "front")
    put_right(there, case)


@pytest.mark.parametrize("key", LISTS)
def test_two_entries_of_both_services_keep_the_shares(key: str):
    case, path = CASES[key], LISTS[key]
    at: Any = case.objects[0]["spec"]
    for part in path.split("."):
        at = at[int(part)] if part.isdecimal() else at[part]
    there = cluster(case, edited(case, path, [*at, *copy.deepcopy(at)]), *case.objects[1:])
    for _ in range(3):
        there.route(20)
    found = next(each for (_, name), each in there.objects.items() if name == "front")["spec"]
    for part in path.split("."):
        found = found[int(part)] if part.isdecimal() else found[part]
    assert [each["weight"] for each in found] == [80, 20, 80, 20]
