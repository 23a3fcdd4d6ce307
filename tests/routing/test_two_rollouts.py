"""Two Rollouts that name one object: each writes its own part, or the second one says that the part is another's.

The Rollout `web` is that of `plain.py`; `api` has Services of its own.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from msgspec import structs

from serinus.api.rollout import HeaderRoutingMatch, RouteMatch, SetHeaderRoute, SetMirrorRoute, StringMatch
from serinus.routing.router import RouteResult, Traffic
from tests.support.routing.plain import Cluster, rollout

Json = dict[str, Any]
GATEWAY = "argoproj-labs/gatewayAPI"
ISTIO = "networking.istio.io/v1"
TEAM = SetHeaderRoute("by-team", [HeaderRoutingMatch("X-Team", StringMatch(exact="a"))])
USER = SetHeaderRoute("by-user", [HeaderRoutingMatch("X-User", StringMatch(exact="b"))])
COPY = SetMirrorRoute("copy", [RouteMatch(path=StringMatch(prefix="/"))], 50)
LABEL = "rollouts.argoproj.io/gatewayapi-canary"


def of_api(routing: Json, there: Cluster, **services: str) -> Cluster:
    """The Rollout `api` on the same objects."""
    named = {"canaryService": "api-canary", "stableService": "api", **services}
    other = Cluster(rollout(routing, **named))
    other.rollout.metadata.name = "api"
    other.objects = there.objects
    return other


def wanted(there: Cluster, weight: int, *routes: SetHeaderRoute | SetMirrorRoute, **fields: Any) -> Traffic:
    more: Json = {"managed": (TEAM.name,), **fields}
    return structs.replace(there.traffic(weight, routes=routes, **more), rollout=there.rollout.metadata.name)


def passed(there: Cluster, traffic: Traffic) -> list[RouteResult]:
    """The answers of a pass whose writes are carried out."""
    found = list(there.answers(traffic))
    for write in (write for answer in found for write in answer.writes):
        there.carry_out(write)
    return found


def by_turns(*passes: tuple[Cluster, Traffic]) -> list[int]:
    """Writes of each pass of ten rounds, in which the Rollouts see each other's writes."""
    written: list[int] = []
    for _ in range(10):
        for there, traffic in passes:
            written.append(sum(len(answer.writes) for answer in passed(there, traffic)))
    return written


def http_route() -> Json:
    def rule(path: str, service: str) -> Json:
        pair = [{"name": service, "port": 80, "weight": 100}, {"name": f"{service}-canary", "port": 80, "weight": 0}]
        return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": pair}

    spec = {"rules": [rule("/", "web"), rule("/api", "api")]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "front"},
        "spec": spec,
    }


def on_gateway() -> tuple[Cluster, Cluster]:
    routing = {"plugins": {GATEWAY: {"httpRoute": "front"}}}
    web = Cluster(rollout(routing), http_route())
    return web, of_api(routing, web)


@pytest.mark.parametrize("weight", [20, 100])
def test_the_label_of_a_canary_in_progress_stays_while_one_of_two_rollouts_has_a_share(weight: int):
    """Each pass of the other one removed it, and each of this one set it again, for ever."""
    web, api = on_gateway()
    passed(web, wanted(web, weight))
    passed(api, wanted(api, 0))
    assert not any(by_turns((web, wanted(web, weight)), (api, wanted(api, 0))))
    assert LABEL in web.get("HTTPRoute.gateway.networking.k8s.io", "front")["metadata"]["labels"]
    passed(web, wanted(web, 0))
    assert LABEL not in web.get("HTTPRoute.gateway.networking.k8s.io", "front")["metadata"]["labels"]
    assert not any(by_turns((web, wanted(web, 0)), (api, wanted(api, 0))))


def test_a_header_rule_of_another_rollout_stays_and_its_name_is_taken():
    web, api = on_gateway()
    passed(web, wanted(web, 20, TEAM))
    assert not any(by_turns((web, wanted(web, 20, TEAM)), (api, wanted(api, 0)))), "api has the name in managedRoutes"
    before = copy.deepcopy(api.objects)
    (answer,) = passed(api, wanted(api, 20, TEAM))
    assert "HTTPRoute front: rule by-team leads to web-canary, and is not this Rollout's" in answer.error
    assert "managedRoutes" in answer.error
    assert api.objects == before
    passed(web, wanted(web, 20))
    assert passed(api, wanted(api, 20, TEAM))[0].error == ""


