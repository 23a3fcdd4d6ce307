"""The gateway of one machine: a step is complete when the gateway has its weight in force."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from serinus.controller.gateway_reader import States
from tests.support.controller.canary_scene import begin, phase, rollout, settled_on

pytestmark = pytest.mark.looptime(start=0)
Json = dict[str, Any]
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


@dataclass
class Gateway:
    """`late`: seconds until it has an annotation's weight in force. `broken`: it does not answer."""

    store: Any
    late: float = 3.0
    broken: bool = False
    weight: int = 0
    reads: int = 0

    async def states(self) -> States:
        self.reads += 1
        if self.broken:
            raise OSError("connection refused")
        return {"a": (({"web-canary": self.weight, "web-stable": 100 - self.weight},), {})}

    async def follow(self) -> None:
        """The gateway's watch: it carries annotations into its configuration."""
        pending: list[tuple[float, int]] = []
        last, loop = 0, asyncio.get_running_loop()
        while True:
            ingress = self.store.objects.get(("ingresses", "a", "web-web-canary"))
            weight = int(ingress["metadata"]["annotations"][WEIGHT]) if ingress else 0
            if weight != last:
                last = weight
                pending.append((loop.time() + self.late, weight))
            while pending and loop.time() >= pending[0][0]:
                self.weight = pending.pop(0)[1]
            await asyncio.sleep(0.1)


async def started(play: Any) -> Gateway:
    """A settled Rollout, and an update of it that begins."""
    gateway = Gateway(play.store)
    await begin(play)
    play.controller(None, plan=None, gateway=gateway.states)
    play.tasks.append(asyncio.create_task(gateway.follow()))
    await play.until(lambda: settled_on(play, "blue"))
    return gateway


def status(play: Any) -> Json:
    return play.store.get("rollouts", "web")["status"]


def condition(play: Any) -> tuple[str, str]:
    found = (c for c in status(play)["conditions"] if c["type"] == "TrafficVerified")
    return next(((c["status"], c["message"]) for c in found), ("", ""))


def paused(play: Any) -> bool:
    return bool(status(play).get("pauseConditions"))


async def test_each_step_waits_until_the_gateway_has_its_weight(play: Any) -> None:
    gateway = await started(play)
    gateway.late = 8.0
    await play.store.put("rollouts", rollout("green"))
    reached: dict[int, int] = {}

    def done() -> bool:
        if status(play)["currentPodHash"] != status(play)["stableRS"]:
            reached.setdefault(status(play).get("currentStepIndex", 0), gateway.weight)
        return settled_on(play, "green")

    await play.until(done)
    assert reached == {0: 0, 1: 20, 2: 20, 3: 60, 4: 60}, "the gateway's weight when a step began"
    assert condition(play) == ("", "")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (False, "Service web-canary is to have weight 20 of 100: the gateway has 0 of 100"),
        (True, "the gateway does not answer which weights it has"),
    ],
)
async def test_the_condition_says_why_and_the_update_continues_after_ten_seconds(
    play: Any, broken: bool, why: str
) -> None:
    gateway = await started(play)
    gateway.late, gateway.broken = 1e6, broken
    await play.store.put("rollouts", rollout("green"))
    await play.until(lambda: condition(play) == ("False", why))
    assert not paused(play)
    await play.until(lambda: paused(play), seconds=15)
    assert condition(play)[0] == "Unknown"
    assert why in condition(play)[1]


async def test_a_gateway_is_read_only_while_a_rollout_waits_for_it(play: Any) -> None:
    gateway = await started(play)
    before = gateway.reads
    await asyncio.sleep(600)
    assert gateway.reads == before, "without a share for the canary"
    await play.store.put("rollouts", rollout("green"))
    await play.until(lambda: paused(play))
    await asyncio.sleep(1)
    before = gateway.reads
    await asyncio.sleep(20)
    assert (paused(play), gateway.reads - before) == (True, 0), "with a confirmed weight"


async def test_a_confirmed_weight_stays_confirmed_when_the_controller_starts_again(play: Any) -> None:
    gateway = await started(play)
    await play.store.put("rollouts", rollout("green"))
    await play.until(lambda: paused(play))
    version = play.store.get("rollouts", "web")["metadata"]["resourceVersion"]
    for task in play.tasks:
        task.cancel()
    play.controller(None, plan=None, gateway=gateway.states)
    await asyncio.sleep(5)
    assert play.store.get("rollouts", "web")["metadata"]["resourceVersion"] == version, "the status was written"
    assert phase(play) == "Paused"


async def test_a_rollout_without_a_router_waits_for_no_gateway(play: Any) -> None:
    def other(image: str) -> Json:
        by_pods = rollout(image)
        del by_pods["spec"]["strategy"]["canary"]["trafficRouting"]
        return by_pods

    gateway = Gateway(play.store, broken=True)
    await begin(play)
    await play.store.put("rollouts", other("blue"))
    play.controller(None, plan=None, gateway=gateway.states)
    await play.until(lambda: settled_on(play, "blue"))
    await play.store.put("rollouts", other("green"))
    await play.until(lambda: settled_on(play, "green"))
    assert condition(play) == ("", "")
