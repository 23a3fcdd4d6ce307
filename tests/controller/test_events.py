"""Events are for people: each once, counted, never a flood, and never in the way of the work."""

from __future__ import annotations

import asyncio
import copy
from random import Random
from typing import Any

import pytest

from serinus.api.meta import WrittenMeta
from serinus.api.rollout import Rollout
from serinus.controller.events import Recorder
from serinus.engine.plan import Event
from serinus.kube.client import Client
from serinus.kube.clock import LoopClock
from serinus.kube.faults import Faults, Rates

pytestmark = pytest.mark.looptime(start=0)

WEB = Rollout(WrittenMeta(name="web", namespace="a", uid="u-1", resource_version="7"))


def events(store: Any) -> list[tuple[str, int]]:
    found = [store.objects[place] for place in sorted(store.objects) if place[0] == "events"]
    return [(event["reason"], event["count"]) for event in found]


async def run(store: Any, *told: Event, handler: Any = None, seconds: float = 100) -> Recorder:
    recorder = Recorder(Client(handler or store), LoopClock())
    task = asyncio.create_task(recorder.run())
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


async def test_one_object_that_flaps_does_not_flood_the_api(store: Any) -> None:
    recorder = await run(store, *[Event("Flap", f"{i}") for i in range(1000)])
    assert len(events(store)) == 25
    assert recorder.dropped == 975


async def test_an_event_that_was_deleted_is_written_anew(store: Any) -> None:
    """The API server deletes events after an hour."""
    recorder = Recorder(Client(store), LoopClock())
    task = asyncio.create_task(recorder.run())
    recorder.tell(WEB, Event("A", "same"))
    await asyncio.sleep(1)
    (name,) = store.names("events")
    await store.drop("events", name)
    recorder.tell(WEB, Event("A", "same"))
    await asyncio.sleep(1)
    task.cancel()
    assert events(store) == [("A", 1)]


async def test_an_api_that_is_away_for_a_moment_loses_no_event(store: Any) -> None:
    faults = Faults(store, Random(1), Rates(failed=0.5))
    await run(store, *[Event("A", f"{i}") for i in range(10)], handler=faults, seconds=600)
    assert len(events(store)) == 10


async def test_telling_takes_no_time_and_no_memory_without_bound_while_the_api_is_away(store: Any) -> None:
    recorder = Recorder(Client(store), LoopClock())
    for i in range(5000):
        other = copy.deepcopy(WEB)
        other.metadata.uid = f"u-{i}"
        recorder.tell(other, Event("A", "x"))
    assert recorder._line.qsize() == 1000  # pyright: ignore[reportPrivateUsage]
