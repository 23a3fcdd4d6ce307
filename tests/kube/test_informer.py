"""A cache that loses nothing, never goes back in time, and requests only the changes that it missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any

import pytest

from serinus.api.network import Service
from serinus.api.resources import ROLLOUTS, SERVICES
from serinus.kube.client import Client
from serinus.kube.errors import Unavailable
from serinus.kube.informer import Informer
from serinus.kube.transport import Request, Response
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)

Change = tuple[str | None, str | None]


def service(name: str, version: int, **selector: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "a", "uid": f"u-{name}", "resourceVersion": str(version)},
        "spec": {"selector": selector},
    }


class Shelf:
    """An API server with one resource. Its watches send the events given to `tell`, and break on request."""

    def __init__(self, *objects: dict[str, Any], version: int = 10) -> None:
        self.objects, self.version = list(objects), version
        self.lists = 0
        self.resumed: list[str] = []
        self.refuse: list[Response] = []
        self._pipe: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def __call__(self, request: Request) -> Response:
        if self.refuse:
            return self.refuse.pop(0)
        if request.query.get("watch") != "true":
            self.lists += 1
            body = {"metadata": {"resourceVersion": str(self.version)}, "items": self.objects}
            return Response(200, json.dumps(body).encode())
        self.resumed.append(request.query["resourceVersion"])
        return Response(200, stream=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        self._pipe = asyncio.Queue()
        while (piece := await self._pipe.get()) is not None:
            if piece == b"break":
                raise Unavailable(0, "", "connection reset")
            yield piece

    async def tell(self, type_: str, obj: dict[str, Any]) -> None:
        self._pipe.put_nowait(json.dumps({"type": type_, "object": obj}).encode() + b"\n")
        await asyncio.sleep(0.01)

    async def end(self, how: bytes | None = None) -> None:
        self._pipe.put_nowait(how)
        await asyncio.sleep(5)


Start = Callable[[Shelf], Awaitable[tuple[Informer[Service], list[Change]]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    tasks: list[asyncio.Task[None]] = []

    async def begin(shelf: Shelf) -> tuple[Informer[Service], list[Change]]:
        informer = Informer(Client(shelf), SERVICES, Service, clock=LoopClock(), rng=Random(1))
        changes: list[Change] = []
        informer.on_change(
            lambda old, new: changes.append(
                (old and old.metadata.resource_version, new and new.metadata.resource_version)
            )
        )
        tasks.append(asyncio.create_task(informer.run()))
        await informer.synced.wait()
        await asyncio.sleep(0.01)
        return informer, changes

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_it_holds_what_is_there_and_tells_each_change(start: Start) -> None:
    shelf = Shelf(service("one", 3))
    informer, changes = await start(shelf)
    await shelf.tell("ADDED", service("two", 11))
    await shelf.tell("MODIFIED", service("one", 12, app="x"))
    await shelf.tell("DELETED", service("two", 13))
    assert changes == [(None, "3"), (None, "11"), ("3", "12"), ("11", None)]
    assert {name: item.spec.selector for (_, name), item in informer.items.items()} == {"one": {"app": "x"}}


@pytest.mark.parametrize("how", [b"break", None])
async def test_a_broken_connection_resumes_where_it_was_and_lists_nothing(start: Start, how: bytes | None) -> None:
    shelf = Shelf(service("one", 3))
    informer, changes = await start(shelf)
    await shelf.tell("MODIFIED", service("one", 12))
    await shelf.tell("BOOKMARK", {"metadata": {"resourceVersion": "40", "creationTimestamp": None}})
    await shelf.end(how)
    assert shelf.resumed == ["10", "40"]
    assert shelf.lists == 1
    assert not informer.error
    assert len(changes) == 2, "nothing is told twice"


async def test_a_version_that_is_too_old_tells_only_the_differences(start: Start) -> None:
    shelf = Shelf(service("same", 3), service("changed", 4), service("gone", 5))
    _, changes = await start(shelf)
    changes.clear()
    shelf.objects, shelf.version = [service("same", 3), service("changed", 20), service("new", 21)], 30
    await shelf.tell("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
    await asyncio.sleep(5)
    assert sorted(changes, key=str) == sorted([("4", "20"), (None, "21"), ("5", None)], key=str)
    assert shelf.resumed == ["10", "30"]


async def test_repeated_and_late_events_change_nothing(start: Start) -> None:
    shelf = Shelf(service("one", 3))
    informer, changes = await start(shelf)
    await shelf.tell("MODIFIED", service("one", 12))
    await shelf.tell("MODIFIED", service("one", 11))
    await shelf.tell("MODIFIED", service("one", 12))
    await shelf.tell("DELETED", service("one", 15))
    await shelf.tell("MODIFIED", service("one", 14))
    assert changes == [(None, "3"), ("3", "12"), ("12", None)]
    await shelf.tell("ADDED", service("one", 16))
    await shelf.tell("DELETED", service("one", 15))
    assert ("a", "one") in informer.items, "an old deletion does not remove a new object"


async def test_an_api_that_is_down_is_asked_less_and_less_often(start: Start) -> None:
    shelf = Shelf(service("one", 3))
    informer, _ = await start(shelf)
    shelf.refuse = [Response(503, b"")] * 8
    await shelf.end(b"break")
    assert informer.error, "whoever asks is told why nothing is new"
    before = len(shelf.refuse)
    await asyncio.sleep(1)
    assert before - len(shelf.refuse) <= 2
    await asyncio.sleep(200)
    assert not informer.error
    assert shelf.lists == 1


async def test_one_unreadable_object_does_not_hide_the_others(start: Start) -> None:
    broken = service("broken", 4)
    broken["metadata"] = 7
    shelf = Shelf(service("one", 3), broken)
    informer, _ = await start(shelf)
    assert list(informer.items) == [("a", "one")]
    assert list(informer.invalid.values()) == ["Expected `object`, got `int` - at `$.metadata`"]


async def test_a_field_that_cannot_be_read_costs_the_field_and_is_named(start: Start) -> None:
    broken, bare = service("broken", 4), service("bare", 5)
    broken["spec"]["selector"] = 7
    bare["spec"]["selector"] = None
    shelf = Shelf(service("one", 3), broken, bare)
    informer, _ = await start(shelf)
    assert informer.items["a", "broken"].spec.selector == {}
    assert informer.partial == {("a", "broken"): "spec.selector: Expected `object`, got `int`"}, (
        "null is nothing to tell"
    )
    await shelf.tell("MODIFIED", service("broken", 11, app="x"))
    assert informer.items["a", "broken"].spec.selector == {"app": "x"}
    assert (informer.partial, informer.invalid) == ({}, {})


async def test_a_lost_event_is_found_by_listing_again(start: Start) -> None:
    shelf = Shelf(service("one", 3))
    informer, changes = await start(shelf)
    shelf.objects = [service("one", 12)]
    informer.relist()
    await asyncio.sleep(1)
    assert changes[-1] == ("3", "12")
    assert shelf.lists == 2


@pytest.mark.parametrize("levels", [130, 1_100, 20_000])
async def test_an_object_that_nests_too_deeply_hides_no_other(levels: int) -> None:
    """Decoders are recursive: one such object must not make a whole page, or a watch, unreadable."""
    deep = (b'{"a":[' * (levels // 2)) + b"1" + (b"]}" * (levels // 2))

    class Deep(Shelf):
        async def __call__(self, request: Request) -> Response:
            answer = await super().__call__(request)
            answer.body = answer.body.replace(b'"DEEP"', deep)
            return answer

    rollout = {**service("deep", 4), "spec": {"template": "DEEP"}}
    shelf = Deep(service("one", 3), rollout, service("two", 5))
    informer = Informer(Client(shelf), ROLLOUTS, dict, clock=LoopClock(), rng=Random(1))
    told: list[tuple[Any, str, str]] = []
    informer.on_unreadable(lambda *said: told.append(said))
    task = asyncio.create_task(informer.run())
    await informer.synced.wait()
    assert sorted(informer.items) == [("a", "one"), ("a", "two")]
    assert told == [(("a", "deep"), "u-deep", "it is nested more than 128 levels deep")]
    await asyncio.sleep(0.01)
    piece = json.dumps({"type": "ADDED", "object": {**rollout, "metadata": service("new", 12)["metadata"]}})
    shelf._pipe.put_nowait(piece.encode().replace(b'"DEEP"', deep) + b"\n")  # pyright: ignore[reportPrivateUsage]
    await shelf.tell("ADDED", service("three", 13))
    assert ("a", "three") in informer.items
    assert ("a", "new") in informer.invalid
    assert shelf.lists == 1
    await shelf.tell("MODIFIED", service("new", 14))
    assert (("a", "new") in informer.items, list(informer.invalid)) == (True, [("a", "deep")])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_whatever_goes_wrong_with_one_object_hides_no_other(start: Start) -> None:
    def trim(one: Service) -> Service:
        if one.metadata.name == "odd":
            raise KeyError("odd")
        return one

    shelf = Shelf(service("odd", 3), service("one", 4))
    informer = Informer(Client(shelf), SERVICES, Service, clock=LoopClock(), rng=Random(1), trim=trim)
    task = asyncio.create_task(informer.run())
    await informer.synced.wait()
    assert list(informer.items) == [("a", "one")]
    assert informer.invalid == {("a", "odd"): "KeyError: 'odd'"}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
