"""Events are for users: each once, counted, never a flood, never delaying the work, and no important one is dropped."""

from __future__ import annotations

import asyncio
import copy
from random import Random
from typing import Any

import pytest

from serinus.api.messages.event_reasons import KEPT
from serinus.api.meta import Condition, WrittenMeta
from serinus.api.rollout import Rollout, RolloutStatus
from serinus.api.values.times import format_time
from serinus.controller.events import BURST, Recorder, aborted_since
from serinus.engine.core.plan import Event
from serinus.kube.client import Client
from serinus.kube.transport import Request, Response
from tests.support.kube.faults import Faults, Rates
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

START = 1_767_225_600.0
"""Seconds since the epoch when the loop's time is 0."""
WEB = Rollout(
    WrittenMeta(name="web", namespace="a", uid="u-1", resource_version="7", creation_timestamp=format_time(START))
)
ABORT = Event("RolloutAborted", "Rollout aborted update to revision 2", "Warning")
ROUTINE = [Event("TrafficWeightUpdated", f"Traffic weight updated to {i}") for i in range(1000)]


class Door:
    """The way to the API, which a test closes: for all requests, or for those that `only` names."""

    def __init__(self, store: Any, code: int = 503, only: str = "") -> None:
        self._store, self._code, self._only, self.shut = store, code, only, False

    async def __call__(self, request: Request) -> Response:
        if self.shut and self._only in request.path + (request.body or b"").decode():
            return Response(self._code, b'{"kind":"Status","message":"not now"}')
        return await self._store(request)


def events(store: Any) -> list[tuple[str, int]]:
    found = [store.objects[place] for place in sorted(store.objects) if place[0] == "events"]
    return [(event["reason"], event["count"]) for event in found]


def counts(store: Any) -> dict[str, int]:
    """Reason -> how often it is counted, in all of its Events together."""
    found: dict[str, int] = {}
    for reason, count in events(store):
        found[reason] = found.get(reason, 0) + count
    return found


async def run(store: Any, *told: Event, handler: Any = None, seconds: float = 100) -> Recorder:
    """A process that records these, and ends."""
    recorder = Recorder(Client(handler or store), LoopClock())
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(0.01)
    for event in told:
        recorder.tell(WEB, event)
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return recorder


async def test_the_same_sentence_is_one_event_with_a_count(store: Any) -> None:
    await run(store, *[Event("SwitchService", "to blue")] * 3, Event("SwitchService", "to green"))
    assert events(store) == [("SwitchService", 3), ("SwitchService", 1)]


async def test_an_event_says_whom_it_is_about_and_who_tells_it(store: Any) -> None:
    await run(store, Event("RolloutCompleted", "done", "Warning"))
    (event,) = [o for place, o in store.objects.items() if place[0] == "events"]
    about = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "namespace": "a"}
    assert event["involvedObject"] == {**about, "uid": "u-1", "resourceVersion": "7"}
    assert event["source"] == {"component": "rollouts-controller"}
    assert (event["type"], event["message"], event["firstTimestamp"]) == ("Warning", "done", event["lastTimestamp"])


async def test_names_sort_in_the_order_in_which_events_were_recorded(store: Any) -> None:
    """`kubectl get events` lists by name."""
    await run(store, *ROUTINE[:20])
    found = [store.get("events", name)["message"] for name in store.names("events")]
    assert found == [event.message for event in ROUTINE[:20]]


async def test_routine_events_of_one_object_do_not_flood_the_api(store: Any) -> None:
    recorder = await run(store, *ROUTINE)
    assert len(events(store)) == BURST
    assert recorder.dropped == len(ROUTINE) - BURST


@pytest.mark.parametrize("reason", sorted(KEPT))
async def test_what_matters_is_written_whatever_came_before(store: Any, reason: str) -> None:
    await run(store, *ROUTINE, Event(reason, "it matters"))
    assert (reason, 1) in events(store)