def virtual_service(*routes: Json) -> Json:
    return {
        "apiVersion": ISTIO,
        "kind": "VirtualService",
        "metadata": {"name": "front"},
        "spec": {"http": list(routes)},
    }


def primary(name: str, *destinations: Json) -> Json:
    pairs = zip(destinations, (100, 0), strict=True)
    return {"name": name, "route": [{"destination": each, "weight": weight} for each, weight in pairs]}


def destination_rule(name: str, host: str) -> Json:
    subsets = [{"name": each, "labels": {"app": host}} for each in ("stable", "canary")]
    return {
        "apiVersion": ISTIO,
        "kind": "DestinationRule",
        "metadata": {"name": name},
        "spec": {"host": host, "subsets": subsets},
    }


def by_subset(host: str) -> tuple[Json, Json]:
    return {"host": host, "subset": "stable"}, {"host": f"{host}.shop.svc.cluster.local", "subset": "canary"}


def istio(route: str, rule: str = "") -> Json:
    subsets = {"name": rule, "canarySubsetName": "canary", "stableSubsetName": "stable"}
    return {
        "istio": {
            "virtualService": {"name": "front", "routes": [route]},
            **({"destinationRule": subsets} if rule else {}),
        }
    }


def by_hosts() -> tuple[Cluster, Cluster]:
    routes = (primary(f"to-{name}", {"host": name}, {"host": f"{name}-canary"}) for name in ("web", "api"))
    web = Cluster(rollout(istio("to-web")), virtual_service(*routes))
    return web, of_api(istio("to-api"), web)


def by_subsets(*, api_rule: str = "rule-of-api") -> tuple[Cluster, Cluster]:
    routes = (primary(f"to-{name}", *by_subset(name)) for name in ("web", "api"))
    rules = (destination_rule(f"rule-of-{name}", name) for name in ("web", "api"))
    none = {"canaryService": "", "stableService": ""}
    web = Cluster(rollout(istio("to-web", "rule-of-web"), **none), virtual_service(*routes), *rules)
    return web, of_api(istio("to-api", api_rule), web, **none)


@pytest.mark.parametrize(("both", "to"), [(by_hosts, "web-canary"), (by_subsets, "web/canary")])
def test_a_header_route_of_another_rollout_stays_and_its_name_is_taken(both: Any, to: str):
    web, api = both()
    by_turns((web, wanted(web, 20, TEAM)), (api, wanted(api, 10)))
    assert not any(by_turns((web, wanted(web, 20, TEAM)), (api, wanted(api, 10)))), "api has the name in managedRoutes"
    before = copy.deepcopy(api.objects)
    (answer,) = passed(api, wanted(api, 20, TEAM))
    assert f"VirtualService front: route by-team leads to {to}, and is not this Rollout's" in answer.error
    assert api.objects == before
    passed(web, wanted(web, 20))
    assert passed(api, wanted(api, 20, TEAM))[0].error == ""
    assert not any(by_turns((web, wanted(web, 20)), (api, wanted(api, 20, TEAM)))[2:])


def on_alb() -> tuple[Cluster, Cluster]:
    def leading(service: str) -> Json:
        backend = {"service": {"name": service, "port": {"name": "use-annotation"}}}
        return {"path": "/*", "pathType": "ImplementationSpecific", "backend": backend}

    front = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "front"},
        "spec": {"rules": [{"http": {"paths": [leading("web"), leading("api")]}}]},
    }
    routing = {"alb": {"ingress": "front", "servicePort": 80}}
    web = Cluster(rollout(routing), front)
    return web, of_api(routing, web)


def names(there: Cluster) -> list[str | None]:
    """Of the routes, rules or paths of the shared object, in order."""
    front = next(obj for (_, name), obj in there.objects.items() if name == "front")
    spec = front["spec"]
    if "http" in spec:
        return [each.get("name") for each in spec["http"]]
    if front["kind"] == "HTTPRoute":
        return [each.get("name") for each in spec["rules"]]
    return [each["backend"]["service"]["name"] for each in spec["rules"][0]["http"]["paths"]]


SETTLED = 2
"""Rounds after which neither writes: subsets move in the first one, and weights rise in the second."""


