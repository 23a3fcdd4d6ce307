"""The controller's clock is minutes ahead of, or behind, the API server's, the other controller's, or its own of before."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest

from serinus.api.rollout import Rollout
from serinus.controller.events import BURST, Recorder
from serinus.engine.core.plan import Event
from serinus.kube.client import Client
from serinus.kube.clock import rfc3339
from serinus.kube.errors import Unavailable
from serinus.kube.queue import WorkQueue
from serinus.kube.throttle import throttled
from serinus.kube.transport import Request, Response
from tests.support.controller.canary_scene import begin, phase, rollout, settled_on
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

MINUTES = 300.0
LEASE, HOME = "argo-rollouts-controller-lock", "argo-rollouts"
BOTH = pytest.mark.parametrize("ahead", [MINUTES, -MINUTES], ids=["ahead", "behind"])


class SetClock(LoopClock):
    """A wall clock that may be wrong, and can be set."""

    def __init__(self, ahead: float = 0.0) -> None:
        super().__init__()
        self.ahead = ahead

    def now(self) -> float:
        return super().now() + self.ahead


class Server:
    """The API with a clock of its own, which sets creation times; records the author and time of each write."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.history: list[tuple[float, str, str]] = []

    async def __call__(self, request: Request) -> Response:
        if request.method == "POST":
            body = json.loads(request.body)
            body.setdefault("metadata", {})["creationTimestamp"] = rfc3339(LoopClock().now())
            request = replace(request, body=json.dumps(body).encode())
        if request.method != "GET" and "/events" not in request.path:
            self.history.append((round(asyncio.get_running_loop().time(), 2), request.method, request.path))
        return await self.store(request)


def stuck(image: str) -> dict[str, Any]:
    """Needs pods that never appear, and has a progress deadline."""
    made = rollout(image)
    made["spec"] |= {"progressDeadlineSeconds": 60, "progressDeadlineAbort": True}
    return made


EXPECTED: list[list[tuple[float, str, str]]] = []
"""The writes when the clocks are in step."""


@pytest.mark.parametrize("ahead", [0.0, MINUTES, -MINUTES], ids=["in step", "ahead", "behind"])
async def test_a_controller_with_a_wrong_clock_writes_the_same_at_the_same_moments(play: Any, ahead: float) -> None:
    """Steps, pauses, delays and the progress deadline: it compares only times that it wrote itself."""
    server = Server(play.store)
    await begin(play)
    play.controller(server, plan=None, clock=SetClock(ahead))
    await play.until(lambda: settled_on(play, "blue"))
    await play.store.put("rollouts", rollout("green"))
    await play.until(lambda: settled_on(play, "green"))
    play.tasks[0].cancel()  # from here on no pod appears
    await play.store.put("rollouts", stuck("red"))
    await play.until(lambda: phase(play) == "Degraded")
    await asyncio.sleep(60)
    assert set(play.store.created.values()) == {1}, "nothing is made twice"
    weights = [t for t, _, path in server.history if path.endswith("web-web-canary")]
    assert weights[-1] - weights[0] > 58, "two pauses of 30 s were waited for: stored times are whole seconds, cut off"
    EXPECTED.append(server.history)
    assert server.history == EXPECTED[0]


@BOTH
async def test_a_lease_is_judged_by_when_it_was_seen_to_change(play: Any, ahead: float) -> None:
    """For any time in the Lease: a living leader keeps it, and a dead one is replaced within five seconds."""
    cut: list[bool] = []

    async def api(request: Request) -> Response:
        if cut:
            raise Unavailable(0, "", "killed")
        return await play.store(request)

    first, task = play.controller(api, plan=None, leader_elect=True, identity="one")
    await play.until(lambda: first.election.leading, 5)
    second, _ = play.controller(plan=None, leader_elect=True, identity="two", clock=SetClock(ahead))
    await asyncio.sleep(60)
    assert (first.election.leading, second.election.leading) == (True, False)
    cut.append(True)  # a kill releases nothing
    task.cancel()
    await play.until(lambda: second.election.leading, 5)


