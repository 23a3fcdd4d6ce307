"""The TrafficSplit of the Service Mesh Interface."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.routing.smi import KIND
from tests.sim.generate import generate
from tests.sim.routers import CANARY, MODELS, RouterModel, with_router
from tests.sim.run import run
from tests.support.long import few
from tests.support.plays.player import played
from tests.support.plays.recordings import reference
from tests.support.routing.plain import OWNER, Cluster, rollout, texts

Json = dict[str, Any]


def cluster(smi: Json | None = None, *objects: Json, **options: Any) -> Cluster:
    return Cluster(rollout({"smi": smi or {}}), *objects, **options)


def split(*backends: Json, owner: Json | None = None, **spec: Any) -> Json:
    owners = {"ownerReferences": [owner]} if owner else {}
    return {
        "apiVersion": "split.smi-spec.io/v1alpha1",
        "kind": "TrafficSplit",
        "metadata": {"name": "web", **owners},
        "spec": {"service": "web", "backends": list(backends), **spec},
    }


def backends(**weights: Any) -> list[Json]:
    return [{"service": name.replace("_", "-"), "weight": weight} for name, weight in weights.items()]


def test_the_split_is_made_once_and_then_follows():
    there = cluster()
    (made,) = there.route(0)
    assert (made.reason, made.message) == ("TrafficSplitCreated", "TrafficSplit `web` created")
    assert there.get(KIND, "web")["metadata"]["ownerReferences"] == [OWNER]
    assert there.get(KIND, "web")["spec"] == {"service": "web", "backends": backends(web_canary="0", web="100")}
    (changed,) = there.route(20)
    assert (changed.verb, changed.reason) == ("patch", "")
    assert there.get(KIND, "web")["spec"]["backends"] == backends(web_canary="20", web="80")
    assert there.route(20) == []


def test_names_are_those_of_the_rollout_where_it_gives_some():
    there = cluster({"rootService": "root", "trafficSplitName": "split"})
    there.route(5)
    assert there.get(KIND, "split")["spec"]["service"] == "root"


@pytest.mark.parametrize("version", ["v1alpha2", "v1alpha3"])
def test_later_versions_have_integers(version: str):
    there = cluster(served={KIND.key: version})
    there.route(5)
    made = there.get(KIND, "web")
    assert made["apiVersion"] == f"split.smi-spec.io/{version}"
    assert made["spec"]["backends"] == backends(web_canary=5, web=95)


def test_services_of_an_experiment_stand_between_both():
    there = cluster()
    there.route(10, additional={"trial": 5})
    assert there.get(KIND, "web")["spec"]["backends"] == backends(web_canary="10", trial="5", web="85")
    there.route(10)
    assert there.get(KIND, "web")["spec"]["backends"] == backends(web_canary="10", web="90")


def test_other_fields_of_the_split_stay():
    matches = [{"kind": "HTTPRouteGroup", "name": "all"}]
    there = cluster(None, split(*backends(web="1"), owner=OWNER, matches=matches))
    there.route(5)
    assert there.get(KIND, "web")["spec"]["matches"] == matches


def test_a_split_of_somebody_else_is_left_alone():
    there = cluster(None, split(*backends(web="1")))
    assert there.error() == (
        "Rollout does not own TrafficSplit `web`: no Rollout made it; delete it, or set "
        "spec.strategy.canary.trafficRouting.smi.trafficSplitName to another name"
    )
    there.put(split(*backends(web_canary="0", web="100"), owner={**OWNER, "name": "other", "uid": "2"}))
    assert "Rollout other controls it" in there.error()


def test_a_split_that_a_deleted_rollout_left_behind_is_taken_over():
    there = cluster(None, split(*backends(web_canary="40", web="60")))
    assert list(texts(there.route(0))) == ["patch TrafficSplit web"]
    assert there.get(KIND, "web")["metadata"]["ownerReferences"] == [OWNER]


def test_without_the_definition_nothing_is_made():
    there = cluster(served={KIND.key: ""})
    assert (
        there.error()
        == "the API server does not serve trafficsplits.split.smi-spec.io: install the definition of TrafficSplit"
    )


def test_letting_go_makes_nothing_anew():
    assert cluster().release() == []


def _weight(found: Json) -> tuple[str, int, int] | None:
    weights = {each["service"]: int(each["weight"]) for each in found["spec"]["backends"]}
    return CANARY, weights[CANARY], sum(weights.values())


MODELS["smi"] = RouterModel(
    routing={"smi": {}},
    plural="trafficsplits",
    name="web",
    objects=(),
    weight=_weight,
    trials=lambda found: {
        e["service"]: int(e["weight"]) for e in found["spec"]["backends"] if e["service"] not in ("web", CANARY)
    },
    able=("experiment",),
    by_hand=lambda _: {"spec": {"backends": backends(web_canary="0", web="100")}},
    ours=("spec",),
    made=True,
)


@pytest.mark.parametrize("seed", few(range(1, 25), (6, 16, 22)))
def test_random_histories_keep_every_promise(seed: int):
    history = with_router(generate(seed), "smi")
    if history is not None:
        assert [str(v) for v in run(history).violations] == []


def refusals(trace: list[Json]) -> int:
    return sum(line.get("event") == "Warning TrafficRoutingError" for line in trace)


def test_a_split_of_somebody_else_is_told_once():
    assert refusals(reference("smi-not-ours")) > 10
    assert refusals(played("smi-not-ours").trace) == 1
