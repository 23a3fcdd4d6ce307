"""A local copy of one resource, kept current by list and watch.

It lists once, then watches. A broken watch resumes from the last version seen and receives only the missed events. Only
410 Gone causes a new list, and listeners then receive only the differences. Versions never go back: an event older than
the cached object is dropped, so repeated and late events are harmless. Objects are read field by field
(`api/decoding/reading.py`): `partial` names a field that cannot be read. An object that cannot be read at all is omitted and
named in `invalid`; the other objects are not affected.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from random import Random
from typing import Any, Generic, TypeVar, cast

import msgspec

from serinus.api.decoding.nesting import CUT, DEEPEST, TOO_DEEP, too_deep, without_deep
from serinus.api.decoding.reading import Reader, converted
from serinus.api.messages.cutting import shortened
from serinus.api.meta import ObjectMeta
from serinus.api.resources import OWN_GROUP, Resource
from serinus.kube.client import Client, ListMeta
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError, Gone

T = TypeVar("T")
Key = tuple[str, str]

log = logging.getLogger(__name__)

PAGE = 500
"""Objects per page of a list, if nothing else is given. It bounds the raw text in memory."""

WATCH_SECONDS = 300.0
"""The server ends a watch after once to twice this time, so that clients spread over its replicas again."""

FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
"""Seconds between attempts while the API does not answer; doubled each time."""

STEADY = 1.0
"""Seconds that a watch must last to count as a success."""

TOMBSTONES = 1024
"""Deletions to remember, so that a late event about a deleted object does not restore it."""


SHOWN = 1_000
"""Maximum characters of the reason why an object cannot be read."""


class _HeadMeta(msgspec.Struct, rename="camel"):
    """Metadata of an arbitrary object. Bookmarks have `creationTimestamp: null`."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: str = ""


class _Head(msgspec.Struct):
    metadata: _HeadMeta = msgspec.field(default_factory=_HeadMeta)


_HEAD = Reader(_Head)


