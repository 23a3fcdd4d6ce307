"""Routes of the Gateway API."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.routing.gateway_api import GRPC, HTTP, NO_ROUTES, TCP, TLS
from serinus.routing.router import Objects
from tests.sim.generate import generate
from tests.sim.history import NAME
from tests.sim.routers import CANARY, HEADER_ROUTE, MODELS, RouterModel, with_header_routes, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import played
from tests.support.plays.recordings import reference
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
PATH = "spec.strategy.canary.trafficRouting.plugins.argoproj-labs/gatewayAPI"
LABEL = "rollouts.argoproj.io/gatewayapi-canary"
PREFIX = {"path": {"type": "PathPrefix", "value": "/"}}
FAILED = "failed to set weight via plugin"


def routing(**config: Any) -> Json:
    return {"plugins": {"argoproj-labs/gatewayAPI": config}}


def managed(*names: str, **config: Any) -> Json:
    return {**routing(**(config or {"httpRoute": "web"})), "managedRoutes": [{"name": name} for name in names]}


def backend(name: str, weight: int | None = None, **more: Any) -> Json:
    return {"name": name, "port": 80, **more} | ({} if weight is None else {"weight": weight})


def both(canary: int = 0, top: int = 100, **more: Any) -> Json:
    return {"backendRefs": [backend("web", top - canary), backend("web-canary", canary)], **more}


def route(*rules: Any, kind: str = "HTTPRoute", name: str = "web", spec: Json | None = None, **metadata: Any) -> Json:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "generation": 3, **metadata},
        "spec": {"parentRefs": [{"name": "gw"}], "hostnames": ["web.test"], "rules": list(rules), **(spec or {})},
    }


def cluster(*objects: Json, served: dict[str, str] | None = None, **config: Any) -> Cluster:
    return Cluster(rollout(routing(**(config or {"httpRoute": "web"}))), *objects, served=served)


def header_step(name: str, **value: str) -> Json:
    return {"setHeaderRoute": {"name": name, "match": [{"headerName": "X-Team", "headerValue": value}]}}


def with_headers(step: Json, *rules: Json, kind: str = "HTTPRoute", **config: Any) -> Cluster:
    return Cluster(rollout(managed("by-header", "second", **config), step), route(*rules, kind=kind))


def rules(there: Cluster, name: str = "web") -> list[Json]:
    return there.get(HTTP, name)["spec"]["rules"]


def active(there: Cluster) -> tuple[Any, ...]:
    canary = there.rollout.spec.strategy.canary
    assert canary is not None
    return tuple(step.set_header_route for step in canary.steps if step.set_header_route)


MANAGED = ("by-header", "second")


@pytest.mark.parametrize("weight", [0, 1, 20, 100])
def test_both_services_get_their_weights_and_nothing_else_changes(weight: int):
    other = {"name": "other", "backendRefs": [backend("other", 7)], "timeouts": {"request": "5s"}}
    before = route(
        both(40, matches=[PREFIX], futureField={"a": [1]}), other, labels={"team": "shop"}, annotations={"a": "b"}
    )
    there = cluster(copy.deepcopy(before))
    assert list(texts(there.route(weight))) == ["patch HTTPRoute web"]
    after = there.get(HTTP, "web")
    assert after["spec"] == {
        **before["spec"],
        "rules": [both(weight, matches=[PREFIX], futureField={"a": [1]}), other],
    }
    assert after["metadata"]["labels"] == {"team": "shop"} | ({LABEL: "in-progress"} if weight else {})
    assert after["metadata"]["annotations"] == {"a": "b"}


def test_what_has_its_weights_is_not_written():
    assert cluster(route(both(0))).route(0) == []
    there = cluster(route(both(0)))
    there.route(20)
    assert there.route(20) == []


def test_weights_are_out_of_max_traffic_weight():
    there = cluster(route(both(0)))
    there.route(250, max_weight=1000)
    assert rules(there) == [both(250, 1000)]


def test_every_rule_with_both_services_gets_the_weights_and_no_other():
    only_canary: Json = {"name": "canary-1", "backendRefs": [backend("web-canary")]}
    only_stable: Json = {"backendRefs": [backend("web")]}
    elsewhere = {"backendRefs": [backend("web", namespace="other"), backend("web-canary", namespace="other")]}
    own = {"backendRefs": [backend("web", 1, namespace="shop"), backend("web-canary", 1, namespace="shop")]}
    there = cluster(route(both(0), only_canary, only_stable, elsewhere, own, {"backendRefs": None}, {}, "odd", None))
    there.route(100)
    expected = [backend("web", 0, namespace="shop"), backend("web-canary", 100, namespace="shop")]
    others = [only_canary, only_stable, elsewhere]
    assert there.route(100, managed=MANAGED) == []
    assert rules(there) == [both(100), *others, {"backendRefs": expected}, {"backendRefs": None}, {}, "odd", None]
    there.release(managed=MANAGED)
    assert rules(there)[1:4] == others, "a rule of the user's whose only backend is the canary Service stays"


@pytest.mark.parametrize(("of", "kind"), [("http", HTTP), ("grpc", GRPC), ("tcp", TCP), ("tls", TLS)])
def test_each_kind_of_route_by_name_by_list_and_by_labels(of: str, kind: Any):
    names = ("one", "two", "three")
    routes = [route(both(0), kind=kind.kind, name=name, labels={"app": name}) for name in (*names, "four")]
    config: Json = {f"{of}Route": "one", f"{of}Routes": [{"name": "two"}, {"name": "one"}]}
    selector: Json = {
        f"{of}RouteSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["three"]}]}
    }
    there = cluster(*routes, served=None, **config, **selector)
    assert list(texts(there.route(30))) == [f"patch {kind.kind} {name}" for name in names]
    assert [there.get(kind, name)["spec"]["rules"] for name in names] == [[both(30)]] * 3
    assert there.get(kind, "four")["spec"]["rules"] == [both(0)]


def test_routes_of_another_namespace():
    ours = route(both(0), namespace="mesh", name="web")
    labelled = route(both(0), namespace="mesh", name="more", labels={"a": "b"})
    near = route(both(0), name="near", labels={"a": "b"})
    selector = {"matchLabels": {"a": "b"}}
    there = cluster(ours, labelled, near, httpRoute="web", namespace="mesh", httpRouteSelector=selector)
    assert list(texts(there.route(30))) == ["patch HTTPRoute mesh/web", "patch HTTPRoute mesh/more"]
    assert cluster(route(both(0)), httpRoute="web", namespace="shop").route(30), "the Rollout's own may be named"


def test_the_label_is_of_the_users_choice():
    there = cluster(route(both(0)), httpRoute="web", inProgressLabelKey="canary", inProgressLabelValue="yes")
    there.route(5)
    assert there.get(HTTP, "web")["metadata"]["labels"] == {"canary": "yes"}
    there.route(0)
    assert not there.get(HTTP, "web")["metadata"]["labels"]


def test_no_label_is_written_where_it_is_disabled():
    there = cluster(route(both(0), labels={LABEL: "mine"}), httpRoute="web", disableInProgressLabel=True)
    there.route(5)
    there.route(0)
    assert there.get(HTTP, "web")["metadata"]["labels"] == {LABEL: "mine"}


def test_services_of_an_experiment_come_and_go():
    made = {"web-77f97bbcbf-2-1-baseline": 5, "trial": 10}
    experiment = {"experiment": {"templates": [{"name": "a", "specRef": "canary", "service": {"name": "trial"}}]}}
    there = Cluster(rollout(routing(httpRoute="web"), experiment), route(both(0), both(0)))
    there.route(20, additional=made, additional_ports={"trial": 8080})
    more = [
        {"name": "web-77f97bbcbf-2-1-baseline", "namespace": "shop", "port": 80, "weight": 5},
        {"name": "trial", "namespace": "shop", "port": 8080, "weight": 10},
    ]
    divided = {"backendRefs": [backend("web", 65), backend("web-canary", 20), *more]}
    assert rules(there) == [divided, divided]
    assert there.route(20, additional=made, additional_ports={"trial": 8080}) == []
    there.route(20)
    assert rules(there) == [both(20), both(20)]


def test_another_service_with_a_share_of_its_own_stays():
    rule = {"backendRefs": [backend("web", 50), backend("other", 7), backend("web-canary", 0), "odd"]}
    there = cluster(route(rule))
    there.route(20)
    assert rules(there)[0]["backendRefs"] == [backend("web", 80), backend("other", 7), backend("web-canary", 20), "odd"]


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ({"exact": "a"}, {"type": "Exact", "value": "a"}),
        ({"prefix": "a.b"}, {"type": "RegularExpression", "value": r"a\.b.*"}),
        ({"regex": "^b"}, {"type": "RegularExpression", "value": "^b"}),
    ],
)
@pytest.mark.parametrize("kind", [HTTP, GRPC], ids=["http", "grpc"])
def test_a_header_route_is_a_rule_for_each_rule_with_both_services(value: Json, header: Json, kind: Any):
    of = {HTTP: "httpRoute", GRPC: "grpcRoute"}[kind]
    filters = [{"type": "RequestHeaderModifier"}]
    first = both(10, matches=[PREFIX, {"headers": [{"name": "X", "value": "1"}]}], filters=filters)
    user = [first, {"backendRefs": [backend("other")]}, both(10)]
    there = with_headers(header_step("by-header", **value), *copy.deepcopy(user), kind=kind.kind, **{of: "web"})
    there.route(10, routes=active(there), managed=MANAGED)
    wanted = {"name": "X-Team", **header}
    only = [{"group": "", "kind": "Service", "name": "web-canary", "port": 80}]
    matches = [{**PREFIX, "headers": [wanted]}, {"headers": [{"name": "X", "value": "1"}, wanted]}]
    assert there.get(kind, "web")["spec"]["rules"] == [
        *user,
        {"name": "by-header", "matches": matches, "filters": filters, "backendRefs": only},
        {"name": "by-header-1", "matches": [{"headers": [wanted]}], "backendRefs": only},
    ]
    assert there.route(10, routes=active(there), managed=MANAGED) == []
    there.route(10, managed=MANAGED)
    assert there.get(kind, "web")["spec"]["rules"] == user


def test_several_header_routes_stand_in_their_order_and_one_is_replaced():
    step, other = header_step("by-header", exact="a"), header_step("second", exact="b")
    there = Cluster(rollout(managed(*MANAGED), step, other), route(both(10)))
    there.route(10, routes=active(there), managed=MANAGED)
    assert [rule.get("name") for rule in rules(there)] == [None, "by-header", "second"]
    there.rollout = rollout(managed(*MANAGED), header_step("by-header", exact="c"), other)
    there.route(10, routes=active(there), managed=MANAGED)
    values = [rule["matches"][0]["headers"][0]["value"] for rule in rules(there)[1:]]
    assert values == ["c", "b"]


def defaulted(there: Cluster, *, names: bool = True) -> None:
    """The defaults that a real API server adds to a written rule; without names of rules, an old one removes these."""
    found = there.get(HTTP, "web")
    for rule in found["spec"]["rules"][1:]:
        if not names:
            rule.pop("name", None)
        for each in rule["backendRefs"]:
            each.setdefault("weight", 1)


@pytest.mark.parametrize("names", [True, False])
def test_what_the_api_server_makes_of_a_header_route_is_not_written_again(names: bool):
    there = with_headers(header_step("by-header", exact="a"), both(10, matches=[PREFIX]))
    own = {"backendRefs": [backend("web-canary")], "matches": [{"headers": [{"name": "X-Own", "value": "1"}]}]}
    there.get(HTTP, "web")["spec"]["rules"].append(own)
    there.route(10, routes=active(there), managed=MANAGED)
    assert len(rules(there)) == 3
    defaulted(there, names=names)
    assert there.route(10, routes=active(there), managed=MANAGED) == []
    there.route(10, managed=MANAGED)
    assert rules(there) == [both(10, matches=[PREFIX]), {**own, "backendRefs": [backend("web-canary", 1)]}]


def test_a_route_of_a_list_gets_header_routes_where_it_says_so():
    step = header_step("by-header", exact="a")
    routes = [{"name": "web"}, {"name": "more", "useHeaderRoutes": True}]
    there = Cluster(rollout(managed(*MANAGED, httpRoutes=routes), step), route(both(0)), route(both(0), name="more"))
    there.route(0, routes=active(there), managed=MANAGED)
    assert (len(rules(there)), len(rules(there, "more"))) == (1, 2)


def test_a_header_without_a_value_is_an_error():
    there = with_headers(header_step("by-header"), both(0))
    assert there.error(5, routes=active(there), managed=MANAGED).startswith(
        "failed to set header route via plugin: invalid header match type"
    )


def test_the_two_of_ping_pong_are_led():
    pair = {"pingService": "ping", "pongService": "pong"}
    rule = {"backendRefs": [backend("ping", 0), backend("pong", 100)]}
    subject = rollout(routing(httpRoute="web"), pingPong=pair, canaryService="", stableService="")
    assert invalid(subject) == ""
    there = Cluster(subject, route(rule))
    there.route(30, canary_service="ping", stable_service="pong")
    assert rules(there) == [{"backendRefs": [backend("ping", 30), backend("pong", 70)]}]


def test_letting_go_leaves_all_traffic_with_the_stable_service():
    there = with_headers(header_step("by-header", exact="a"), both(0))
    there.route(40, routes=active(there), managed=MANAGED, additional={"web-77f97bbcbf-2-1-a": 5})
    assert len(rules(there)) == 2
    assert len(there.release(managed=MANAGED)) == 1
    assert rules(there) == [both(0)]
    assert not there.get(HTTP, "web")["metadata"]["labels"]


@pytest.mark.parametrize(
    ("objects", "config", "served", "text"),
    [
        (
            (),
            {"httpRoute": "web"},
            None,
            f'{FAILED}: httproutes.gateway.networking.k8s.io "web" not found',
        ),
        (
            (),
            {"tlsRoute": "web"},
            {TLS.key: ""},
            f"{FAILED}: the API server does not serve tlsroutes.gateway.networking.k8s.io: install the definition of TLSRoute",
        ),
        (
            (route({"backendRefs": [backend("other")]}),),
            {"httpRoute": "web"},
            None,
            f"{FAILED}: backendRef was not found in httpRoute: HTTPRoute web: "
            "no rule has both web and web-canary in its backendRefs",
        ),
        (
            (route(both(0)), route({"backendRefs": [backend("web")]}, kind="GRPCRoute", name="rpc")),
            {"httpRoute": "web", "grpcRoute": "rpc"},
            None,
            f"{FAILED}: backendRef was not found in grpcRoute: GRPCRoute rpc: "
            "no rule has both web and web-canary in its backendRefs",
        ),
        (
            (route(kind="TCPRoute"),),
            {"tcpRoute": "web"},
            None,
            f"{FAILED}: backendRef list was not found in tcpRoute: TCPRoute web: "
            "no rule has both web and web-canary in its backendRefs",
        ),
        (
            (route(both(0)),),
            {"httpRouteSelector": {"matchLabels": {"a": "b"}}},
            None,
            f"{FAILED}: No routes configured: no route has the labels that httpRouteSelector selects",
        ),
    ],
    ids=["missing", "not installed", "foreign", "one Service", "empty", "no label"],
)
def test_a_route_that_has_no_place_for_the_weights(
    objects: tuple[Json, ...], config: Json, served: dict[str, str] | None, text: str
):
    assert cluster(*objects, served=served, **config).error(20) == text


ODD: list[Any] = [None, 1, "x", [], {}, [None], [1], ["x"], [[]], [{}]]


@pytest.mark.parametrize("value", ODD, ids=str)
@pytest.mark.parametrize("field", ["spec", "rules", "backendRefs", "matches", "headers", "status", "parents", "name"])
def test_a_route_of_any_shape_is_no_exception(field: str, value: Any):
    there = with_headers(header_step("by-header", exact="a"), both(10, matches=[PREFIX]))
    found = there.get(HTTP, "web")
    rule = found["spec"]["rules"][0]
    places = {
        "spec": found,
        "status": found,
        "rules": found["spec"],
        "parents": found.setdefault("status", {}),
        "headers": rule["matches"][0],
    }
    places.get(field, rule)[field] = value
    for answer in there.answers(there.traffic(5, routes=active(there), managed=MANAGED)):
        assert answer.error or answer.writes


def condition(kind: str, status: str = "True", generation: Any = 3) -> Json:
    return {"type": kind, "status": status, "observedGeneration": generation}


def parent(*conditions: Any, name: str = "gw", **ref: Any) -> Json:
    return {"parentRef": {"name": name, **ref}, "controllerName": "x/y", "conditions": list(conditions)}


GOOD = (condition("Accepted"), condition("ResolvedRefs"))


@pytest.mark.parametrize(
    ("parents", "verified"),
    [
        ([], None),
        ([parent()], None),
        ([parent(condition("Programmed", "False"))], None),
        ([parent(*GOOD)], True),
        ([parent(*GOOD, name="other")], None),
        ([parent(*GOOD, namespace="shop")], True),
        ([parent(condition("Accepted", generation=2), condition("ResolvedRefs"))], False),
        ([parent(condition("Accepted"), condition("ResolvedRefs", "False"))], False),
        ([parent(condition("Accepted", "False"))], False),
        ([parent(*GOOD), parent(condition("Accepted", "Unknown"))], False),
        ([parent(condition("Accepted", generation=None))], True),
        ([parent(*GOOD, None, "odd"), None, {"parentRef": 1}], True),
    ],
)
def test_a_weight_is_verified_by_what_the_gateways_report(parents: list[Any], verified: bool | None):
    there = cluster({**route(both(0)), "status": {"parents": parents}})
    (answer,) = there.answers(there.traffic(0))
    assert (answer.writes, answer.verified) == ((), verified)


def test_a_report_about_the_route_before_verifies_nothing():
    there = cluster({**route(both(0)), "status": {"parents": [parent(*GOOD)]}})
    (answer,) = there.answers(there.traffic(5))
    assert (len(answer.writes), answer.verified) == (1, False)


def test_all_routes_have_to_be_verified():
    stale = {"parents": [parent(condition("Accepted", generation=1))]}
    objects = (
        {**route(both(0)), "status": {"parents": [parent(*GOOD)]}},
        {**route(both(0), name="b"), "status": stale},
    )
    there = cluster(*objects, httpRoutes=[{"name": "web"}, {"name": "b"}])
    assert there.answers(there.traffic(0))[0].verified is False


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, f"{PATH}: Internal error: {NO_ROUTES}"),
        ({"httpRoutes": [{}]}, f"{PATH}.httpRoutes[0].name: Required value: the name of a HTTPRoute"),
        ({"httpRoute": 5}, f"{PATH}.httpRoute: Expected `str`, got `int`"),
        (
            {"tcpRouteSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            f'{PATH}.tcpRouteSelector: Invalid value: {{"matchExpressions":[{{"key":"a","operator":"Is"}}]}}: '
            "'Is' is not a valid label selector operator: write In, NotIn, Exists or DoesNotExist",
        ),
        (
            {"httpRouteSelector": {"matchLabels": [1]}},
            f'{PATH}.httpRouteSelector: Invalid value: {{"matchLabels":[1]}}: '
            "it must be a label selector: matchLabels and matchExpressions",
        ),
        (
            {"httpRoute": "web", "inProgressLabelKey": "a b"},
            f"{PATH}.inProgressLabelKey: Invalid value: \"a b\": the key 'a b' must be 1 to 63 letters, digits, '-', '_' or "
            "'.', with a letter or digit at both ends",
        ),
    ],
)
def test_a_configuration_that_cannot_work_is_invalid(config: Json, text: str):
    assert invalid(rollout(routing(**config))) == text


def test_every_step_of_a_canary_is_valid():
    mirror = {"setMirrorRoute": {"name": "second", "match": [{"method": {"exact": "GET"}}], "percentage": 5}}
    steps = (header_step("by-header", exact="a"), mirror, {"setWeight": 150})
    assert invalid(rollout({**managed(*MANAGED), "maxTrafficWeight": 200}, *steps)) == ""


def test_both_services_must_be_set():
    assert "Canary service and Stable service must to be set to use Traffic Routing" in invalid(
        rollout(routing(httpRoute="web"), canaryService="", stableService="")
    )


def refusals(trace: list[Json]) -> int:
    return sum(line.get("event") == "Warning TrafficRoutingError" for line in trace)


def test_a_missing_route_heals_at_once_and_each_cause_is_told_once():
    assert refusals(reference("gateway-missing")) > 10
    assert refusals(played("gateway-missing").trace) == 2


def test_the_kinds_are_read_in_the_version_that_is_served():
    served = {HTTP.key: "v1beta1"}
    assert Objects(served=served).version(HTTP) == "v1beta1"
    assert (TCP.versions[-1], TLS.versions[-1]) == ("v1alpha2", "v1alpha2")


def _weight(found: Json) -> tuple[str, int, int] | None:
    weights = {each["name"]: each.get("weight", 1) for each in found["spec"]["rules"][0]["backendRefs"]}
    return CANARY, weights[CANARY], sum(weights.values())


def _trials(found: Json) -> dict[str, int]:
    backends = found["spec"]["rules"][0]["backendRefs"]
    return {each["name"]: each.get("weight", 1) for each in backends if each["name"] not in (NAME, CANARY)}


def _by_hand(found: Json) -> Json:
    rule = found["spec"]["rules"][0]
    turned = [{**each, "weight": 0 if each["name"] == CANARY else 100} for each in rule["backendRefs"]]
    return {"spec": {"rules": [{**rule, "backendRefs": turned}]}}


MODELS["argoproj-labs/gatewayAPI"] = RouterModel(
    routing=routing(httpRoute="front"),
    plural="httproutes",
    name="front",
    objects=(route(both(0), name="front", labels={"app": "web"}),),
    weight=_weight,
    by_hand=_by_hand,
    ours=("spec.rules", f"metadata.labels.{LABEL}"),
    headers=lambda found: any(each.get("name") == HEADER_ROUTE for each in found["spec"]["rules"]),
    trials=_trials,
    report=lambda generation: {
        "parents": [parent(*(condition(kind, "True", generation) for kind in ("Accepted", "ResolvedRefs")))]
    },
    able=("header", "ping-pong", "experiment", "reports"),
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16)))
def test_requests_with_a_header_keep_every_promise(seed: int):
    history = with_router(generate(seed), "argoproj-labs/gatewayAPI")
    if history is not None:
        assert [str(v) for v in run(with_header_routes(history)).violations] == []


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), "argoproj-labs/gatewayAPI")
    if history is not None:
        assert [str(v) for v in run(history).violations] == []
