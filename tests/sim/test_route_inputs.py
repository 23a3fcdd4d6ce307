"""Histories with what only some routers carry: they keep every promise, they reach what they are about, and they find bugs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from serinus.routing import confirmations, gateway_api, gateway_api_reports
from tests.sim.route_inputs import WAYS, models, routed
from tests.sim.routers import MODELS
from tests.sim.run import run
from tests.sim.store import Change
from tests.sim.world import World
from tests.support.long import few

Json = dict[str, Any]
GATEWAY = "argoproj-labs/gatewayAPI"
models()
PAIRS = [(router, way) for router in sorted(MODELS) for way in MODELS[router].able]
SEED = 6
"""A history with a router, releases to their ends and aborts."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A bad day is loud: each fault is a warning of the controller's."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(("router", "way"), PAIRS, ids=lambda part: str(part).rpartition("/")[2])
def test_a_history_with_the_input_keeps_every_promise(router: str, way: str):
    history = routed(SEED, router, way)
    assert history is not None
    assert [str(violation) for violation in run(history).violations] == []


@pytest.mark.parametrize("seed", few(range(200), range(2)))
def test_a_seed_chooses_router_and_inputs_and_keeps_every_promise(seed: int):
    history = routed(seed)
    if history is not None:
        found = [str(violation) for violation in run(history).violations]
        assert found == [], f"reproduce: python -m tests.sim --routers --start {seed} --seeds 1"


def test_each_input_has_a_router_that_is_able():
    assert {way for _, way in PAIRS} == set(WAYS)


REACHED: dict[str, Any] = {
    "header": lambda world, canary: world.gateway.by_header,
    "ping-pong": lambda world, canary: canary.get("stablePingPong") == "pong",
    "experiment": lambda world, canary: any(world.gateway.trials.values()),
    "reports": lambda world, canary: (canary.get("weights") or {}).get("verified") is True,
}


@pytest.mark.parametrize("way", REACHED)
def test_the_input_is_reached(way: str):
    reached: list[float] = []
    seen = World._seen  # pyright: ignore[reportPrivateUsage]

    def noted(world: World, change: Change) -> None:
        seen(world, change)
        if REACHED[way](world, world.status.get("canary") or {}):
            reached.append(world.loop.at)

    with patch.object(World, "_seen", noted):
        history = routed(SEED, "istio", way)
        assert history is not None
        run(history)
    assert reached


def of_one(way: str, seeds: int) -> list[str]:
    """The first broken promise of each history with the Gateway API."""
    found: list[str] = []
    for seed in range(seeds):
        history = routed(seed, GATEWAY, way)
        violations = run(history).violations if history is not None else []
        found += [violations[0].promise] if violations else []
    return found


def test_a_report_on_the_object_before_that_counts_is_found():
    def believed(reports: Any, writes: Any) -> Any:
        return confirmations.confirmed(reports, ())

    late = patch.object(gateway_api_reports, "is_behind", lambda observed, generation: False)
    with late, patch.object(gateway_api, "confirmed", believed):
        assert "confirmed_means_received" in of_one("reports", 10)


def test_a_share_that_an_experiment_keeps_after_its_end_is_found():
    with patch.object(gateway_api, "_is_of_an_experiment", lambda backend, traffic: False):
        assert "drain_after_observe" in of_one("experiment", 10)
