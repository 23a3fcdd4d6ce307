"""Whole canaries with the real planner and router, in virtual time, under faults: weights, capacity, one of everything."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from serinus.kube.transport import Request, Response
from tests.support.controller.canary_scene import begin, phase, rollout, settled_on
from tests.support.kube.faults import Faults

pytestmark = pytest.mark.looptime(start=0)

HASH = "rollouts-pod-template-hash"
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


class Eyes:
    """Checks every write as it happens: no weight without the pods for it."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.weights: list[int] = []

    async def __call__(self, request: Request) -> Response:
        answer = await self.store(request)
        place = ("ingresses", "a", "web-web-canary")
        if request.method in ("POST", "PATCH") and "/ingresses" in request.path and place in self.store.objects:
            weight = int(self.store.objects[place]["metadata"]["annotations"][WEIGHT])
            if not self.weights or self.weights[-1] != weight:
                self.weights.append(weight)
                self.check(weight)
        return answer

    def check(self, weight: int) -> None:
        target = self.store.get("services", "web-canary")["spec"]["selector"].get(HASH)
        sets = [o for (p, _, _), o in self.store.objects.items() if p == "replicasets"]
        ready = sum(
            rs.get("status", {}).get("availableReplicas", 0) for rs in sets if rs["metadata"]["labels"][HASH] == target
        )
        assert weight <= 100 * ready / 5, f"{weight} % goes to {ready} of 5 pods"


@pytest.mark.parametrize("seed", [None, *range(6)])
async def test_a_whole_canary_there_and_back_under_faults(play: Any, seed: int | None) -> None:
    await begin(play)
    eyes = Eyes(play.store)
    handler = eyes if seed is None else Faults(eyes, Random(seed))
    play.controller(handler, plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    eyes.weights.clear()
    await play.store.put("rollouts", rollout("green"))
    await play.until(lambda: settled_on(play, "green"))
    assert [w for w in eyes.weights if w] in ([20, 60], [20, 60, 100]), "each step was seen in traffic"
    await play.store.put("rollouts", rollout("blue"))
    await play.until(lambda: phase(play) != "Healthy")
    await play.until(lambda: settled_on(play, "blue"))
    made = [n for place, n in play.store.created.items() if place[0] in ("replicasets", "ingresses")]
    assert made == [1] * len(made), "nothing is made twice"
    assert len(play.store.names("replicasets")) == 2, "going back makes no new revision"


async def test_a_settled_canary_costs_no_call(play: Any) -> None:
    await begin(play)
    play.controller(plan=None, resync=60)
    await play.until(lambda: settled_on(play, "blue"))
    await asyncio.sleep(700)
    play.store.requests.clear()
    await asyncio.sleep(3600)
    assert play.store.requests == []


@pytest.mark.parametrize("after", range(5, 60, 3))
async def test_a_controller_killed_in_the_middle_of_a_canary_loses_nothing(play: Any, after: int) -> None:
    await begin(play)
    calls = 0

    async def mortal(request: Request) -> Response:
        nonlocal calls
        calls += request.query.get("watch") != "true"
        answer = await play.store(request)
        if calls == after:
            dying.set()
            await asyncio.Event().wait()
        return answer

    dying = asyncio.Event()
    _, task = play.controller(mortal, plan=None)
    await play.until(lambda: dying.is_set() or settled_on(play, "blue"))
    await play.store.put("rollouts", rollout("green"))
    await play.until(lambda: dying.is_set() or settled_on(play, "green"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    play.controller(plan=None)
    await play.until(lambda: settled_on(play, "green"))
    made = [n for place, n in play.store.created.items() if place[0] in ("replicasets", "ingresses")]
    assert made == [1] * len(made)
