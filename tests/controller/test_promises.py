"""The controller's promises, checked against an API and a network that misbehave. Virtual time: nothing here waits."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from serinus.engine.core.plan import Plan, Snapshot
from serinus.kube.errors import Unavailable
from serinus.kube.transport import Request, Response
from tests.support.kube.faults import Faults, Rates

pytestmark = pytest.mark.looptime(start=0)


async def begin(play: Any, image: str = "blue") -> None:
    await play.store.put("services", play.service())
    await play.store.put("rollouts", play.rollout(image))


async def test_a_rollout_becomes_what_it_asks_for(play: Any) -> None:
    await begin(play)
    play.controller()
    await play.until(play.healthy)
    assert play.store.get("services", "web-svc")["spec"]["selector"]["rollouts-pod-template-hash"] == "blue"
    assert play.store.get("replicasets", "web-blue")["spec"]["replicas"] == 3


async def test_a_settled_rollout_costs_no_call(play: Any) -> None:
    await begin(play)
    play.controller(resync=60)
    await play.until(play.healthy)
    await asyncio.sleep(10)
    play.store.requests.clear()
    await asyncio.sleep(3600)
    assert play.store.requests == []


@pytest.mark.parametrize("seed", range(12))
async def test_faults_change_when_it_happens_and_never_what(play: Any, seed: int) -> None:
    """Conflicts, errors, lost answers, broken, late and repeated watches: the end is the same, nothing is created twice."""
    await begin(play)
    faults = Faults(play.store, Random(seed))
    play.controller(faults)
    await play.until(play.healthy)
    await play.store.put("rollouts", play.rollout("green"))
    await play.until(play.healthy)
    await play.store.drop("services", "web-svc")
    await play.until(lambda: play.store.get("rollouts", "web")["status"]["message"])
    await play.store.put("services", play.service())
    await play.until(play.healthy)
    await play.until(lambda: play.store.get("replicasets", "web-blue")["spec"]["replicas"] == 0)
    assert sum(faults.happened.values()) > 5
    made = {place: n for place, n in play.store.created.items() if place[0] == "replicasets"}
    assert made == {("replicasets", "a", "web-blue"): 1, ("replicasets", "a", "web-green"): 1}


@pytest.mark.parametrize("after", range(1, 24))
async def test_killed_at_any_call_the_next_one_finishes(play: Any, after: int) -> None:
    """Before the call is carried out for odd numbers, after it for even ones."""
    await begin(play)
    calls = 0

    async def mortal(request: Request) -> Response:
        nonlocal calls
        calls += 1
        if calls == after and after % 2:
            await asyncio.Event().wait()
        answer = await play.store(request)
        if calls == after:
            await asyncio.Event().wait()
        return answer

    _, task = play.controller(mortal)
    await asyncio.sleep(5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await play.store.put("rollouts", play.rollout("green"))
    play.controller()
    await play.until(play.healthy)
    assert max(n for place, n in play.store.created.items() if place[0] == "replicasets") == 1


def withheld(answer: Response, held: asyncio.Event) -> Response:
    """The answer, whose watch sends nothing until `held` is set."""
    stream = answer.stream
    if stream is not None:

        async def late():
            async for piece in stream:
                await held.wait()
                yield piece

        answer.stream = late()
    return answer


async def test_nothing_is_decided_on_a_cache_older_than_the_own_writes(play: Any) -> None:
    """A ReplicaSet that was created and is not seen yet must not be created, or decided upon, again."""
    await begin(play)
    held = asyncio.Event()
    seen: list[tuple[int, bool]] = []

    async def blind(request: Request) -> Response:
        """Withholds ReplicaSets until `held` is set."""
        answer = await play.store(request)
        return withheld(answer, held) if request.path.endswith("/replicasets") else answer

    def plan(snapshot: Snapshot) -> Plan:
        seen.append((len(snapshot.replica_sets), ("replicasets", "a", "web-blue") in play.store.objects))
        return play.plan(snapshot)

    play.controller(blind, plan=plan)
    await play.until(lambda: "web-blue" in play.store.names("replicasets"), every=0.01)
    for i in range(5):
        await play.store.put("services", {**play.service(), "metadata": {"name": "web-svc", "labels": {"try": str(i)}}})
        await asyncio.sleep(1)
    assert (0, True) not in seen, "it was planned without the ReplicaSet that had been made"
    held.set()
    await play.until(play.healthy)


async def test_a_write_whose_answer_is_lost_is_looked_into_before_anything_else_is_decided(play: Any) -> None:
    """It may have been done: a plan from the cache, which does not show it yet, may take from both sides at once."""
    await begin(play)
    held, lost = asyncio.Event(), list[str]()
    seen: list[tuple[int, bool]] = []

    async def bad_line(request: Request) -> Response:
        """Loses the answer to the first creation, and withholds ReplicaSets until `held` is set."""
        answer = await play.store(request)
        if request.method == "POST" and request.path.endswith("/replicasets") and not lost:
            lost.append(request.path)
            raise Unavailable(0, "", "connection reset before the answer arrived")
        return withheld(answer, held) if request.path.endswith("/replicasets") else answer

    def plan(snapshot: Snapshot) -> Plan:
        seen.append((len(snapshot.replica_sets), ("replicasets", "a", "web-blue") in play.store.objects))
        return play.plan(snapshot)

    play.controller(bad_line, plan=plan)
    await play.until(lambda: bool(lost), every=0.01)
    await asyncio.sleep(5)
    assert (0, True) not in seen, "it was planned without the ReplicaSet that had been made"
    held.set()
    await play.until(play.healthy)


async def test_an_event_that_is_lost_for_good_is_noticed(play: Any) -> None:
    """Kubernetes does not do this; but a proxy in between may, and a Rollout must not wait forever."""
    await begin(play)

    async def forgetful(request: Request) -> Response:
        answer = await play.store(request)
        if answer.stream and request.path.endswith("/replicasets"):
            answer.stream = silent()
        return answer

    async def silent():
        await asyncio.sleep(100_000)
        yield b""

    play.controller(forgetful)
    await play.until(play.healthy, seconds=300)


async def test_what_was_in_the_way_is_gone_and_it_goes_on_at_once(play: Any) -> None:
    await play.store.put("rollouts", play.rollout("blue"))
    play.controller()
    await play.until(lambda: play.store.get("rollouts", "web").get("status", {}).get("message"))
    await asyncio.sleep(1000)
    start = asyncio.get_running_loop().time()
    await play.store.put("services", play.service())
    await play.until(play.healthy, every=0.01)
    assert asyncio.get_running_loop().time() - start < 0.1


async def test_a_change_by_somebody_else_is_not_overwritten(play: Any) -> None:
    """A Service that changed between the read and the write: the write fails, and the next one includes the change."""
    await begin(play)
    tampered = False

    async def race(request: Request) -> Response:
        nonlocal tampered
        if request.method == "PATCH" and request.path.endswith("/services/web-svc") and not tampered:
            tampered = True
            theirs = {**play.service(), "spec": {"selector": {"app": "web", "theirs": "kept"}}}
            await play.store.put("services", theirs)
        return await play.store(request)

    play.controller(race)
    await play.until(play.healthy)
    assert tampered
    selector = play.store.get("services", "web-svc")["spec"]["selector"]
    assert selector == {"app": "web", "theirs": "kept", "rollouts-pod-template-hash": "blue"}


async def test_a_status_is_only_written_for_the_spec_it_was_decided_on(play: Any) -> None:
    """The Rollout's annotation is written first: its new resourceVersion must not admit the status after a new spec."""
    await begin(play)
    seen: list[str] = []

    async def race(request: Request) -> Response:
        if request.path.endswith("/rollouts/web/status") and not seen:
            seen.append("changed")
            await play.store.put("rollouts", play.rollout("green"))
            before = play.store.get("rollouts", "web").get("status")
            answer = await play.store(request)
            assert answer.status == 409
            assert play.store.get("rollouts", "web").get("status") == before
            return answer
        return await play.store(request)

    play.controller(race)
    await play.until(lambda: seen and play.healthy())
    assert play.store.get("rollouts", "web")["status"]["currentPodHash"] == "green"


