"""APISIX: weights in rules of an ApisixRoute, header routes as further ApisixRoutes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.api.names import LAST_APPLIED
from serinus.api.rollout import HeaderRoutingMatch, SetHeaderRoute, StringMatch
from serinus.routing.apisix import KIND
from tests.sim.generate import generate
from tests.sim.history import NAME
from tests.sim.routers import CANARY, HEADER_ROUTE, MODELS, RouterModel, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import played
from tests.support.plays.recordings import reference
from tests.support.plays.story import moments
from tests.support.routing.plain import OWNER, Cluster, invalid, rollout, texts

Json = dict[str, Any]
ROUTING: Json = {"apisix": {"route": {"name": "front", "rules": ["r1"]}}}
MANAGED = ("by-team", "second")


def backend(name: str, weight: int | None = None) -> Json:
    return {"serviceName": name, "servicePort": 80} | ({} if weight is None else {"weight": weight})


def rule(name: str, *backends: Json, **more: Any) -> Json:
    return {"name": name, "match": {"hosts": ["a"], "paths": ["/*"]}, "backends": list(backends), **more}


def apisix_route(*rules: Json, name: str = "front", owner: Json | None = None, **spec: Any) -> Json:
    owners = {"ownerReferences": [owner]} if owner else {}
    return {
        "apiVersion": "apisix.apache.org/v2",
        "kind": "ApisixRoute",
        "metadata": {
            "name": name,
            "labels": {"team": "shop"},
            "annotations": {"note": "x", LAST_APPLIED: "{}"},
            **owners,
        },
        "spec": {"ingressClassName": "apisix", "http": list(rules), **spec},
    }


def cluster(*objects: Json, rules: list[str] | None = None, **options: Any) -> Cluster:
    given = {"route": {"name": "front", "rules": ["r1"] if rules is None else rules}}
    routing = {"apisix": given, "managedRoutes": [{"name": name} for name in MANAGED]}
    return Cluster(rollout(routing), *objects, **options)


def header(name: str, **value: str) -> SetHeaderRoute:
    return SetHeaderRoute(name, [HeaderRoutingMatch("X-Team", StringMatch(**value))])


@pytest.mark.parametrize("weight", [0, 1, 20, 100])
def test_the_named_rule_gets_the_weights_and_nothing_else_changes(weight: int):
    other = rule("r2", backend("web", 3), backend("web-canary", 4))
    before = apisix_route(
        rule("r1", backend("web", 100), backend("x", 7), backend("web-canary", 40), priority=5), other
    )
    there = cluster(before)
    assert list(texts(there.route(weight))) == ["patch ApisixRoute front"]
    wanted = copy.deepcopy(before["spec"])
    wanted["http"][0]["backends"] = [backend("web", 100 - weight), backend("x", 7), backend("web-canary", weight)]
    assert there.get(KIND, "front")["spec"] == wanted
    assert there.get(KIND, "front")["metadata"]["labels"] == {"team": "shop"}
    assert there.route(weight) == []


def test_several_rules_or_the_one_with_the_routes_name():
    both = [rule(name, backend("web"), backend("web-canary")) for name in ("front", "r2")]
    there = cluster(apisix_route(*both), rules=["r2", "front"])
    there.route(20)
    assert [r["backends"][1]["weight"] for r in there.get(KIND, "front")["spec"]["http"]] == [20, 20]
    there = cluster(apisix_route(*both), rules=[])
    there.route(20)
    assert [r["backends"][1].get("weight") for r in there.get(KIND, "front")["spec"]["http"]] == [20, None]


FRONT = apisix_route(rule("r1", backend("web", 90), backend("web-canary", 10)), rule("r2", backend("web")))


@pytest.mark.parametrize(
    ("value", "op", "text"),
    [
        ({"exact": "a"}, "Equal", "a"),
        ({"regex": "^b"}, "RegexMatch", "^b"),
        ({"prefix": "c"}, "RegexMatch", "^c.*"),
    ],
)
def test_a_header_route_is_a_second_route_to_the_canary_alone(value: Json, op: str, text: str):
    there = cluster(FRONT)
    (write,) = there.route(10, routes=(header("by-team", **value),), managed=MANAGED)
    assert write.verb == "create"
    made = there.get(KIND, "by-team")
    assert made["metadata"]["ownerReferences"] == [OWNER]
    assert made["metadata"]["labels"] == {"team": "shop"}
    assert made["metadata"]["annotations"] == {"note": "x"}, "kubectl did not apply this one"
    expr = {"subject": {"scope": "Header", "name": "X-Team"}, "op": op, "value": text}
    assert made["spec"] == {
        "ingressClassName": "apisix",
        "http": [
            {
                "name": "r1",
                "match": {"hosts": ["a"], "paths": ["/*"], "exprs": [expr]},
                "backends": [backend("web-canary", 100)],
                "priority": 1,
            },
            rule("r2", backend("web")),
        ],
    }


def test_a_header_route_is_replaced_follows_the_users_route_and_goes():
    there = cluster(FRONT)
    there.route(10, routes=(header("by-team", exact="a"), header("second", exact="b")), managed=MANAGED)
    (write,) = there.route(10, routes=(header("by-team", exact="c"), header("second", exact="b")), managed=MANAGED)
    assert (write.verb, write.name) == ("patch", "by-team")
    changed = apisix_route(rule("r1", backend("web", 90), backend("web-canary", 10), priority=8, plugins=["p"]))
    there.put(changed)
    there.route(10, routes=(header("by-team", exact="c"),), managed=MANAGED)
    (first,) = there.get(KIND, "by-team")["spec"]["http"]
    assert (first["priority"], first["plugins"]) == (9, ["p"])
    assert (KIND.key, "second") not in there.objects
    assert list(texts(there.route(0, managed=MANAGED))) == ["patch ApisixRoute front", "delete ApisixRoute by-team"]


def test_a_route_of_somebody_else_is_neither_written_nor_deleted():
    foreign = apisix_route(name="by-team")
    there = cluster(FRONT, foreign)
    assert there.error(10, routes=(header("by-team", exact="a"),), managed=MANAGED) == (
        "duplicate ApisixRoute [by-team] already exists: no Rollout made it; delete it, or give the header route another name"
    )
    there.route(0, managed=MANAGED)
    assert there.get(KIND, "by-team")["spec"] == foreign["spec"]
    there.put(apisix_route(name="by-team", owner={**OWNER, "name": "other", "uid": "2"}))
    assert "Rollout other controls it" in there.error(10, routes=(header("by-team", exact="a"),), managed=MANAGED)


def test_letting_go_leaves_all_traffic_with_the_stable_service_and_no_header_route():
    there = cluster(FRONT)
    there.route(40, routes=(header("by-team", exact="a"),), managed=MANAGED)
    there.release(managed=MANAGED)
    assert [b["weight"] for b in there.get(KIND, "front")["spec"]["http"][0]["backends"]] == [100, 0]
    assert (KIND.key, "by-team") not in there.objects


def test_a_header_route_goes_although_the_users_route_is_gone_or_stays_with_the_rollout():
    there = cluster(FRONT)
    there.route(40, routes=(header("by-team", exact="a"),), managed=MANAGED)
    del there.objects[KIND.key, "front"]
    assert list(texts(there.release(managed=MANAGED))) == ["delete ApisixRoute by-team"]


def _at(name: str = "r1") -> str:
    return f": ApisixRoute front, rule {name}"


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ((), 'apisixroutes.apisix.apache.org "front" not found'),
        ((apisix_route(),), "spec.http was not found in Apisix Route manifest" + _at()),
        ((apisix_route(rule("r2")),), "Apisix http route rule r1 not found" + _at()),
        ((apisix_route({"match": {}}),), "Apisix http route rule name field not found" + _at()),
        ((apisix_route(rule("r1")),), "Apisix http route backends not found" + _at()),
        ((apisix_route(rule("r1", {"servicePort": 1})),), "serviceName field was not found in backend" + _at()),
        ((apisix_route(rule("r1", backend("web"))),), "apisix route web-canary backend was not found" + _at()),
        ((apisix_route(rule("r1", backend("web-canary"))),), "apisix route web backend was not found" + _at()),
    ],
)
def test_a_route_that_has_no_place_for_the_weights(objects: tuple[Json, ...], text: str):
    assert cluster(*objects).error(20) == text


def test_without_the_definition_it_is_named():
    assert cluster(served={KIND.key: ""}).error() == (
        "the API server does not serve apisixroutes.apisix.apache.org: install the definition of ApisixRoute"
    )


@pytest.mark.parametrize(
    "spec", [None, {}, [], {"http": "x"}, {"http": [1]}, {"http": [{"name": "r1", "backends": 3}]}]
)
def test_a_route_of_any_shape_is_an_error_and_no_exception(spec: Any):
    assert cluster({**apisix_route(), "spec": spec}).error(20, routes=(header("by-team", exact="a"),))


@pytest.mark.parametrize("more", [{"match": 3}, {"match": None, "priority": "x"}, {"plugins": None}])
def test_a_rule_of_an_odd_shape_gets_its_header_route(more: Json):
    there = cluster(apisix_route({**rule("r1", backend("web"), backend("web-canary")), **more}))
    there.route(20, routes=(header("by-team", exact="a"),), managed=MANAGED)
    assert there.get(KIND, "by-team")["spec"]["http"][0]["priority"] == 1


@pytest.mark.parametrize("part", [{}, {"route": {}}, {"route": None}])
def test_a_rollout_without_the_name_is_invalid(part: Json):
    assert "spec.strategy.canary.trafficRouting.apisix.route.name: Required value" in invalid(rollout({"apisix": part}))


def _weight(front: Json) -> tuple[str, int, int] | None:
    weights = {each["serviceName"]: each.get("weight", 100) for each in front["spec"]["http"][0]["backends"]}
    return CANARY, weights[CANARY], sum(weights.values())


def _by_hand(front: Json) -> Json:
    first = front["spec"]["http"][0]
    backends = [{**each, "weight": 100 if each["serviceName"] == NAME else 0} for each in first["backends"]]
    return {"spec": {"http": [{**first, "backends": backends}]}}


MODELS["apisix"] = RouterModel(
    routing=ROUTING,
    plural="apisixroutes",
    name="front",
    objects=(apisix_route(rule("r1", backend(NAME, 100), backend(CANARY, 0))),),
    weight=_weight,
    by_hand=_by_hand,
    ours=("spec.http",),
    headers=lambda found: found["metadata"]["name"] == HEADER_ROUTE,
    header_object=("apisixroutes", HEADER_ROUTE),
    able=("header",),
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), "apisix")
    if history is not None:
        assert [str(v) for v in run(history).violations] == []


def heals_after(trace: list[Json]) -> float:
    """Seconds from the last edit of the user until Healthy."""
    healthy = next(m.t for m in moments(trace) if m.line.get("status.phase") == "Healthy")
    return healthy - max(line["t"] for line in trace if str(line.get("do")).startswith("patch"))


def refusals(trace: list[Json]) -> int:
    return sum(line.get("event") == "Warning TrafficRoutingError" for line in trace)


def test_a_mended_rule_heals_at_once_and_each_cause_is_told_once():
    theirs, ours = reference("apisix-missing"), played("apisix-missing").trace
    assert heals_after(theirs) > 10
    assert heals_after(ours) < 1
    assert (refusals(theirs) > 10, refusals(ours)) == (True, 3)