@BOTH
@pytest.mark.parametrize("whose", [0, 1], ids=["the leader's", "the other's"])
async def test_a_clock_that_is_set_changes_no_leader(play: Any, ahead: float, whose: int) -> None:
    """A lease that expires five minutes early gives two leaders; the clock is set at any moment between renewals."""
    clocks = SetClock(), SetClock()
    first, _ = play.controller(plan=None, leader_elect=True, identity="one", clock=clocks[0])
    await play.until(lambda: first.election.leading, 5)
    second, _ = play.controller(plan=None, leader_elect=True, identity="two", clock=clocks[1])
    await asyncio.sleep(10)
    for _ in range(20):
        clocks[whose].ahead += ahead
        await asyncio.sleep(1.07)
        assert (first.election.leading, second.election.leading) == (True, False)
    assert play.store.get("leases", LEASE, HOME)["spec"]["leaseTransitions"] == 0


async def test_a_leader_that_cannot_renew_stops_in_time_though_its_clock_is_set_back(play: Any) -> None:
    """Before another process may lead, and not five minutes later."""
    cut: list[bool] = []

    async def api(request: Request) -> Response:
        if cut:
            raise Unavailable(0, "", "cut off")
        return await play.store(request)

    clock = SetClock()
    first, _ = play.controller(api, plan=None, leader_elect=True, identity="one", clock=clock)
    await play.until(lambda: first.election.leading, 5)
    second, _ = play.controller(plan=None, leader_elect=True, identity="two")
    await asyncio.sleep(10)
    cut.append(True)
    clock.ahead = -MINUTES
    for _ in range(100):
        await asyncio.sleep(0.1)
        assert not (first.election.leading and second.election.leading)
    assert second.election.leading


@BOTH
async def test_another_leader_with_another_clock_goes_on_and_makes_nothing_twice(play: Any, ahead: float) -> None:
    """A pause that the first one began ends as much earlier or later as their clocks differ; nothing else changes."""
    await begin(play)
    _, task = play.controller(plan=None)
    await play.until(lambda: settled_on(play, "blue"))
    await play.store.put("rollouts", rollout("green"))
    await play.until(lambda: phase(play) == "Paused")
    task.cancel()
    paused = asyncio.get_running_loop().time()
    play.controller(plan=None, clock=SetClock(ahead))
    await play.until(lambda: phase(play) != "Paused", MINUTES + 60)
    lasted = asyncio.get_running_loop().time() - paused
    assert lasted < 2 if ahead > 0 else 28 <= lasted - MINUTES < 32
    await play.until(lambda: settled_on(play, "green"), 300)
    assert set(play.store.created.values()) == {1}


@BOTH
async def test_requests_go_on_when_the_clock_is_set(store: Any, ahead: float) -> None:
    """With --qps; five minutes of silence would be an outage."""
    clock, loop = SetClock(), asyncio.get_running_loop()
    handler = throttled(store, qps=10, burst=5)
    for _ in range(10):
        await handler(Request("GET", "/api/v1/pods"))
    clock.ahead, began = ahead, loop.time()
    for _ in range(10):
        await handler(Request("GET", "/api/v1/pods"))
    assert 0.9 <= loop.time() - began <= 1.1


@BOTH
async def test_what_failed_is_tried_again_soon_though_the_clock_is_set(ahead: float) -> None:
    """Not five minutes later."""
    clock, loop = SetClock(), asyncio.get_running_loop()
    queue: WorkQueue[str] = WorkQueue(clock, Random(1))
    queue.retry("web", after=5.0)
    clock.ahead, began = ahead, loop.time()
    async with asyncio.timeout(400):
        assert await queue.get() == "web"
    assert loop.time() - began < 6


async def test_events_are_told_though_the_clock_was_set_back(play: Any) -> None:
    await begin(play)
    clock = SetClock()
    recorder = Recorder(Client(play.store), clock)
    about = msgspec.convert(play.store.get("rollouts", "web"), Rollout)
    recorder.tell(about, Event("One", "before"))
    clock.ahead = -12 * MINUTES
    for number in range(BURST - 1):
        recorder.tell(about, Event("More", f"{number}"))
    assert recorder.dropped == 0