async def test_a_warning_is_written_whatever_its_reason(store: Any) -> None:
    await run(store, *ROUTINE, Event("StepPluginTransition", "it failed", "Warning"), Event("OfAPlugin", "what is it"))
    assert events(store)[-2:] == [("StepPluginTransition", 1), ("OfAPlugin", 1)]


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_what_matters_waits_while_the_api_is_away_and_routine_does_not_push_it_out(store: Any, code: int) -> None:
    """An hour long; meanwhile a hundred other objects have more routine Events than the queue accepts."""
    door = Door(store, code)
    door.shut = True
    recorder = Recorder(Client(door), LoopClock())
    task = asyncio.create_task(recorder.run())
    recorder.tell(WEB, ABORT)
    for i in range(100):
        other = copy.deepcopy(WEB)
        other.metadata.uid = f"other-{i}"
        for event in ROUTINE[:20]:
            recorder.tell(other, event)
    await asyncio.sleep(3600)
    door.shut = False
    await asyncio.sleep(60)
    task.cancel()
    assert events(store).count(("RolloutAborted", 1)) == 1
    assert recorder.lost == 0


async def test_one_namespace_that_takes_no_events_does_not_hold_up_another(store: Any) -> None:
    door = Door(store, 500, only="/namespaces/a/")
    door.shut = True
    recorder = Recorder(Client(door), LoopClock())
    task = asyncio.create_task(recorder.run())
    other = Rollout(WrittenMeta(name="web", namespace="b", uid="u-2"))
    recorder.tell(WEB, ABORT)
    recorder.tell(other, ABORT)
    await asyncio.sleep(300)
    assert [place[1] for place in store.objects if place[0] == "events"] == ["b"]
    door.shut = False
    await asyncio.sleep(300)
    task.cancel()
    assert counts(store) == {"RolloutAborted": 2}


async def test_a_refused_event_holds_up_no_other(store: Any) -> None:
    """A namespace that is being deleted accepts none."""
    door = Door(store, 403, only="RolloutAborted")
    door.shut = True
    recorder = await run(store, ABORT, Event("RolloutCompleted", "done"), handler=door)
    assert events(store) == [("RolloutCompleted", 1)]
    assert recorder.lost == 1


async def test_what_was_not_written_when_the_process_ends_is_written_at_its_end(store: Any) -> None:
    """Also the one whose request was under way."""
    door = Door(store)
    door.shut = True
    recorder = await run(store, ABORT, Event("RolloutCompleted", "done"), handler=door, seconds=1)
    door.shut = False
    await recorder.flush()
    assert events(store) == [("RolloutAborted", 1), ("RolloutCompleted", 1)]
    assert recorder.waiting() == 0


async def test_a_lost_answer_counts_an_event_once(store: Any) -> None:
    lost = Faults(store, Random(3), Rates(lost_answer=0.6))
    await run(store, ABORT, Event("RolloutCompleted", "done"), *ROUTINE[:5], handler=lost, seconds=600)
    assert sorted(counts(store).items()) == [
        ("RolloutAborted", 1),
        ("RolloutCompleted", 1),
        ("TrafficWeightUpdated", 5),
    ]


async def test_another_program_s_event_of_the_same_instant_hides_none(store: Any) -> None:
    """The command that aborts records itself by the object's name and the time."""
    for i in range(5):
        await store.put(
            "events",
            {"metadata": {"name": f"web.{int(START * 1e9) + i:x}", "namespace": "a"}, "reason": "x", "count": 1},
        )
    recorder = Recorder(Client(store), LoopClock())
    task = asyncio.create_task(recorder.run())
    recorder.tell(WEB, ABORT)
    await asyncio.sleep(1)
    task.cancel()
    assert ("RolloutAborted", 1) in events(store)


async def test_a_loop_of_one_warning_is_counted_and_not_written_each_time(store: Any) -> None:
    recorder = Recorder(Client(store), LoopClock())
    task = asyncio.create_task(recorder.run())
    refused = Event("TrafficRoutingError", "no such Ingress", "Warning")
    for _ in range(1000):
        recorder.tell(WEB, refused)
        await asyncio.sleep(0.1)
    await asyncio.sleep(20)
    task.cancel()
    assert events(store) == [("TrafficRoutingError", 1000)]
    assert sum(verb == "PATCH" for verb, _ in store.requests) <= 12


async def test_an_abort_that_comes_again_after_a_retry_has_its_own_time(store: Any) -> None:
    recorder = Recorder(Client(store), LoopClock())
    task = asyncio.create_task(recorder.run())
    recorder.tell(WEB, ABORT)
    await asyncio.sleep(5)
    recorder.tell(WEB, ABORT)
    await asyncio.sleep(60)
    task.cancel()
    (event,) = [o for place, o in store.objects.items() if place[0] == "events"]
    assert (event["count"], event["firstTimestamp"], event["lastTimestamp"]) == (
        2,
        format_time(START),
        format_time(START + 5),
    )