@pytest.mark.parametrize(
    ("both", "one", "there"),
    [
        (on_gateway, TEAM, [None, None, "by-team", "by-user"]),
        (by_hosts, TEAM, ["by-user", "by-team", "to-web", "to-api"]),
        (by_subsets, TEAM, ["by-user", "by-team", "to-web", "to-api"]),
        (by_hosts, COPY, ["by-user", "copy", "to-web", "to-api"]),
        (by_subsets, COPY, ["by-user", "copy", "to-web", "to-api"]),
        (on_alb, TEAM, ["by-user", "by-team", "web", "api"]),
    ],
)
def test_header_and_mirror_routes_of_two_rollouts_keep_their_places(
    both: Any, one: SetHeaderRoute | SetMirrorRoute, there: list[str | None]
):
    """Each Rollout wanted the first place, or the last, and both wrote for ever."""
    web, api = both()
    ours, theirs = {"managed": (one.name,)}, {"managed": (USER.name,)}
    turns = by_turns((web, wanted(web, 20, one, **ours)), (api, wanted(api, 10, USER, **theirs)))
    assert not any(turns[2 * SETTLED :]), turns
    assert names(web) == there
    assert not any(by_turns((web, wanted(web, 30, one, **ours)), (api, wanted(api, 10, USER, **theirs)))[2:])
    by_turns((web, wanted(web, 0, **ours)), (api, wanted(api, 10, USER, **theirs)))
    assert names(web) == [name for name in there if name != one.name], "the other's route stays"
    assert not any(by_turns((web, wanted(web, 0, **ours)), (api, wanted(api, 10, USER, **theirs)))[2:])


@pytest.mark.parametrize(("both", "to"), [(by_hosts, "web, web-canary"), (by_subsets, "web/stable, web/canary")])
def test_a_mirror_route_of_another_rollout_stays_and_its_name_is_taken(both: Any, to: str):
    web, api = both()
    named = {"managed": (COPY.name,)}
    by_turns((web, wanted(web, 20, COPY, **named)), (api, wanted(api, 10, **named)))
    before = copy.deepcopy(api.objects)
    (answer,) = passed(api, wanted(api, 20, COPY, **named))
    assert f"VirtualService front: route copy leads to {to}, and is not this Rollout's" in answer.error
    assert api.objects == before


@pytest.mark.parametrize("both", [on_gateway, by_hosts, by_subsets, on_alb])
def test_a_rollout_that_lets_the_object_go_leaves_the_header_route_of_the_other_one(both: Any):
    web, api = both()
    by_turns((web, wanted(web, 20, TEAM)), (api, wanted(api, 10)))
    for _ in range(3):
        api.release(managed=(TEAM.name,))
    assert TEAM.name in names(web)
    assert not any(by_turns((web, wanted(web, 20, TEAM)))[1:]), "a label that both have may be written again"


def test_a_route_of_the_user_with_the_form_of_a_header_route_comes_after_ours():
    """Only where it was put before ours by another writer does it stay there."""
    beta = {
        "name": "beta",
        "match": [{"headers": {"X": {"exact": "1"}}}],
        "route": [{"destination": {"host": "x"}, "weight": 100}],
    }
    (web, _) = by_hosts()
    front = web.get("VirtualService.networking.istio.io", "front")
    web.put({**front, "spec": {"http": [beta, *front["spec"]["http"]]}})
    passed(web, wanted(web, 20, TEAM))
    assert names(web)[:2] == ["by-team", "beta"]


def test_subsets_of_another_host_are_an_error_that_names_both_hosts():
    """Two DestinationRules may have subsets of equal names: both Rollouts wrote the route."""
    web, _ = by_subsets()
    other = of_api(istio("to-web", "rule-of-api"), web, canaryService="", stableService="")
    (answer,) = passed(other, wanted(other, 20))
    assert answer.error == (
        "route to-web of a VirtualService leads to subsets of host web, and DestinationRule rule-of-api, spec.host, is of api: "
        "name the DestinationRule of web"
    )
    assert answer.writes == ()


@pytest.mark.parametrize("service", ["web:80", "web", "https://web.shop.svc:443/x", "web.shop"])
def test_a_mapping_leads_to_the_service_that_it_names(service: str):
    mapping = {
        "apiVersion": "getambassador.io/v2",
        "kind": "Mapping",
        "metadata": {"name": "front"},
        "spec": {"service": service},
    }
    there = Cluster(rollout({"ambassador": {"mappings": ["front"]}}), mapping)
    assert there.error(20) == ""
    other = of_api({"ambassador": {"mappings": ["front"]}}, there, canaryService="we-canary", stableService="we")
    (answer,) = passed(other, wanted(other, 20))
    assert answer.error == f'Mapping front leads to "{service}", not to the stable Service we'
