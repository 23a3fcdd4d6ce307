"""Ambassador: the canary Mapping beside the user's."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.ambassador import DELETE_AFTER, DRAIN, KIND, canary_mapping_name
from tests.sim.generate import generate
from tests.sim.history import NAME
from tests.sim.routers import CANARY, MODELS, RouterModel, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import played
from tests.support.plays.recordings import reference
from tests.support.routing.plain import Cluster, invalid, rollout, texts

Json = dict[str, Any]
ROUTING: Json = {"ambassador": {"mappings": ["front"]}}
PATH = "spec.strategy.canary.trafficRouting.ambassador.mappings"
NOW = 1_800_000_000.0


def mapping(name: str = "front", service: str = "web:80", **spec: Any) -> Json:
    return {
        "apiVersion": "getambassador.io/v2",
        "kind": "Mapping",
        "metadata": {"name": name, "labels": {"team": "shop"}},
        "spec": {"prefix": "/", "service": service, "rewrite": "/x", **spec},
    }


def cluster(*objects: Json, mappings: list[str] | None = None, **options: Any) -> Cluster:
    return Cluster(rollout({"ambassador": {"mappings": mappings or ["front"]}}), *objects, **options)


def test_the_canary_mapping_comes_with_the_first_share():
    there = cluster(mapping())
    assert there.route(0) == []
    (write,) = there.route(5)
    assert (write.verb, write.reason, write.message) == (
        "create",
        "CanaryMappingWeightUpdate",
        "Set canary mapping weight to 5",
    )
    made = there.get(KIND, "front-canary")
    assert made["spec"] == {"prefix": "/", "service": "web-canary:80", "rewrite": "/x", "weight": 5}
    assert "labels" not in made["metadata"]
    assert "ownerReferences" not in made["metadata"]
    assert there.get(KIND, "front")["spec"] == mapping()["spec"]
    (write,) = there.route(20)
    assert (write.verb, write.message) == ("patch", "Set canary mapping weight to 20")
    assert there.route(20) == []


def test_what_others_put_into_the_canary_mapping_stays():
    there = cluster(mapping())
    there.route(5)
    made = there.get(KIND, "front-canary")
    there.put(
        {**made, "spec": {**made["spec"], "timeout_ms": 7}, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    )
    there.route(20)
    changed = there.get(KIND, "front-canary")
    assert (changed["spec"]["timeout_ms"], changed["metadata"]["labels"]) == (7, {"a": "b"})


def test_without_a_share_it_drains_and_goes():
    there = cluster(mapping())
    there.route(20)
    (write,) = there.route(0)
    assert (write.verb, write.message) == ("patch", "Set canary mapping weight to 0")
    drained = there.get(KIND, "front-canary")
    assert drained["spec"]["weight"] == 0
    assert drained["metadata"]["annotations"] == {DELETE_AFTER: "2027-01-15T08:00:05Z"}
    (answer,) = there.answers(there.traffic(0, now=NOW + 2))
    assert (answer.writes, answer.again_after) == ((), DRAIN - 2)
    assert list(texts(there.route(0, now=NOW + DRAIN))) == ["delete Mapping front-canary"]
    assert there.answers(there.traffic(0))[0].again_after is None


def test_a_new_share_ends_the_drain():
    there = cluster(mapping())
    there.route(20)
    there.route(0)
    there.route(10, now=NOW + 2)
    assert there.get(KIND, "front-canary")["metadata"]["annotations"] == {}
    there.route(0, now=NOW + 9)
    assert there.answers(there.traffic(0, now=NOW + 10))[0].again_after == 4


@pytest.mark.parametrize("text", [None, "", "soon", "2200-01-01T00:00:00Z", 7])
def test_a_drain_that_nobody_began_begins_now(text: Any):
    """Argo Rollouts, or another client, left it at weight 0."""
    left = mapping("front-canary", "web-canary:80", weight=0)
    left["metadata"]["annotations"] = {"note": "x"} if text is None else {"note": "x", DELETE_AFTER: text}
    there = cluster(mapping(), left)
    (write,) = there.route(0)
    assert write.reason == "", "no weight changes"
    assert there.get(KIND, "front-canary")["metadata"]["annotations"] == {
        "note": "x",
        DELETE_AFTER: "2027-01-15T08:00:05Z",
    }


def test_several_mappings_have_one_event():
    there = cluster(mapping(), mapping("back"), mappings=["front", "back", "front"])
    writes = there.route(5)
    assert [(write.name, write.reason != "") for write in writes] == [("front-canary", True), ("back-canary", False)]


def test_a_long_name_is_cut():
    assert canary_mapping_name("a" * 250) == "a" * 246 + "-canary"


def test_letting_go_first_takes_the_share_and_then_the_mapping_when_gateways_have_heard():
    there = cluster(mapping())
    there.route(40)
    now = 1_800_000_000.0
    assert list(texts(there.release(now=now))) == ["patch Mapping front-canary"]
    assert there.get(KIND, "front-canary")["spec"]["weight"] == 0
    assert there.release(now=now + 4) == []
    assert list(texts(there.release(now=now + 5))) == ["delete Mapping front-canary"]
    assert there.release(now=now + 5) == []


def test_a_mapping_of_somebody_else_with_that_name_stays():
    foreign = mapping("front-canary", "shop:80", weight=7)
    there = cluster(mapping(), foreign)
    text = (
        "Mapping front-canary has the name of the canary mapping and leads to "
        '"shop:80", not to web-canary: delete it, or give Mapping front another name'
    )
    assert (there.error(0), there.error(20)) == (text, text)
    assert there.release() == []


@pytest.mark.parametrize(
    ("objects", "notice", "text"),
    [
        (
            (),
            ("AmbassadorMappingNotFound", 'Ambassador mapping "front" not found'),
            'mappings.getambassador.io "front" not found',
        ),
        (
            (mapping(weight=5),),
            ("AmbassadorMappingConfigError", 'Ambassador mapping "front" can not define weight'),
            'Ambassador mapping "front" can not define weight',
        ),
        ((mapping(service="other"),), None, 'Mapping front leads to "other", not to the stable Service web'),
        (({**mapping(), "spec": None},), None, 'Mapping front leads to "", not to the stable Service web'),
        (({**mapping(), "spec": []},), None, 'Mapping front leads to "", not to the stable Service web'),
        ((mapping(service={"a": 1}),), None, "Mapping front leads to \"{'a': 1}\", not to the stable Service web"),  # type: ignore[arg-type]
    ],
)
def test_a_mapping_that_cannot_be_copied(objects: tuple[Json, ...], notice: tuple[str, str] | None, text: str):
    there = cluster(*objects)
    assert there.error(20) == text
    assert there.answers(there.traffic(20))[0].notices == ((notice,) if notice else ())


def test_several_errors_are_told_in_one():
    there = cluster(mapping(weight=5), mappings=["front", "back"])
    assert there.error(20) == (
        '2 errors found: [Ambassador mapping "front" can not define weight][mappings.getambassador.io "back" not found]'
    )


def test_without_the_definition_it_is_named():
    assert cluster(served={KIND.key: ""}).error(5) == (
        "the API server does not serve mappings.getambassador.io: install the definition of Mapping"
    )


@pytest.mark.parametrize(
    ("part", "found", "text"),
    [
        ({}, {}, f"{PATH}: Invalid value: null: must provide at least one mapping"),
        ({"mappings": []}, {}, f"{PATH}: Invalid value: null: must provide at least one mapping"),
        ({"mappings": ["front"]}, {}, f'{PATH}: Invalid value: "front": mappings.getambassador.io "front" not found'),
        (
            {"mappings": ["front"]},
            {f"{KIND.key}/front": mapping(weight=5)},
            'spec.weight: Invalid value: "front": Ambassador mapping "front" can not define weight',
        ),
        ({"mappings": ["front"]}, {f"{KIND.key}/front": mapping()}, ""),
    ],
)
def test_what_invalid_spec_says(part: Json, found: Json, text: str):
    assert invalid(rollout({"ambassador": part}), objects=found) == text


def _weight(found: Json) -> tuple[str, int, int] | None:
    return CANARY, found["spec"].get("weight", 0), 100


MODELS["ambassador"] = RouterModel(
    routing=ROUTING,
    plural="mappings",
    name="front-canary",
    objects=(mapping(service=f"{NAME}:80"),),
    weight=_weight,
    by_hand=lambda _: {"spec": {"weight": 0}},
    ours=("spec.weight", "metadata.annotations"),
    made=True,
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), "ambassador")
    if history is not None:
        assert [str(v) for v in run(history).violations] == []


def weights(trace: list[Json]) -> list[str]:
    messages = [line["message"] for line in trace if line.get("event") == "Normal CanaryMappingWeightUpdate"]
    return [message.rpartition(" ")[2] for message in messages]


def test_one_event_for_each_weight_and_the_same_drain_without_a_sleep():
    theirs, ours = reference("ambassador-walk"), played("ambassador-walk").trace
    assert weights(theirs).count("0") > 5
    assert weights(ours) == ["20", "50"], "routine Events share a budget, which is used up then"
    for trace in (theirs, ours):
        mine = [line for line in trace if line.get("object") == "Mapping/web-canary"]
        gone, drained = mine[-1], mine[-2]
        assert (gone["deleted"], drained["spec.weight"]) == (True, 0)
        assert 4.9 < gone["t"] - drained["t"] < 6.1
