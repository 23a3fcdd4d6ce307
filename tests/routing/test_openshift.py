"""OpenShift's Route, with the configuration of the plugin `argoproj-labs/openshift`."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.openshift import KIND
from tests.sim.generate import generate
from tests.sim.history import NAME
from tests.sim.routers import CANARY, MODELS, RouterModel, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
PLUGIN = "argoproj-labs/openshift"
AT = f"spec.strategy.canary.trafficRouting.plugins.{PLUGIN}"
FAILED = "failed to set weight via plugin: "


def routing(*routes: str, **more: Any) -> Json:
    return {"plugins": {PLUGIN: {"routes": list(routes or ("front",)), **more}}}


def backend(name: str, weight: int | None = None) -> Json:
    return {"kind": "Service", "name": name} | ({} if weight is None else {"weight": weight})


def route(to: Json, *alternates: Json, name: str = "front", **spec: Any) -> Json:
    more = {"alternateBackends": list(alternates)} if alternates else {}
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"name": name, "labels": {"team": "shop"}},
        "spec": {"host": "web.test", "to": to, **more, "wildcardPolicy": "None", **spec},
    }


def cluster(*objects: Json, config: Json | None = None) -> Cluster:
    return Cluster(rollout(config or routing()), *objects)


def weights(there: Cluster, name: str = "front") -> dict[str, int | None]:
    spec = there.get(KIND, name)["spec"]
    return {each["name"]: each.get("weight") for each in (spec["to"], *spec.get("alternateBackends", []))}


@pytest.mark.parametrize("weight", [1, 20, 100])
def test_the_canary_becomes_a_backend_when_it_has_a_share(weight: int):
    there = cluster(route(backend("web", 100)))
    assert list(texts(there.route(weight))) == ["patch Route front"]
    assert there.get(KIND, "front")["spec"] == {
        "host": "web.test",
        "to": backend("web", 100 - weight),
        "alternateBackends": [backend("web-canary", weight)],
        "wildcardPolicy": "None",
    }


def test_a_route_without_a_canary_is_not_written_at_weight_0():
    assert cluster(route(backend("web", 100))).route(0) == []


def test_the_entry_of_the_canary_stays_and_has_weight_0_when_the_update_is_over():
    there = cluster(route(backend("web", 80), backend("web-canary", 20)))
    there.route(0)
    assert weights(there) == {"web": 100, "web-canary": 0}
    assert there.route(0) == []


def test_foreign_backends_keep_their_weights_and_the_rest_is_divided():
    """The plugin removes them."""
    there = cluster(route(backend("web", 80), backend("old", 20)))
    there.route(50)
    assert weights(there) == {"web": 40, "old": 20, "web-canary": 40}
    there.route(100)
    assert weights(there) == {"web": 0, "old": 20, "web-canary": 80}


def test_each_of_several_routes_gets_the_weights():
    objects = route(backend("web", 100)), route(backend("web", 100), name="api")
    there = cluster(*objects, config=routing("front", "shop/api", "front"))
    assert list(texts(there.route(20))) == ["patch Route front", "patch Route api"]
    assert weights(there) == weights(there, "api") == {"web": 80, "web-canary": 20}


def test_ping_pong_divides_between_the_pair_whichever_is_named_first():
    pair = {"pingPong": {"pingService": "ping", "pongService": "pong"}, "canaryService": "", "stableService": ""}
    there = Cluster(rollout(routing(), **pair), route(backend("ping", 100)))
    there.route(0, canary_service="ping", stable_service="pong")
    assert weights(there) == {"ping": 0, "pong": 100}
    there.route(20, canary_service="ping", stable_service="pong")
    assert weights(there) == {"ping": 20, "pong": 80}


def test_letting_go_leaves_all_traffic_with_the_stable_service():
    there = cluster(route(backend("web", 60), backend("web-canary", 40)))
    assert len(there.release()) == 1
    assert weights(there) == {"web": 100, "web-canary": 0}


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ((), 'routes.route.openshift.io "front" not found'),
        (
            (route(backend("other", 100)),),
            "Route front does not lead to the stable Service web: name it in spec.to",
        ),
        (
            (route(backend("web-canary", 100)),),
            "Route front does not lead to the stable Service web: name it in spec.to",
        ),
        (
            (route(backend("web"), backend("a", 1), backend("b", 1), backend("c", 1)),),
            "Route front has 3 spec.alternateBackends, OpenShift accepts 3: remove one of them, so that web-canary has a place",
        ),
        (
            (route(backend("web"), backend("web-canary", 1), backend("web-canary", 1)),),
            "Route front, spec.to and spec.alternateBackends: web-canary is listed 2 times, and each entry would get its weight: leave 1",
        ),
        (
            (route(backend("web"), backend("a")),),
            "other backends of Route front have 100 of 100 in spec.alternateBackends: lower their weights, so that web and "
            "web-canary have a share",
        ),
    ],
    ids=["missing", "foreign", "only the canary", "no place", "twice", "no share left"],
)
def test_an_object_that_has_no_place_for_the_weights(objects: tuple[Json, ...], text: str):
    assert cluster(*objects).error(20) == FAILED + text


@pytest.mark.parametrize(
    "spec", [None, {}, 3, {"to": None}, {"to": {"name": ["web"]}}, {"to": 1, "alternateBackends": "x"}]
)
def test_an_object_of_any_shape_is_an_error_and_no_exception(spec: Any):
    assert cluster({**route({}), "spec": spec}).error(20)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"routes": []}, f"{AT}.routes: Required value: the names of Routes of the Rollout's namespace"),
        ({"routes": [""]}, f"{AT}.routes[0]: Required value: the name of a Route"),
        (
            {"routes": ["other/front"]},
            f'{AT}.routes[0]: Invalid value: "other/front": a Route leads to Services of its own namespace, and the Rollout '
            "is in shop",
        ),
        ({"routes": "front"}, f"{AT}.routes: Expected `array`, got `str`"),
    ],
)
def test_a_configuration_that_names_no_route_is_invalid(config: Json, text: str):
    assert invalid(rollout({"plugins": {PLUGIN: config}}), objects={}) == text


def test_a_namespace_has_no_effect_as_in_the_plugin():
    assert invalid(rollout(routing(namespace="other")), objects={}) == ""


def _weight(found: Json) -> tuple[str, int, int] | None:
    spec = found["spec"]
    there = {each["name"]: each.get("weight", 100) for each in (spec["to"], *spec.get("alternateBackends", []))}
    return CANARY, there.get(CANARY, 0), sum(there.values())


MODELS[PLUGIN] = RouterModel(
    routing=routing(),
    plural="routes",
    name="front",
    objects=(route(backend(NAME, 100)),),
    weight=_weight,
    by_hand=lambda _: {"spec": {"to": backend(NAME, 100), "alternateBackends": [backend(CANARY, 0)]}},
    ours=("spec.to", "spec.alternateBackends"),
    able=("ping-pong",),
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), PLUGIN)
    if history is not None:
        assert [str(v) for v in run(history).violations] == []