async def test_a_rollout_that_is_being_deleted_is_left_alone(play: Any) -> None:
    doomed = play.rollout("blue")
    doomed["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    await play.store.put("rollouts", doomed)
    play.controller()
    await asyncio.sleep(60)
    assert play.store.writes() == []


async def test_what_pods_say_of_themselves_wakes_nobody_unless_it_matters(play: Any) -> None:
    await begin(play)
    calls: list[int] = []

    def plan(snapshot: Snapshot) -> Plan:
        calls.append(len(snapshot.pods))
        return play.plan(snapshot)

    play.controller(plan=plan)
    await play.until(play.healthy)
    await asyncio.sleep(5)
    owner = {
        "kind": "ReplicaSet",
        "uid": play.store.get("replicasets", "web-blue")["metadata"]["uid"],
        "controller": True,
    }
    pod: dict[str, Any] = {
        "metadata": {"name": "p", "labels": {"rollouts-pod-template-hash": "blue"}, "ownerReferences": [owner]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]},
    }
    await play.store.put("pods", pod)
    await asyncio.sleep(1)
    assert calls[-1] == 1
    before = len(calls)
    for i in range(5):
        noise = {"phase": "Running", "podIP": f"10.0.0.{i}", "conditions": [{"type": "Ready", "status": "False"}]}
        await play.store.put("pods", {**pod, "status": noise})
        await asyncio.sleep(1)
    assert len(calls) == before
    await play.store.put(
        "pods", {**pod, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    )
    await asyncio.sleep(1)
    assert len(calls) == before + 1


@pytest.mark.parametrize(("instance", "mine"), [("", "web"), ("blue-team", "theirs")])
async def test_only_the_rollouts_of_its_instance_are_touched(play: Any, instance: str, mine: str) -> None:
    label = {"argo-rollouts.argoproj.io/controller-instance-id": "blue-team"}
    for name, labels in (("web", {}), ("theirs", label)):
        await play.store.put("services", play.service(name))
        await play.store.put("rollouts", play.rollout("blue", name, **labels))
    play.controller(instance_id=instance)
    await play.until(lambda: play.healthy(mine))
    await asyncio.sleep(30)
    assert play.store.names("replicasets") == [f"{mine}-blue"]


async def test_one_rollout_that_cannot_be_decided_does_not_stop_the_others(play: Any) -> None:
    await begin(play)
    await play.store.put("rollouts", play.rollout("blue", "broken"))

    def plan(snapshot: Snapshot) -> Plan:
        if snapshot.rollout.metadata.name == "broken":
            raise ZeroDivisionError
        return play.plan(snapshot)

    play.controller(plan=plan)
    await play.until(play.healthy)


async def test_when_every_fault_ends_so_does_the_work(play: Any) -> None:
    await begin(play)
    faults = Faults(play.store, Random(3), Rates(failed=1.0))
    made, _ = play.controller(faults)
    await asyncio.sleep(300)
    assert made.not_ready(), "readiness tells that the API is away"
    faults.rates = Rates()
    await play.until(play.healthy, seconds=60)
    assert not made.not_ready()


async def test_after_a_restart_those_in_flight_come_before_all_that_are_settled(play: Any) -> None:
    for number in range(100):
        await play.store.put("services", play.service(f"web-{number}"))
        await play.store.put("rollouts", play.rollout("blue", f"web-{number}"))
    await play.store.put("rollouts", play.rollout("blue", "zzz"))  # its Service is missing
    _, first = play.controller()
    await play.until(lambda: all(play.healthy(f"web-{number}") for number in range(100)))
    first.cancel()
    for obj in play.store.objects.values():
        if "phase" in obj.get("status", {}):
            obj["status"]["observedGeneration"] = str(obj["metadata"]["generation"])
    order: list[str] = []

    def plan(snapshot: Snapshot) -> Plan:
        order.append(snapshot.rollout.metadata.name)
        return play.plan(snapshot)

    play.controller(workers=1, plan=plan)
    await play.until(lambda: len(order) > 100)
    assert order[0] == "zzz"
    assert sorted(order[1:101]) == sorted(f"web-{number}" for number in range(100))
