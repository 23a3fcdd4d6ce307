"""Traefik's weighted TraefikService."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.traefik import KIND
from tests.sim.generate import generate
from tests.sim.history import NAME
from tests.sim.routers import CANARY, MODELS, RouterModel, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import played
from tests.support.plays.recordings import reference
from tests.support.plays.story import moments
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
ROUTING: Json = {"traefik": {"weightedTraefikServiceName": "front"}}
STICKY: Json = {"cookie": {"name": "who"}}


def traefik_service(*services: Json, **spec: Any) -> Json:
    weighted = {"services": list(services), "sticky": STICKY}
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TraefikService",
        "metadata": {"name": "front", "labels": {"team": "shop"}},
        "spec": {"weighted": weighted, **spec},
    }


def entry(name: str, weight: int | None = None) -> Json:
    return {"name": name, "port": 80} | ({} if weight is None else {"weight": weight})


def cluster(*objects: Json, **options: Any) -> Cluster:
    return Cluster(rollout(ROUTING), *objects, **options)


@pytest.mark.parametrize("weight", [0, 1, 20, 100])
def test_both_services_get_their_weights_and_nothing_else_changes(weight: int):
    there = cluster(traefik_service(entry("web", 100), entry("other", 7), entry("web-canary", 40)))
    assert list(texts(there.route(weight))) == ["patch TraefikService front"]
    front = there.get(KIND, "front")
    assert front["spec"] == {
        "weighted": {
            "services": [entry("web", 100 - weight), entry("other", 7), entry("web-canary", weight)],
            "sticky": STICKY,
        }
    }
    assert front["metadata"]["labels"] == {"team": "shop"}


def test_what_has_its_weights_is_not_written():
    there = cluster(traefik_service(entry("web", 80), entry("web-canary", 20)))
    assert there.route(20) == []


def test_an_entry_without_a_weight_gets_one():
    """Traefik reads it as 1."""
    there = cluster(traefik_service(entry("web"), entry("web-canary")))
    there.route(0)
    assert there.get(KIND, "front")["spec"]["weighted"]["services"] == [entry("web", 100), entry("web-canary", 0)]


def test_letting_go_leaves_all_traffic_with_the_stable_service():
    there = cluster(traefik_service(entry("web", 60), entry("web-canary", 40)))
    assert len(there.release()) == 1
    assert there.get(KIND, "front")["spec"]["weighted"]["services"] == [entry("web", 100), entry("web-canary", 0)]


@pytest.mark.parametrize(
    ("objects", "served", "text"),
    [
        ((), None, 'traefikservices.traefik.io "front" not found'),
        (
            (),
            {KIND.key: ""},
            "the API server does not serve traefikservices.traefik.io: install the definition of TraefikService",
        ),
        (
            (traefik_service(),),
            None,
            "spec.weighted.services was not found in traefik service manifest: TraefikService front, spec.weighted.services",
        ),
        (
            (traefik_service(entry("web", 1)),),
            None,
            "traefik canary service was not found: no entry web-canary: TraefikService front, spec.weighted.services",
        ),
        (
            (traefik_service(entry("web-canary", 1)),),
            None,
            "traefik stable service was not found: no entry web: TraefikService front, spec.weighted.services",
        ),
    ],
    ids=["missing", "not installed", "empty", "no canary", "no stable"],
)
def test_an_object_that_has_no_place_for_the_weights(
    objects: tuple[Json, ...], served: dict[str, str] | None, text: str
):
    assert cluster(*objects, served=served).error(20) == text


@pytest.mark.parametrize(
    "spec", [None, {}, {"weighted": None}, {"weighted": {"services": "x"}}, {"weighted": {"services": [1]}}]
)
def test_an_object_of_any_shape_is_an_error_and_no_exception(spec: Any):
    assert cluster({**traefik_service(), "spec": spec}).error(20)


def test_a_rollout_without_the_name_is_invalid():
    assert invalid(rollout({"traefik": {}})).startswith(
        "spec.strategy.canary.trafficRouting.traefik.weightedTraefikServiceName: Required value"
    )


def _weight(front: Json) -> tuple[str, int, int] | None:
    weights = {each["name"]: each.get("weight", 1) for each in front["spec"]["weighted"]["services"]}
    return CANARY, weights[CANARY], sum(weights.values())


def _by_hand(front: Json) -> Json:
    services = [
        {**each, "weight": 100 if each["name"] == NAME else 0} for each in front["spec"]["weighted"]["services"]
    ]
    return {"spec": {"weighted": {"services": services}}}


MODELS["traefik"] = RouterModel(
    routing=ROUTING,
    plural="traefikservices",
    name="front",
    objects=(traefik_service(entry("web", 100), entry(CANARY, 0)),),
    weight=_weight,
    by_hand=_by_hand,
    ours=("spec.weighted.services",),
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), "traefik")
    if history is not None:
        assert [str(v) for v in run(history).violations] == []


def heals_after(trace: list[Json]) -> float:
    """Seconds from the last change of the TraefikService by the user until Healthy."""
    seen = [m for m in moments(trace) if m.object == "TraefikService/web"]
    healthy = next(m.t for m in moments(trace) if m.line.get("status.phase") == "Healthy")
    return healthy - max(m.t for m in seen if m.t <= healthy)


def refusals(trace: list[Json]) -> int:
    return sum(line.get("event") == "Warning TrafficRoutingError" for line in trace)


def test_a_missing_object_heals_at_once_and_each_cause_is_told_once():
    theirs, ours = reference("traefik-missing"), played("traefik-missing").trace
    assert heals_after(theirs) > 10
    assert heals_after(ours) < 1
    assert (refusals(theirs), refusals(ours)) == (3, 2)
