"""Contour's HTTPProxy, with the configuration of the plugin `argoproj-labs/contour`."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.contour import KIND
from tests.sim.generate import generate
from tests.sim.history import NAME
from tests.sim.routers import CANARY, MODELS, RouterModel, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
PLUGIN = "argoproj-labs/contour"
AT = f"spec.strategy.canary.trafficRouting.plugins.{PLUGIN}"
FAILED = "failed to set weight via plugin: "


def routing(**config: Any) -> Json:
    return {"plugins": {PLUGIN: config or {"httpProxies": ["front"]}}}


def entry(name: str, weight: int | None = None, **more: Any) -> Json:
    return {"name": name, "port": 80, **more} | ({} if weight is None else {"weight": weight})


def to(*services: Json, **more: Any) -> Json:
    return {"conditions": [{"prefix": "/"}], "services": list(services), **more}


def proxy(*routes: Json, name: str = "front", status: Json | None = None, **meta: Any) -> Json:
    return {
        "apiVersion": "projectcontour.io/v1",
        "kind": "HTTPProxy",
        "metadata": {"name": name, "labels": {"team": "shop"}, **meta},
        "spec": {"virtualhost": {"fqdn": "web.test"}, "routes": list(routes)},
        **({"status": status} if status else {}),
    }


def valid(status: str, observed: int | None) -> Json:
    condition = {"type": "Valid", "status": status} | ({} if observed is None else {"observedGeneration": observed})
    return {"currentStatus": "valid", "conditions": [condition]}


def cluster(*objects: Json, config: Json | None = None) -> Cluster:
    return Cluster(rollout(config or routing()), *objects)


def weights(there: Cluster, name: str = "front") -> list[dict[str, int | None]]:
    spec = there.get(KIND, name)["spec"]
    return [{each["name"]: each.get("weight") for each in route["services"]} for route in spec["routes"]]


@pytest.mark.parametrize("weight", [0, 1, 20, 100])
def test_both_services_get_their_weights_and_nothing_else_changes(weight: int):
    only, mirror = to(entry("web-canary"), retryPolicy={"count": 3}), entry("copy", mirror=True)
    there = cluster(proxy(only, to(entry("web"), entry("web-canary"), mirror)))
    assert list(texts(there.route(weight))) == ["patch HTTPProxy front"]
    assert there.get(KIND, "front")["spec"] == {
        "virtualhost": {"fqdn": "web.test"},
        "routes": [only, to(entry("web", 100 - weight), entry("web-canary", weight), mirror)],
    }
    assert there.route(weight) == []


def test_every_route_with_both_services_gets_the_weights():
    """The plugin gives them to the last one alone."""
    both = to(entry("web", 100), entry("web-canary", 0))
    there = cluster(proxy(both, both))
    there.route(20)
    assert weights(there) == [{"web": 80, "web-canary": 20}] * 2


def test_tcp_is_divided_too():
    tcp = {"tcpproxy": {"services": [entry("web", 100), entry("web-canary", 0)]}}
    there = cluster({**proxy(), "spec": tcp})
    there.route(20)
    assert [each["weight"] for each in there.get(KIND, "front")["spec"]["tcpproxy"]["services"]] == [80, 20]


def test_foreign_services_keep_their_weights_and_the_rest_is_divided():
    there = cluster(proxy(to(entry("web", 80), entry("web-canary", 0), entry("old", 20))))
    there.route(50)
    assert weights(there) == [{"web": 40, "web-canary": 40, "old": 20}]


def test_proxies_of_another_namespace_and_of_both_fields_are_written():
    config = routing(httpProxy="one", httpProxies=["two"], namespace="edge")
    objects = [
        proxy(to(entry("web", 100), entry("web-canary", 0)), name=name, namespace="edge") for name in ("one", "two")
    ]
    there = cluster(*objects, config=config)
    assert list(texts(there.route(20))) == ["patch HTTPProxy edge/one", "patch HTTPProxy edge/two"]


def test_max_traffic_weight_is_the_whole():
    there = cluster(proxy(to(entry("web"), entry("web-canary"))))
    there.route(15, max_weight=1000)
    assert weights(there) == [{"web": 985, "web-canary": 15}]


def test_letting_go_leaves_all_traffic_with_the_stable_service():
    there = cluster(proxy(to(entry("web", 60), entry("web-canary", 40))))
    assert len(there.release()) == 1
    assert weights(there) == [{"web": 100, "web-canary": 0}]


@pytest.mark.parametrize(
    ("status", "verified", "why"),
    [
        (None, None, ""),
        (valid("True", 3), True, ""),
        (valid("True", 2), False, "HTTPProxy front: Contour has reported on generation 2, and not on 3 yet"),
        (valid("True", None), True, ""),
        (valid("False", 3), False, "HTTPProxy front: Contour reports Valid False"),
    ],
    ids=["no status", "accepted", "of an earlier generation", "without a generation", "invalid"],
)
def test_a_weight_is_verified_when_contour_has_accepted_the_object(
    status: Json | None, verified: bool | None, why: str
):
    there = cluster(proxy(to(entry("web", 80), entry("web-canary", 20)), status=status, generation=3))
    (answer,) = there.answers(there.traffic(20))
    assert (answer.verified, answer.unverified) == (verified, why)


def test_a_weight_that_is_being_written_is_not_verified_yet():
    there = cluster(proxy(to(entry("web", 100), entry("web-canary", 0)), status=valid("True", 3), generation=3))
    assert [answer.verified for answer in there.answers(there.traffic(20))] == [False]


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ((), 'httpproxies.projectcontour.io "front" not found'),
        (
            (proxy(to(entry("web"))),),
            "the service: web-canary is not found in HTTPProxy: add it to spec.routes[].services of front",
        ),
        (
            (proxy(to(entry("web-canary"))),),
            "the service: web is not found in HTTPProxy: add it to spec.routes[].services of front",
        ),
        (
            (proxy(to(entry("web")), to(entry("web-canary"))),),
            "no route of HTTPProxy front has both web and web-canary in its services",
        ),
        (
            (proxy(to(entry("web", 0), entry("web-canary", 0), entry("old", 100))),),
            "other services of a route of HTTPProxy front have 100 of 100: lower their weights, so that web and web-canary "
            "have a share",
        ),
    ],
    ids=["missing", "no canary", "no stable", "apart", "no share left"],
)
def test_an_object_that_has_no_place_for_the_weights(objects: tuple[Json, ...], text: str):
    assert cluster(*objects).error(20) == FAILED + text


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {},
        3,
        {"routes": 1},
        {"routes": [1]},
        {"routes": [{"services": {"a": 1}}]},
        {"routes": [{"services": [{"name": []}]}]},
    ],
)
def test_an_object_of_any_shape_is_an_error_and_no_exception(spec: Any):
    assert cluster({**proxy(), "spec": spec}).error(20)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"namespace": "edge"}, f"{AT}.httpProxies: Required value: the names of HTTPProxies"),
        ({"httpProxies": [""]}, f"{AT}.httpProxies[0]: Required value: the name of an HTTPProxy"),
        ({"httpProxies": "front"}, f"{AT}.httpProxies: Expected `array`, got `str`"),
    ],
)
def test_a_configuration_that_names_no_proxy_is_invalid(config: Json, text: str):
    assert invalid(rollout({"plugins": {PLUGIN: config}}), objects={}) == text


def _weight(found: Json) -> tuple[str, int, int] | None:
    (route,) = found["spec"]["routes"]
    there = {each["name"]: each.get("weight", 0) for each in route["services"]}
    return CANARY, there[CANARY], sum(there.values())


def _by_hand(found: Json) -> Json:
    (route,) = found["spec"]["routes"]
    services = [{**each, "weight": 100 if each["name"] == NAME else 0} for each in route["services"]]
    return {"spec": {"routes": [{**route, "services": services}]}}


MODELS[PLUGIN] = RouterModel(
    routing=routing(),
    plural="httpproxies",
    name="front",
    objects=(proxy(to(entry(NAME, 100), entry(CANARY, 0))),),
    weight=_weight,
    by_hand=_by_hand,
    ours=("spec.routes",),
    report=lambda generation: valid("True", generation),
    able=("ping-pong", "reports"),
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), PLUGIN)
    if history is not None:
        assert [str(v) for v in run(history).violations] == []