async def test_equal_events_are_counted_on_from_what_an_earlier_process_wrote(store: Any) -> None:
    await run(store, ABORT, *ROUTINE[:2])
    await run(store, ABORT, *ROUTINE[1:3])
    assert sorted(events(store)) == [("RolloutAborted", 2), *[("TrafficWeightUpdated", n) for n in (1, 1, 2)]]


async def test_a_process_that_leads_again_counts_on_from_what_another_wrote(store: Any) -> None:
    first = Recorder(Client(store), LoopClock())
    for _ in range(2):  # leads, loses the lease, leads again
        task = asyncio.create_task(first.run())
        first.tell(WEB, ABORT)
        await asyncio.sleep(20)
        task.cancel()
        await run(store, ABORT)
    assert events(store) == [("RolloutAborted", 4)]


async def test_events_of_an_object_are_listed_once_and_not_for_one_that_is_new(store: Any) -> None:
    await run(store, ABORT)
    store.requests.clear()
    new = copy.deepcopy(WEB)
    new.metadata.uid, new.metadata.creation_timestamp = "u-2", format_time(START + 150)
    recorder = Recorder(Client(store), LoopClock())
    task = asyncio.create_task(recorder.run())
    for about in (WEB, WEB, new):
        for event in ROUTINE[:3]:
            recorder.tell(about, event)
        await asyncio.sleep(30)
    task.cancel()
    assert sum(verb == "GET" for verb, _ in store.requests) == 1


async def test_without_the_right_to_list_events_they_are_written_all_the_same(store: Any) -> None:
    async def no_list(request: Request) -> Response:
        if request.method == "GET":
            return Response(403, b'{"kind":"Status","reason":"Forbidden","message":"no"}')
        return await store(request)

    await run(store, ABORT, handler=no_list)
    await run(store, ABORT, ROUTINE[0], handler=no_list)
    assert counts(store) == {"RolloutAborted": 2, "TrafficWeightUpdated": 1}


def aborted(at: float) -> Rollout:
    when = format_time(at)
    condition = Condition("Progressing", "False", when, when, ABORT.reason, ABORT.message)
    return Rollout(WEB.metadata, status=RolloutStatus(conditions=[condition], abort=True))


@pytest.mark.parametrize("written", [True, False])
async def test_the_next_process_writes_the_abort_that_a_killed_one_could_not(store: Any, written: bool) -> None:
    if written:
        await run(store, ABORT)
    recorder = Recorder(Client(store), LoopClock())
    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(10)
    missed = aborted_since(aborted(START), START - 100)
    assert missed
    recorder.tell_if_absent(WEB, *missed)
    await asyncio.sleep(10)
    task.cancel()
    (event,) = [o for place, o in store.objects.items() if place[0] == "events"]
    assert (event["reason"], event["type"], event["count"]) == ("RolloutAborted", "Warning", 1)
    assert event["lastTimestamp"] == format_time(START)


def test_an_abort_of_long_ago_is_not_written_again() -> None:
    """Its Event has expired."""
    assert aborted_since(aborted(START), START + 1) is None


async def test_an_event_that_was_deleted_is_written_anew(store: Any) -> None:
    """The API server deletes events after an hour."""
    recorder = Recorder(Client(store), LoopClock())
    task = asyncio.create_task(recorder.run())
    recorder.tell(WEB, Event("A", "same"))
    await asyncio.sleep(1)
    (name,) = store.names("events")
    await store.drop("events", name)
    recorder.tell(WEB, Event("A", "same"))
    await asyncio.sleep(15)
    task.cancel()
    assert events(store) == [("A", 1)]


async def test_an_api_that_is_away_for_a_moment_loses_no_event(store: Any) -> None:
    faults = Faults(store, Random(1), Rates(failed=0.5))
    await run(store, *ROUTINE[:10], handler=faults, seconds=600)
    assert len(events(store)) == 10


@pytest.mark.parametrize(("event", "most"), [(ROUTINE[0], 1000), (ABORT, 10_000)])
async def test_telling_takes_no_time_and_no_memory_without_bound_while_the_api_is_away(
    store: Any, event: Event, most: int
) -> None:
    recorder = Recorder(Client(store), LoopClock())
    for i in range(most + 2000):
        other = copy.deepcopy(WEB)
        other.metadata.uid = f"u-{i}"
        recorder.tell(other, event)
    assert recorder.waiting() == most
    assert recorder.lost + recorder.dropped == 2000