class Informer(Generic[T]):
    """Items of `resource` as `type`, of one namespace ("" for all) and the given selectors.

    `trim`: applied to each object before it is cached, to limit memory. `page`: objects per page of a list.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        type: type[T],
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        clock: Clock,
        rng: Random | None = None,
        trim: Callable[[T], T] | None = None,
        page: int = PAGE,
    ) -> None:
        self.items: dict[Key, T] = {}
        self.invalid: dict[Key, str] = {}
        """Objects that could not be read: the value found and its place."""
        self.partial: dict[Key, str] = {}
        """Objects with fields that could not be read: the fields, and the values found."""
        self.synced = asyncio.Event()
        self.answered = asyncio.Event()
        """Set once it is synced, or the first attempt has failed."""
        self.error = ""
        """The current connection error; "" while connected."""
        self.error_code = 0
        """HTTP status of the answer behind `error`; 0 without an answer."""
        self.contact = 0.0
        """Time of the last contact with the API, in seconds since the epoch."""
        self.lists = 0
        self._client, self._resource, self._type = client, resource, type
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._clock, self._rng, self._trim, self._page = clock, rng or Random(), trim, page
        self._reader = Reader(type, own=resource.group == OWN_GROUP)
        self._free = resource.group == OWN_GROUP or type is dict
        """Whether objects contain arbitrary user data. Later code walks it recursively."""
        self._listeners: list[Callable[[T | None, T | None], None]] = []
        self._unreadable: list[Callable[[Key, str, str], None]] = []
        self._troubled: list[Callable[[], None]] = []
        self._version = ""
        self._opened = 0.0
        self._gone: dict[Key, int] = {}
        self._watching: asyncio.Task[None] | None = None

    @property
    def resource(self) -> Resource:
        return self._resource

    def on_change(self, fn: Callable[[T | None, T | None], None]) -> None:
        """Calls `fn(old, new)` after each change. `old` is None for a new object, `new` for a deleted one."""
        self._listeners.append(fn)

    def on_unreadable(self, fn: Callable[[Key, str, str], None]) -> None:
        """Calls `fn(key, uid, why)` when an object cannot be read. Equal reasons in a row cause one call."""
        self._unreadable.append(fn)

    def on_lost(self, fn: Callable[[], None]) -> None:
        """Calls `fn()` when the connection is lost, and when its `error` changes."""
        self._troubled.append(fn)

    def relist(self) -> None:
        """Lists again. Call it if an event may have been lost."""
        self._version = ""
        if self._watching is not None:
            self._watching.cancel()

    async def run(self) -> None:
        """Keeps `items` current until cancelled. `synced` is set after the first list."""
        failures = 0
        while True:
            began, retry_after = self._clock.now(), None
            try:
                if not self._version:
                    await self._list()
                await self._watch_until_relist()
            except Gone:
                self._version = ""
            except ApiError as error:
                self._lost(error.message or error.reason or f"HTTP {error.code}", error.code)
                retry_after = error.retry_after
            except msgspec.MsgspecError as error:
                self._lost(f"the answer is no list or event: {error}")
            # After a steady connection the failures start at zero: the next attempt is made at once.
            failures = 0 if self._opened >= began and self._clock.now() - self._opened >= STEADY else failures + 1
            if failures > 1 or self.error:
                await self._rest(failures, retry_after)

    async def _watch_until_relist(self) -> None:
        """Like `_watch`, but also returns after a call of `relist`."""
        self._watching = watching = asyncio.ensure_future(self._watch())
        try:
            # `wait` distinguishes a cancelled watch from a cancellation of this task.
            await asyncio.wait((watching,))
        finally:
            self._watching = None
            if not watching.done():
                watching.cancel()
                await asyncio.wait((watching,))
        if not watching.cancelled():
            watching.result()

    async def _list(self) -> None:
        listed: set[Key] = set()
        metadata = ListMeta()
        async for page in self._client.pages(
            self._resource,
            self._namespace,
            type=msgspec.Raw,
            labels=self._labels,
            fields=self._fields,
            limit=self._page,
        ):
            self._heard()
            metadata = page.metadata
            for raw in page.items:
                key, new = self._read(raw)
                listed.add(key)
                if new is not None:
                    self._put(key, new)
        self.lists += 1
        for key in [key for key in self.items if key not in listed]:
            self._remove(key)
        for named in (self.invalid, self.partial):
            for key in named.keys() - listed:
                del named[key]
        self._gone.clear()
        self._version = metadata.resource_version
        self.synced.set()
        self.answered.set()

    async def _watch(self) -> None:
        timeout = WATCH_SECONDS * (1 + self._rng.random())
        events = self._client.watch(
            self._resource,
            self._namespace,
            type=msgspec.Raw,
            resource_version=self._version,
            labels=self._labels,
            fields=self._fields,
            timeout=timeout,
            opened=self._open,
        )
        async for event in events:
            self._heard()
            if event.type == "BOOKMARK":
                self._version = _head(event.object).resource_version or self._version
                continue
            key, new = self._read(event.object)
            version = self._version_of(event.object, new)
            if event.type == "DELETED":
                if key not in self.items or _number(meta(self.items[key]).resource_version) <= _number(version):
                    self._remove(key)
                    self.invalid.pop(key, None)
                    self.partial.pop(key, None)
                    self._bury(key, _number(version))
            elif new is not None and self._gone.get(key, -1) < _number(version):
                self._put(key, new)
            if _number(version) >= _number(self._version):
                self._version = version

    def _read(self, raw: msgspec.Raw) -> tuple[Key, T | None]:
        """The cached form of the object; None if it cannot be read. No content of an object raises."""
        try:
            if self._free and (CUT in bytes(raw) or too_deep(bytes(raw))):
                raise ValueError(TOO_DEEP)
            new, left_out = self._reader.read(raw)
            metadata = meta(new)
            if self._trim is not None:
                new = self._trim(new)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            return self._leave_out(raw, str(error)), None
        except RecursionError:
            return self._leave_out(raw, TOO_DEEP), None
        except Exception as error:
            log.exception("a %s could not be read", self._resource.kind)
            return self._leave_out(raw, f"{type(error).__name__}: {error}"), None
        # Interned, because thousands of objects share a few namespaces.
        key = (sys.intern(metadata.namespace), metadata.name)
        self.invalid.pop(key, None)
        if not left_out:
            self.partial.pop(key, None)
        elif self.partial.get(key) != (left_out := shortened(left_out, SHOWN)):
            self.partial[key] = left_out
            log.warning("%s %s/%s is read without some fields: %s", self._resource.kind, *key, left_out)
        return key, new

    def _leave_out(self, raw: msgspec.Raw, why: str) -> Key:
        why, head = shortened(why, SHOWN), _head(raw)
        key = (head.namespace, head.name)
        self.partial.pop(key, None)
        if self.invalid.get(key) != why:
            self.invalid[key] = why
            log.warning("%s %s/%s is left out: %s", self._resource.kind, *key, why)
            for fn in self._unreadable:
                fn(key, head.uid, why)
        return key

    def _version_of(self, raw: msgspec.Raw, new: T | None) -> str:
        if new is not None:
            return meta(new).resource_version
        return _head(raw).resource_version

    def _put(self, key: Key, new: T) -> None:
        old = self.items.get(key)
        if old is not None and _number(meta(new).resource_version) <= _number(meta(old).resource_version):
            return
        self.items[key] = new
        self._tell(old, new)

    def _remove(self, key: Key) -> None:
        old = self.items.pop(key, None)
        if old is not None:
            self._tell(old, None)

    def _bury(self, key: Key, version: int) -> None:
        self._gone.pop(key, None)
        self._gone[key] = version
        if len(self._gone) > TOMBSTONES:
            del self._gone[next(iter(self._gone))]

    def _tell(self, old: T | None, new: T | None) -> None:
        for fn in self._listeners:
            try:
                fn(old, new)
            except Exception:
                log.exception("a listener of %s failed", self._resource.plural)

    def _open(self) -> None:
        self._opened = self._clock.now()
        self._heard()

    def _heard(self) -> None:
        self.contact = self._clock.now()
        if self.error:
            log.info("%s: the API answers again", self._resource.plural)
            self.error = ""

    def _lost(self, why: str, code: int = 0) -> None:
        self.error_code = code
        if why != self.error:
            log.warning("cannot watch %s: %s; trying again", self._resource.group_resource, why)
            self.error = why
            self.answered.set()
            for fn in self._troubled:
                fn()

    async def _rest(self, failures: int, retry_after: float | None) -> None:
        await asyncio.sleep(max(delay_after(failures, self._rng), retry_after or 0.0))


def delay_after(failures: int, rng: Random) -> float:
    """Seconds before the next list or watch after so many failures in a row: doubling, with jitter."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(max(failures - 1, 0), 20))
    return longest * (0.5 + 0.5 * rng.random())


def meta(obj: Any) -> ObjectMeta:
    """The metadata of a typed object, or of one that is a plain dict."""
    if isinstance(obj, dict):
        return converted(cast(dict[str, Any], obj).get("metadata") or {}, ObjectMeta, own=False)
    return obj.metadata


def _head(raw: msgspec.Raw) -> _HeadMeta:
    """Name and version of an arbitrary object; empty if it has none."""
    try:
        return _HEAD.read(raw)[0].metadata
    except RecursionError:
        return _HEAD.read(without_deep(bytes(raw), DEEPEST))[0].metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _HeadMeta()


def _number(version: str) -> int:
    """The version as a number, which the API conventions permit. A version that is no number counts as newest."""
    return int(version) if version.isdigit() else 1 << 62
