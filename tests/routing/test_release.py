"""Router objects that no Rollout manages any more get all traffic back to the stable Service."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.plays.player import play
from tests.support.plays.recordings import scenario
from tests.support.plays.story import moments

Json = dict[str, Any]
CANARY = "spec.strategy.canary"
LET_GO: dict[str, Json] = {
    "the Rollout is deleted": {"kubectl": "delete rollout web"},
    "it names the router no more": {
        "patch": [
            "Rollout/web",
            {"spec": {"strategy": {"canary": {"trafficRouting": None, "scaleDownDelaySeconds": None}}}},
        ]
    },
    "it names another object": {
        "patch": [
            "Rollout/web",
            {
                "spec": {
                    "strategy": {"canary": {"trafficRouting": {"traefik": {"weightedTraefikServiceName": "other"}}}}
                }
            },
        ]
    },
}
OTHER = """
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: other}
spec:
  weighted:
    services:
    - {name: web, port: 80, weight: 100}
    - {name: web-canary, port: 80, weight: 0}
"""


def paused_and(step: Json) -> list[Json]:
    """The trace of `traefik-walk` to its first pause, and of the actions there."""
    what = scenario("traefik-walk")
    gate = next(i for i, each in enumerate(what["do"]) if "cli" in each)
    done = play("let go", {**what, "objects": what["objects"] + OTHER, "do": [*what["do"][:gate], step, {"sleep": 5}]})
    assert done.troubles == []
    return done.trace


def weights(trace: list[Json]) -> list[int]:
    """Of the canary, as the TraefikService had them one after the other."""
    field = "spec.weighted.services"
    found = [
        m.field("TraefikService/web", field)[1]["weight"]
        for m in moments(trace)
        if m.changes("TraefikService/web", field)
    ]
    return [weight for i, weight in enumerate(found) if i == 0 or weight != found[i - 1]]


@pytest.mark.parametrize("how", LET_GO)
def test_all_traffic_goes_back_to_the_stable_service(how: str):
    """Argo Rollouts leaves 20 % on the canary Service."""
    assert weights(paused_and(LET_GO[how])) == [0, 20, 0]


def test_a_canary_mapping_of_a_deleted_rollout_drains_before_it_goes():
    what = scenario("ambassador-walk")
    gate = next(i for i, each in enumerate(what["do"]) if "cli" in each)
    done = play("let go", {**what, "do": [*what["do"][:gate], {"kubectl": "delete rollout web"}, {"sleep": 10}]})
    lines = [line for line in done.trace if line.get("object") == "Mapping/web-canary"]
    drained = next(line["t"] for line in lines if line.get("spec.weight") == 0)
    gone = next(line["t"] for line in lines if line.get("deleted"))
    assert 5 <= gone - drained < 6


def test_a_spec_that_cannot_be_used_gives_nothing_back():
    broken = {
        "patch": [
            "Rollout/web",
            {"spec": {"strategy": {"canary": {"trafficRouting": None, "dynamicStableScale": True}}}},
        ]
    }
    assert weights(paused_and(broken)) == [0, 20]


STOP, START = {"controller": "stop"}, {"controller": "start"}
WITHOUT_ROUTER = {"spec": {"strategy": {"canary": {"trafficRouting": None, "scaleDownDelaySeconds": None}}}}
WHILE_NONE_RUNS: dict[str, Json] = {
    "the Rollout is deleted": {"kubectl": "delete rollout web"},
    "it names Istio no more": {"patch": ["Rollout/web", WITHOUT_ROUTER]},
    "nothing": {"sleep": 1},
}


@pytest.mark.parametrize("how", WHILE_NONE_RUNS)
def test_a_starting_controller_takes_the_hashes_off_a_destination_rule_without_its_rollout(how: str):
    """With the hash of a past version, a subset would select no pod of the next one."""
    what = scenario("istio-subsets")
    gate = next(i for i, each in enumerate(what["do"]) if "cli" in each)
    steps = [STOP, WHILE_NONE_RUNS[how], {"sleep": 1}, START, {"sleep": 25}]
    done = play("let go", {**what, "do": [*what["do"][:gate], *steps]})
    assert done.troubles == []
    lines = [line for line in done.trace if line.get("object") == "DestinationRule/web"]
    subsets = next(line["spec.subsets"] for line in reversed(lines) if "spec.subsets" in line)
    marks = [line[MARK] for line in lines if MARK in line]
    hashes = [subset["labels"].get("rollouts-pod-template-hash") for subset in subsets]
    assert (hashes == [None, None]) is (how != "nothing")
    assert (marks[-1] is None) is (how != "nothing")


MARK = "annotations.argo-rollouts.argoproj.io/managed-by-rollouts"
