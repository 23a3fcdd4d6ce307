"""The Events of the Rollouts that open pages show: a list for each such Rollout, and one watch for all of them.

A watch holds a TLS connection for as long as it lasts, so a watch for each page would make memory depend on the pages. The
watch begins at the version of the first list and gets the Events of every Rollout in its scope; those of other Rollouts
are dropped at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import msgspec

from serinus.api.decoding.reading import Reader
from serinus.api.meta import ObjectMeta
from serinus.api.resources import EVENTS
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Gone
from serinus.kube.informer import STEADY, WATCH_SECONDS, Key, delay_after

OF_ROLLOUTS = "involvedObject.kind=Rollout"

PAGE = 200
"""Events per page of a list. The raw text of one page is in memory at once."""


class _Involved(msgspec.Struct):
    name: str = ""


class KeptEvent(msgspec.Struct, rename="camel", omit_defaults=True):
    """The displayed fields of an Event, and the name of its Rollout."""

    metadata: ObjectMeta
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    source: dict[str, str] | None = None
    reporting_component: str = ""
    involved_object: _Involved = msgspec.field(default_factory=_Involved)


_READER = Reader(KeptEvent, own=False)


@dataclass
class _Watched:
    pages: int = 0
    listed: bool = False
    events: dict[str, KeptEvent] = field(default_factory=dict[str, KeptEvent])


class EventFeed:
    """`changed` receives the key of each Rollout whose Events look different now. `namespace`: the scope of the watch, ""
    for all."""

    def __init__(
        self, client: Client, clock: Clock, rng: Random, changed: Callable[[Key], None], namespace: str
    ) -> None:
        self._client, self._clock, self._rng = client, clock, rng
        self._changed, self._namespace = changed, namespace
        self._watched: dict[Key, _Watched] = {}
        self._task: asyncio.Task[None] | None = None
        self._version = ""
        self._unlisted, self._begun = asyncio.Event(), asyncio.Event()

    def of(self, key: Key) -> list[KeptEvent]:
        """The Events of a Rollout that a page shows; empty for any other."""
        watched = self._watched.get(key)
        return list(watched.events.values()) if watched else []

    @contextmanager
    def looking_at(self, key: Key) -> Generator[None]:
        """Follows the Rollout's Events within the block."""
        watched = self._watched.setdefault(key, _Watched())
        watched.pages += 1
        self._unlisted.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        try:
            yield
        finally:
            watched.pages -= 1
            if not watched.pages:
                del self._watched[key]
            if not self._watched:
                self._task.cancel()
                self._begin_again()

    def _begin_again(self) -> None:
        """Only new lists have the Events that the watch has missed."""
        self._version = ""
        self._begun.clear()
        for watched in self._watched.values():
            watched.listed = False
        self._unlisted.set()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._list())
            group.create_task(self._watch())

    async def _list(self) -> None:
        failures = 0
        while True:
            await self._unlisted.wait()
            self._unlisted.clear()
            failed = False
            for key in [key for key, watched in self._watched.items() if not watched.listed]:
                try:
                    await self._list_one(key)
                except (ApiError, msgspec.MsgspecError):
                    failed = True  # a Rollout of a namespace without the right must not hold up the others
            failures = failures + 1 if failed else 0
            if failed:
                await asyncio.sleep(delay_after(failures, self._rng))
                self._unlisted.set()

    async def _list_one(self, key: Key) -> None:
        fields = f"{OF_ROLLOUTS},involvedObject.name={key[1]}"
        found = await self._client.list(EVENTS, key[0], type=msgspec.Raw, fields=fields, limit=PAGE)
        if (watched := self._watched.get(key)) is None:
            return
        listed = [event for raw in found.items if (event := _read(raw)) is not None]
        listed_at = _number(found.metadata.resource_version)
        newer = {name: event for name, event in watched.events.items() if _version(event) > listed_at}
        watched.events = {event.metadata.name: event for event in listed} | newer
        watched.listed = True
        if not self._version:
            self._version = found.metadata.resource_version
            self._begun.set()
        self._changed(key)

    async def _watch(self) -> None:
        failures = 0
        while True:
            await self._begun.wait()
            opened = self._clock.now()
            try:
                await self._follow()
            except Gone:
                self._begin_again()
            except (ApiError, msgspec.MsgspecError):
                pass  # the page says by other watches that the API server does not answer
            failures = 0 if self._clock.now() - opened >= STEADY else failures + 1
            if failures > 1:
                await asyncio.sleep(delay_after(failures, self._rng))

    async def _follow(self) -> None:
        changes = self._client.watch(
            EVENTS,
            self._namespace,
            type=msgspec.Raw,
            resource_version=self._version,
            fields=OF_ROLLOUTS,
            timeout=WATCH_SECONDS * (1 + self._rng.random()),
        )
        async for change in changes:
            event = _read(change.object)
            if event is None:
                continue
            self._version = event.metadata.resource_version or self._version
            key = (event.metadata.namespace, event.involved_object.name)
            if change.type != "BOOKMARK" and (watched := self._watched.get(key)) is not None:
                self._take(key, watched, event, gone=change.type == "DELETED")

    def _take(self, key: Key, watched: _Watched, event: KeptEvent, *, gone: bool) -> None:
        name = event.metadata.name
        known = watched.events.get(name)
        if known is not None and _version(known) > _version(event):
            return
        if gone:
            watched.events.pop(name, None)
        else:
            watched.events[name] = event
        self._changed(key)


def _read(raw: msgspec.Raw) -> KeptEvent | None:
    """The Event; None if it cannot be read: the others are not affected."""
    try:
        return _READER.read(raw)[0]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _version(event: KeptEvent) -> int:
    return _number(event.metadata.resource_version)


def _number(version: str) -> int:
    """As the API conventions permit. A version that is no number counts as newest."""
    return int(version) if version.isdigit() else 1 << 62
