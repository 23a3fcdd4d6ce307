"""Istio's VirtualService and DestinationRule."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from serinus.api.rollout import SetHeaderRoute, SetMirrorRoute
from serinus.api.validation.rollout import validate
from serinus.engine.strategy.spec_rules import RULES
from serinus.routing.istio import RULE, SERVICE
from tests.sim.generate import generate
from tests.sim.routers import CANARY, HEADER_ROUTE, MODELS, RouterModel, Subsets, with_header_routes, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import play, played
from tests.support.plays.recordings import reference, scenario
from tests.support.plays.story import moments
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
HASH = "rollouts-pod-template-hash"
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"
SUBSETS: Json = {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}
PATH = "spec.strategy.canary.trafficRouting.istio"
BY_HEADER: Json = {"name": "by-header", "match": [{"headerName": "X-Team", "headerValue": {"exact": "a"}}]}
COPY: Json = {"name": "copy", "percentage": 50, "match": [{"method": {"exact": "GET"}, "path": {"prefix": "/api"}}]}


def to(host: str, weight: int | None = None, subset: str = "", **more: Any) -> Json:
    destination = {"host": host} | ({"subset": subset} if subset else {}) | more
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def both(canary: int = 0) -> list[Json]:
    return [to("web", 100 - canary), to("web-canary", canary)]


def by_subset(canary: int = 0) -> list[Json]:
    return [to("web", 100 - canary, "stable"), to("web", canary, "canary")]


def service(http: Any = None, /, name: str = "web", namespace: str = "shop", version: str = "v1", **spec: Any) -> Json:
    return {
        "apiVersion": f"networking.istio.io/{version}",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace, "labels": {"team": "shop"}},
        "spec": {"hosts": ["web.test"], **({} if http is None else {"http": http}), **spec},
    }


def primary(canary: int = 0) -> Json:
    return {"name": "primary", "timeout": "3s", "route": both(canary)}


def rule(canary: str = "", stable: str = "", *others: Json, **spec: Any) -> Json:
    def subset(name: str, version: str) -> Json:
        labels = {"app": "web"} | ({HASH: version} if version else {})
        return {"name": name, "labels": labels, "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}

    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "web"},
        "spec": {"host": "web", "subsets": [subset("stable", stable), *others, subset("canary", canary)], **spec},
    }


def cluster(*objects: Json, istio: Json | None = None, **options: Any) -> Cluster:
    canary = options.pop("canary", {})
    return Cluster(rollout({"istio": istio or {"virtualService": {"name": "web"}}}, **canary), *objects, **options)


def with_subsets(*objects: Json, **istio: Any) -> Cluster:
    services: Json = {"canaryService": "", "stableService": ""}
    return cluster(
        *objects, istio={"virtualService": {"name": "web"}, "destinationRule": SUBSETS, **istio}, canary=services
    )


def weights(there: Cluster, name: str = "web", protocol: str = "http", at: int = 0) -> list[int | None]:
    return [each.get("weight") for each in there.get(SERVICE, name)["spec"][protocol][at]["route"]]


def hashes(there: Cluster) -> Json:
    return {each["name"]: each["labels"].get(HASH) for each in there.get(RULE, "web")["spec"]["subsets"]}


def header(**fields: Any) -> SetHeaderRoute:
    return msgspec.convert(BY_HEADER | fields, SetHeaderRoute)


def mirror(**fields: Any) -> SetMirrorRoute:
    return msgspec.convert(COPY | fields, SetMirrorRoute)


@pytest.mark.parametrize("weight", [0, 1, 20, 100])
def test_both_hosts_get_their_weights_and_nothing_else_changes(weight: int):
    before = service([primary(40), {"name": "redirect", "redirect": {"uri": "/x"}}], x={"unknown": [1, {"a": None}]})
    there = cluster(before, istio={"virtualService": {"name": "web", "routes": ["primary"]}})
    (write,) = there.route(weight)
    assert (write.reason, write.message) == (
        "Updated VirtualService", f"VirtualService `web` set to desiredWeight '{weight}'",
    )  # fmt: skip
    wanted = copy.deepcopy(before["spec"])
    wanted["http"][0]["route"] = both(weight)
    assert there.get(SERVICE, "web")["spec"] == wanted
    assert there.get(SERVICE, "web")["metadata"]["labels"] == {"team": "shop"}
    assert list(write.body) == ["spec"]
    assert list(write.body["spec"]) == ["http"]


def test_what_has_its_weights_is_not_written():
    assert cluster(service([primary(20)])).route(20) == []
    assert with_subsets(service([{"route": by_subset(20)}]), rule("new", "old")).route(20)[0].verb == "patch"


@pytest.mark.parametrize(
    ("host", "matches"), [("web-canary.shop.svc.cluster.local", True), ("web-canary.x", True), (".web-canary", False)]
)
def test_a_host_counts_up_to_its_first_dot(host: str, matches: bool):
    there = cluster(service([{"route": [to("web", 100), to(host, 0)]}]))
    if matches:
        there.route(7)
        assert weights(there) == [93, 7]
    else:
        assert "Canary Service 'web-canary' not found in route" in there.error(7)


def test_the_first_named_routes_only_route_and_unnamed_one():
    one = cluster(service([primary()]))
    one.route(5)
    assert weights(one) == [95, 5]
    two = cluster(
        service([primary(), {"name": "b", "route": both()}, {"name": "c", "route": [to("other", 100)]}]),
        istio={"virtualService": {"name": "web", "routes": ["b", "primary"]}},
    )
    two.route(5)
    assert (weights(two), weights(two, at=1), weights(two, at=2)) == ([95, 5], [95, 5], [100])


def test_tls_and_tcp_routes_by_port_and_names():
    tls = [
        {"match": [{"port": 443, "sniHosts": ["a"]}, {"port": 443, "sniHosts": ["b"]}], "route": both()},
        {"match": [{"port": 443, "sniHosts": ["a"]}], "route": both()},
        {"match": [{"port": 443, "sniHosts": ["a"]}, {"port": 444, "sniHosts": ["b"]}], "route": both()},
    ]
    tcp = [{"match": [{"port": 1}], "route": both()}, {"route": both()}]
    istio = {
        "virtualService": {
            "name": "web", "tlsRoutes": [{"port": 443, "sniHosts": ["b", "a"]}], "tcpRoutes": [{"port": 0}],
        }
    }  # fmt: skip
    there = cluster(service(tls=tls, tcp=tcp), istio=istio)
    there.route(25)
    assert [weights(there, protocol="tls", at=i)[1] for i in range(3)] == [25, 0, 0]
    assert [weights(there, protocol="tcp", at=i)[1] for i in range(2)] == [0, 25]


def test_several_services_also_in_another_namespace_and_one_of_them_twice():
    istio = {
        "virtualServices": [
            {"name": "web", "routes": ["primary"]},
            {"name": "web", "routes": ["b"]},
            {"name": "edge.mesh"},
            {"name": "far.mesh.svc.cluster.local"},
        ]
    }
    objects = [service([primary(), {"name": "b", "route": both()}])]
    objects += [service([primary()], name=name, namespace="mesh") for name in ("edge", "far")]
    there = cluster(*objects, istio=istio)
    assert list(texts(there.route(10))) == [
        "patch VirtualService web", "patch VirtualService mesh/edge", "patch VirtualService mesh/far",
    ]  # fmt: skip
    assert (weights(there), weights(there, at=1), weights(there, "mesh/far")) == ([90, 10], [90, 10], [90, 10])


@pytest.mark.parametrize(
    ("weight", "seen", "wanted"),
    [
        (40, [to("web", 80), to("web-canary", 0), to("other", 20)], [48, 32, 20]),
        (100, [to("web", 80), to("web-canary", 0), to("other", 20)], [0, 80, 20]),
        (0, [to("web", 80), to("web-canary", 0), to("other", 20)], [80, 0, 20]),
        (1, [to("web", 10), to("web-canary", 0), to("other", 90)], [9, 1, 90]),
        (50, [to("web", 50), to("web-canary", 50), to("other", 0)], [50, 50, 0]),
    ],
)
def test_a_foreign_destination_keeps_its_weight(weight: int, seen: list[Json], wanted: list[int]):
    there = cluster(service([{"route": seen}]))
    writes = there.route(weight)
    assert weights(there) == wanted
    if weight == 40:
        assert writes[0].message == (
            "VirtualService `web` set to desiredWeight '40': other keeps 20 of 100, so the canary gets 32 and the "
            "stable version 48"
        )


def test_where_others_have_everything_there_is_no_place():
    there = cluster(service([{"route": [to("web", 0), to("web-canary", 0), to("other", 100)]}]))
    assert there.error(20) == (
        "VirtualService web: route (unnamed) gives all of 100 to other: leave a part to the Rollout"
    )


def test_header_and_mirror_routes_come_first_in_order_and_go_alone():
    port = {"number": 8080}
    there = cluster(
        service(
            [
                {"name": "x", "redirect": {}},
                {"name": "primary", "route": [to("web", 100, port=port), to("web-canary", 0)]},
            ]
        ),
        istio={"virtualService": {"name": "web", "routes": ["primary"]}},
    )
    managed = ("copy", "by-header")
    (write,) = there.route(10, routes=(mirror(), header()), managed=managed)
    assert write.message == (
        "VirtualService `web` set to desiredWeight '10'; set mirrorRoute 'copy'; set headerRoute 'by-header'"
    )
    ours = [to("web", 90, port=port), to("web-canary", 10)]
    canary = {"host": "web-canary", "port": port}
    by_header = {
        "name": "by-header",
        "match": [{"headers": {"X-Team": {"exact": "a"}}}],
        "route": [{"weight": 100, "destination": canary}],
    }
    assert there.get(SERVICE, "web")["spec"]["http"] == [
        {
            "name": "copy",
            "match": [{"method": {"exact": "GET"}, "uri": {"prefix": "/api"}}],
            "route": ours,
            "mirror": canary,
            "mirrorPercentage": {"value": 50},
        },
        by_header,
        {"name": "x", "redirect": {}},
        {"name": "primary", "route": ours},
    ]
    (write,) = there.route(30, routes=(header(),), managed=managed)
    assert write.message == "VirtualService `web` set to desiredWeight '30'; removed route copy"
    (write,) = there.route(30, managed=managed)
    assert write.message == "VirtualService `web` removed all managed routes."
    assert [route["name"] for route in there.get(SERVICE, "web")["spec"]["http"]] == ["x", "primary"]
    (write,) = there.route(30, routes=(header(),), managed=managed)
    assert write.message == "VirtualService `web` set headerRoute 'by-header'"


def test_a_mirror_route_follows_the_weights_and_does_not_hide_the_only_route():
    there = cluster(service([primary()]))
    there.route(10, routes=(mirror(percentage=None),), managed=("copy",))
    there.route(20, routes=(mirror(percentage=None),), managed=("copy",))
    assert (weights(there), weights(there, at=1)) == ([80, 20], [80, 20])
    assert there.get(SERVICE, "web")["spec"]["http"][0]["mirrorPercentage"] == {"value": 100}


def test_header_routes_need_http():
    there = cluster(service(tcp=[{"route": both()}]))
    there.route(10, managed=("by-header",))
    assert there.error(10, routes=(header(),), managed=("by-header",)) == "VirtualService web: spec.http not found"


def test_services_of_an_experiment_come_and_go():
    far = ".shop.svc.cluster.local"
    name = "web-77f97bbcbf-2-1-baseline"
    there = cluster(service([{"route": [to(f"web{far}", 100), to(f"web-canary{far}", 0), to("web-9-not-ours", 0)]}]))
    there.route(20, additional={name: 5, "other": 10})
    assert there.get(SERVICE, "web")["spec"]["http"][0]["route"][2:] == [
        to("web-9-not-ours", 0), to(f"other{far}", 10), to(f"{name}{far}", 5),
    ]  # fmt: skip
    assert weights(there) == [65, 20, 0, 10, 5]
    there.route(20, additional={"other": 10})
    assert weights(there) == [70, 20, 0, 10]


def test_a_service_that_a_step_names_goes_after_the_experiment():
    step = {
        "experiment": {"templates": [{"name": "a", "specRef": "stable", "weight": 5, "service": {"name": "trial"}}]}
    }
    there = Cluster(rollout({"istio": {"virtualService": {"name": "web"}}}, step), service([primary()]))
    there.route(20, additional={"trial": 5})
    assert weights(there) == [75, 20, 5]
    there.route(20)
    assert weights(there) == [80, 20]


def test_a_subset_leads_to_the_version_before_its_weight_rises():
    there = with_subsets(service([{"route": by_subset()}]), rule(trafficPolicy={"x": 1}))
    first, second = there.route(20)
    assert (first.kind, first.reason, first.message) == (
        RULE.key,
        "UpdatedDestinationRule",
        "DestinationRule web subset updated (canary: new, stable: old)",
    )
    assert second.kind == SERVICE.key
    assert hashes(there) == {"canary": "new", "stable": "old"}
    found = there.get(RULE, "web")
    assert found["metadata"]["annotations"] == {MANAGED_BY: "web"}
    assert found["spec"]["trafficPolicy"] == {"x": 1}
    assert found["spec"]["subsets"][0] == {
        "name": "stable", "labels": {"app": "web", HASH: "old"}, "trafficPolicy": {"tls": {"mode": "SIMPLE"}},
    }  # fmt: skip


def test_nothing_is_written_beside_the_destination_rule():
    there = with_subsets(service([{"route": by_subset()}]), rule())
    (answer,) = there.answers(there.traffic(20))
    assert [write.kind for write in answer.writes] == [RULE.key]
    assert answer.pending == "the subsets of DestinationRule web are to be seen before weights change"


def test_both_objects_are_written_in_one_pass_where_the_subset_selected_the_stable_version():
    """In whatever order a proxy receives them, requests reach pods that serve. The weight is as quick as that of other routers."""
    there = with_subsets(service([{"route": by_subset()}]), marked(rule("old", "old")))
    (answer,) = there.answers(there.traffic(20))
    assert ([write.kind for write in answer.writes], answer.pending) == ([RULE.key, SERVICE.key], "")
    (answer,) = there.answers(there.traffic(20, stable_ready=0))
    assert ([write.kind for write in answer.writes], bool(answer.pending)) == ([RULE.key], True)


@pytest.mark.parametrize(("canary", "stable"), [("before", "old"), ("", "old"), ("old", "before"), ("old", "")])
def test_a_subset_that_selected_any_other_version_is_to_be_seen_before_the_weight(canary: str, stable: str):
    there = with_subsets(service([{"route": by_subset()}]), marked(rule(canary, stable)))
    (answer,) = there.answers(there.traffic(20))
    assert ([write.kind for write in answer.writes], bool(answer.pending)) == ([RULE.key], True)


def test_a_subset_keeps_its_version_while_it_has_a_share():
    there = with_subsets(service([{"route": by_subset(20)}]), marked(rule("before", "old")))
    assert [write.kind for write in there.route(0)] == [SERVICE.key, RULE.key]
    assert hashes(there) == {"canary": "new", "stable": "old"}


def marked(found: Json) -> Json:
    found["metadata"]["annotations"] = {MANAGED_BY: "web"}
    return found


def test_a_share_in_any_service_or_by_a_header_holds_the_subset():
    two = with_subsets(
        service([{"route": by_subset()}]),
        service([{"route": by_subset(20)}], name="api"),
        marked(rule("before", "old")),
        virtualService=None,
        virtualServices=[{"name": "web"}, {"name": "api"}],
    )
    assert [write.kind for write in two.route(0)] == [SERVICE.key, RULE.key]
    by_header = {"name": "by-header", "route": [to("web", 100, "canary")]}
    led = with_subsets(service([by_header, {"route": by_subset()}]), marked(rule("before", "old")))
    assert [write.kind for write in led.route(0, managed=("by-header",))] == [SERVICE.key, RULE.key]


def test_at_the_promotion_the_stable_subset_moves_before_the_weight_comes_back():
    there = with_subsets(service([{"route": by_subset(100)}]), marked(rule("new", "old")))
    assert [write.kind for write in there.route(0, stable_hash="new")] == [RULE.key, SERVICE.key]


@pytest.mark.parametrize("now", ["", "somebody"])
def test_a_hash_that_somebody_changed_comes_back_at_once(now: str):
    there = with_subsets(service([{"route": by_subset(40)}]), marked(rule(now, now)))
    assert [write.kind for write in there.route(40)] == [RULE.key]
    assert hashes(there) == {"canary": "new", "stable": "old"}


def test_a_stable_subset_with_a_share_waits_for_ready_pods():
    there = with_subsets(service([{"route": by_subset(0)}]), marked(rule("new", "before")))
    (answer,) = there.answers(there.traffic(0, stable_ready=0))
    assert (answer.writes, answer.pending) == (
        (), "subset stable of DestinationRule web moves to old when that has ready pods",
    )  # fmt: skip


def test_foreign_subsets_stay_and_those_of_experiments_come_and_go():
    foreign: Json = {"name": "v9", "labels": {HASH: "x"}}
    name = "web-77f97bbcbf-2-1-baseline"
    there = with_subsets(service([{"route": by_subset()}]), rule("", "", foreign))
    there.route(20, additional={name: 5})
    assert there.get(RULE, "web")["spec"]["subsets"][-1] == {"name": name, "labels": {HASH: f"hash-{name}"}}
    assert weights(there) == [75, 20, 5]
    there.route(20)
    assert list(hashes(there)) == ["stable", "v9", "canary"]
    assert weights(there) == [80, 20]


def test_weights_of_additional_subsets_are_the_users():
    istio = {"virtualService": {"name": "web"}, "destinationRule": SUBSETS | {"additionalSubsetNames": ["v9"]}}
    route = [*by_subset(), to("web", 10, "v9")]
    there = with_subsets(service([{"route": route}]), rule(), **istio)
    there.route(20)
    assert weights(there) == [70, 20, 10]


def test_ping_and_pong_without_services():
    pair = {"pingPong": {"pingService": "ping", "pongService": "pong"}, "canaryService": "", "stableService": ""}
    there = cluster(service([{"route": [to("ping", 100), to("pong", 0)]}]), canary=pair)
    there.route(40, canary_service="pong", stable_service="ping")
    assert weights(there) == [60, 40]
    assert invalid(there.rollout, objects=others(there), services=None) == ""


def test_letting_go_gives_weights_back_before_the_hashes_go():
    there = with_subsets(service([{"route": by_subset(40)}]), marked(rule("new", "old")))
    assert [write.kind for write in there.release()] == [SERVICE.key]
    assert hashes(there) == {"canary": "new", "stable": "old"}
    assert [write.kind for write in there.release()] == [RULE.key]
    assert hashes(there) == {"canary": None, "stable": None}
    assert there.get(RULE, "web")["metadata"]["annotations"] == {}
    assert there.release() == []
    assert weights(there) == [100, 0]


def test_letting_go_leaves_the_destination_rule_of_another_rollout():
    found = marked(rule("new", "old"))
    found["metadata"]["annotations"][MANAGED_BY] = "other"
    assert with_subsets(service([{"route": by_subset()}]), found).release() == []


def test_what_is_missing_is_an_error_and_an_event():
    there = with_subsets(service([{"route": by_subset()}]))
    (answer,) = there.answers(there.traffic(0))
    assert answer.error == 'destinationrules.networking.istio.io "web" not found'
    assert [tuple(n) for n in answer.notices] == [("DestinationRuleNotFound", "DestinationRule `web` not found")]
    (answer,) = cluster().answers(cluster().traffic(0))
    assert answer.error == 'virtualservices.networking.istio.io "web" not found'
    assert [tuple(n) for n in answer.notices] == [("VirtualServiceNotFound", "VirtualService `web` not found")]
    lacking = with_subsets(service([{"route": by_subset()}]), {**rule(), "spec": {"host": "web"}})
    assert lacking.error(0) == (
        "DestinationRule web: spec.subsets has no subset canary: add it, with the labels of the pods"
    )
    assert cluster(served={SERVICE.key: ""}).error(0) == (
        "the API server does not serve virtualservices.networking.istio.io: install the definition of VirtualService"
    )


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_each_version_that_is_served(version: str):
    there = cluster(service([primary()], version=version), served={SERVICE.key: version})
    there.route(3)
    assert weights(there) == [97, 3]
    assert SERVICE.versions == RULE.versions == ("v1", "v1beta1", "v1alpha3")


ODD: list[Any] = [None, 3, "x", [], {}, [None], [3], [[]], [{}], [{"route": None}], [{"route": [None]}], [{"route": "x"}],
       [{"route": [{"destination": None}]}], [{"route": [{"destination": {"host": 3}, "weight": "x"}]}],
       [{"match": 3, "route": both()}], [{"match": [None, {"port": "x", "sniHosts": 3}], "route": both()}],
       [{"redirect": {}}], [{"name": 3, "mirror": 3, "route": both()}]]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("protocol", ["http", "tls", "tcp"])
def test_an_object_of_any_shape_is_an_error_and_no_exception(odd: Any, protocol: str):
    for beside in ({}, {"http": [primary()]}):
        found = {**service(), "spec": {"hosts": ["web.test"], **beside, protocol: odd}}
        for there in (cluster(found), with_subsets(found, rule()), with_subsets(service(), {**rule(), "spec": odd})):
            there.error(20, routes=(header(), mirror()), managed=("by-header", "copy"))
            invalid(there.rollout, objects=others(there))
            there.release()
    for spec in (None, 3, [], odd):
        cluster({**service(), "spec": spec}).error(20)
        with_subsets(service([{"route": by_subset()}]), {**rule(), "spec": {"subsets": spec}}).error(20)


def others(there: Cluster) -> dict[str, Json]:
    return there.seen().others


HTTP = "Istio VirtualService has invalid HTTP routes. Error: "
EXACTLY = "should be set in VirtualService and it must have exactly one route when omitting"
OMITTED = f"{EXACTLY} spec.strategy.canary.trafficRouting.istio.virtualService"
PORT = {"tlsRoutes": [{"port": 1, "sniHosts": ["x"]}]}


@pytest.mark.parametrize(
    ("found", "use", "subsets", "text"),
    [
        (service(), {}, False, "Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"),
        (service([primary()]), {"routes": ["nothing"]}, False,
         f"{HTTP}HTTP Route 'nothing' is not found in the defined Virtual Service."),
        (service([{"route": [to("web", 1)]}]), {}, False, f"{HTTP}Canary Service 'web-canary' not found in route"),
        (service([{"route": [to("web-canary", 1)]}]), {}, False, f"{HTTP}Stable Service 'web' not found in route"),
        (service([{"route": both()}]), {}, True, f"{HTTP}Canary DestinationRule subset 'canary' not found in route"),
        (service([{"route": [to("web", 0, "canary")]}]), {}, True,
         f"{HTTP}Stable DestinationRule subset 'stable' not found in route"),
        (service([{"redirect": {}}]), {}, False, f"{HTTP}Canary Service 'web-canary' not found in route"),
        (service([primary(), primary()]), {}, False, f"{HTTP}spec.http[] {OMITTED}.routes"),
        (service(tls=[{"route": both()}] * 2), {}, False,
         f"Istio VirtualService has invalid TLS routes. Error: spec.tls[] {OMITTED}.tlsRoutes"),
        (service(tcp=[{"route": both()}] * 2), {}, False,
         f"Istio VirtualService has invalid TCP routes. Error: spec.tcp[] {OMITTED}.tcpRoutes"),
        (service(tls=[{"route": both()}]), PORT, False,
         "Istio VirtualService has invalid TLS routes. Error: No matching TLS routes found in the defined Virtual Service."),
        (service(tcp=[{"route": both()}]), {"tcpRoutes": [{"port": 1}]}, False,
         "Istio VirtualService has invalid TCP routes. Error: No matching TCP routes found in the defined Virtual Service."),
    ],
)  # fmt: skip
def test_a_virtual_service_that_is_unfit(found: Json, use: Json, subsets: bool, text: str):
    istio: Json = {"virtualService": {"name": "web", **use}}
    there = with_subsets(found, **istio) if subsets else cluster(found, istio=istio)
    assert invalid(there.rollout, objects=others(there)) == f'{PATH}.virtualService.name: Invalid value: "web": {text}'
    assert there.error(20) == f"VirtualService web: {text}"
    several = {"virtualService": None, "virtualServices": [istio["virtualService"]]}
    there = with_subsets(found, **several) if subsets else cluster(found, istio=several)
    assert invalid(there.rollout, objects=others(there)) == f'{PATH}.virtualServices.name: Invalid value: "web": {text}'


EITHER = f"{PATH}: Internal error: either VirtualService or VirtualServices must be configured"


@pytest.mark.parametrize(
    ("istio", "text"),
    [
        ({}, EITHER),
        ({"virtualService": {"name": "web"}, "virtualServices": [{"name": "web"}]}, EITHER),
        ({"virtualService": {}}, f"{PATH}.virtualService.name: Required value: the name of a VirtualService"),
        ({"virtualServices": [{"name": "a"}, {}]}, f"{PATH}.virtualServices[1].name: Required value"),
        ({"virtualService": {"name": "web"}, "destinationRule": {}}, f"{PATH}.destinationRule.name: Required value"),
        (
            {"virtualService": {"name": "web"}, "destinationRule": SUBSETS | {"stableSubsetName": "canary"}},
            f'{PATH}.destinationRule.canarySubsetName: Invalid value: "canary": the canary and the stable version need',
        ),
        ({"virtualService": {"name": "web"}}, f"{PATH}.virtualService.name: Invalid value: \"web\": "
         'virtualservices.networking.istio.io "web" not found'),
        ({"virtualService": {"name": "web", "routes": 3}}, f"{PATH}.virtualService.routes: Expected `array`, got `int`"),
    ],
)  # fmt: skip
def test_a_spec_that_cannot_be_used(istio: Json, text: str):
    assert invalid(rollout({"istio": istio}), objects={}).startswith(text)


def test_services_are_needed_without_subsets_and_ping_pong():
    nothing: Json = {"canaryService": "", "stableService": ""}
    found = validate(rollout({"istio": {"virtualService": {"name": "web"}}}, **nothing), rules=RULES)
    assert found is not None
    assert "Canary service and Stable service must to be set to use Traffic Routing" in found.message
    both_kinds = {"virtualService": {"name": "web"}, "destinationRule": SUBSETS}
    assert invalid(rollout({"istio": both_kinds}, **nothing)) == ""


def _largest(found: Json, is_canary: Callable[[Json], bool]) -> tuple[str, int, int]:
    """The canary's largest weight of the routes that divide requests: the user's, and a mirror route."""
    shares: list[tuple[int, int]] = []
    for route in found["spec"]["http"]:
        weights = [(is_canary(each["destination"]), each.get("weight", 0)) for each in route["route"]]
        if len(weights) > 1:
            shares.append((sum(weight for canary, weight in weights if canary), sum(weight for _, weight in weights)))
    return CANARY, *max(shares)


def _weight(found: Json) -> tuple[str, int, int] | None:
    return _largest(found, lambda destination: destination["host"] == CANARY)


def _trials(found: Json) -> dict[str, int]:
    every = [each for route in found["spec"]["http"] for each in route["route"]]
    return {
        each["destination"]["host"]: each["weight"]
        for each in every
        if each["destination"]["host"] not in ("web", CANARY)
    }


def _report(generation: int) -> Json:
    return {"conditions": [{"type": "Reconciled", "status": "True"}], "observedGeneration": str(generation)}


def _by_header(found: Json) -> bool:
    return any(each.get("name") == HEADER_ROUTE for each in found["spec"]["http"])


MODELS["istio"] = RouterModel(
    routing={"istio": {"virtualService": {"name": "web", "routes": ["primary"]}}},
    plural="virtualservices",
    name="web",
    objects=({**service([primary()]), "metadata": {"name": "web"}},),
    weight=_weight,
    by_hand=lambda _: {"spec": {"http": [primary()]}},
    ours=("spec.http",),
    headers=_by_header,
    trials=_trials,
    report=_report,
    able=("header", "mirror", "ping-pong", "experiment", "reports"),
)


def _led(found: Json) -> dict[str, str]:
    versions = {each["name"]: each["labels"].get(HASH, "") for each in found["spec"]["subsets"]}
    return {CANARY: versions["canary"], "web": versions["stable"]}


def _weight_of_subset(found: Json) -> tuple[str, int, int] | None:
    return _largest(found, lambda destination: destination.get("subset") == "canary")


NOTED: Json = {**rule(), "metadata": {"name": "web", "annotations": {"team": "shop"}}}
MODELS["istio by subsets"] = RouterModel(
    routing={"istio": {"virtualService": {"name": "web"}, "destinationRule": SUBSETS}},
    plural="virtualservices",
    name="web",
    objects=({**service([{"route": by_subset()}]), "metadata": {"name": "web"}},),
    weight=_weight_of_subset,
    by_hand=lambda _: {"spec": {"http": [{"route": by_subset()}]}},
    ours=("spec.http",),
    headers=_by_header,
    trials=_trials,
    report=_report,
    able=("header", "mirror", "experiment", "reports"),
    subsets=Subsets("destinationrules", (NOTED,), _led, ("spec.subsets", f"metadata.annotations.{MANAGED_BY}")),
)


DRAINS = (228, 356, 410)
"""An abort without a delay, and promotions with dynamicStableScale: pods went before gateways received weights and subsets."""


@pytest.mark.parametrize("model", ["istio", "istio by subsets"])
@pytest.mark.parametrize("seed", few([*range(1, 25), *DRAINS], [6, 16, *DRAINS]))
def test_random_histories_keep_every_promise(seed: int, model: str):
    history = with_router(generate(seed), model)
    if history is not None:
        assert [str(v) for v in run(history).violations] == []


@pytest.mark.parametrize("seed", few(range(1, 25), [6, 16]))
def test_requests_with_a_header_keep_every_promise(seed: int):
    history = with_router(generate(seed), "istio")
    if history is not None:
        assert [str(v) for v in run(with_header_routes(history)).violations] == []


def ways(trace: list[Json], of: str, field: str) -> list[Any]:
    """The values of a field one after the other."""
    found = [m.field(of, field) for m in moments(trace) if m.changes(of, field)]
    return [value for i, value in enumerate(found) if i == 0 or value != found[i - 1]]


def test_an_experiment_is_two_changes_of_the_virtual_service():
    """The reference adds destinations without a host until the experiment ends, and leaves them there."""
    assert len(ways(reference("istio-experiment"), "VirtualService/web", "spec.http")) > 100
    ours = ways(played("istio-experiment").trace, "VirtualService/web", "spec.http")
    assert len(ours) < 10
    assert all(each["destination"]["host"] for http in ours for each in http[0]["route"])


def canary_subset_moves_with_a_share(trace: list[Json]) -> list[str]:
    """A move of the canary subset from one version to another while the VirtualService gives it a weight."""
    wrong: list[str] = []
    seen = [m for m in moments(trace) if m.changes("DestinationRule/web", "spec.subsets")]
    for before, after in pairwise(seen):
        was, now = (m.field("DestinationRule/web", "spec.subsets")[1]["labels"].get(HASH) for m in (before, after))
        http = after.field("VirtualService/web", "spec.http")
        if was and now and was != now and http[0]["route"][1].get("weight"):
            wrong.append(f"{after.t}: {was} to {now}")
    return wrong


def third_version() -> Json:
    """`istio-subsets` with another version while the canary has a share."""
    what = scenario("istio-subsets")
    gate = next(i for i, step in enumerate(what["do"]) if "cli" in step)
    image = {"image": ["Rollout/web", "argoproj/rollouts-demo:yellow"]}
    paused = {"wait": {"Rollout/web": {"status.phase": "Paused"}}}
    return {**what, "do": [*what["do"][:gate], image, {"sleep": 4}, paused, {"wait": {"quiet": 3}}]}


@pytest.mark.parametrize("dynamic", [False, True])
def test_the_canary_subset_never_moves_with_a_share(dynamic: bool):
    what = third_version()
    if dynamic:
        what["objects"] = what["objects"].replace("scaleDownDelaySeconds: 4", "dynamicStableScale: true")
    done = play(f"a third version, dynamic {dynamic}", what)
    assert done.troubles == []
    assert canary_subset_moves_with_a_share(done.trace) == []
    ours = [http[0]["route"][1]["weight"] for http in ways(done.trace, "VirtualService/web", "spec.http")]
    assert ours[:2] == [0, 20]
    assert 0 in ours[2:]
    assert ours[-1] == 20


def test_a_replaced_version_gives_back_what_the_stable_one_does_not_carry_yet():
    """60 of 100 are on the second version and two of four stable pods are left, when the third one appears and serves first."""
    what = scenario("istio-subsets-dynamic")
    gate = next(i for i, step in enumerate(what["do"]) if step == {"cli": "abort web"})
    image = {"image": ["Rollout/web", "argoproj/rollouts-demo:yellow"]}
    done = play("a third version at 60", {**what, "do": [*what["do"][:gate], image, {"sleep": 12}]})
    assert done.troubles == []
    assert canary_subset_moves_with_a_share(done.trace) == []
    ours = [http[0]["route"][1]["weight"] for http in ways(done.trace, "VirtualService/web", "spec.http")]
    assert ours[:3] == [0, 20, 60]
    assert ours[3] == 50, "the two stable pods carry half"
    assert 0 in ours[4:]
    assert ours[-1] == 20


def test_the_rule_about_subsets_can_fail():
    def moved(t: float, version: str) -> Json:
        subsets = rule(version, "old")["spec"]["subsets"]
        return {"t": t, "object": "DestinationRule/web", "spec.subsets": subsets}

    share = {"t": 0.0, "object": "VirtualService/web", "spec.http": [{"route": by_subset(20)}]}
    assert canary_subset_moves_with_a_share([share, moved(1.0, "a"), moved(2.0, "b")]) == ["2.0: a to b"]


def test_a_destination_rule_that_comes_later_is_noticed_at_once():
    def heals(trace: list[Json]) -> float:
        there = next(m.t for m in moments(trace) if m.object == "DestinationRule/web")
        return next(m.t for m in moments(trace) if MANAGED_BY in str(m.line)) - there

    assert heals(reference("istio-missing")) > 15
    assert heals(played("istio-missing").trace) < 1


def test_letting_go_the_weights_come_back_before_the_hashes_go():
    def at(trace: list[Json]) -> tuple[float, float]:
        http = [m.t for m in moments(trace) if m.changes("VirtualService/web", "spec.http")]
        return http[-1], [m.t for m in moments(trace) if m.changes("DestinationRule/web", "spec.subsets")][-1]

    weights_at, hashes_at = at(played("istio-let-go").trace)
    assert weights_at <= hashes_at
    ends = [
        [each["weight"] for each in ways(trace, "VirtualService/web", "spec.http")[-1][0]["route"]]
        for trace in (played("istio-let-go").trace, reference("istio-let-go"))
    ]
    assert ends == [[100, 0], [60, 40]]
