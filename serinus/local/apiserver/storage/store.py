"""The object store: one interface, in memory or in a SQLite file.

Theory of operation. All objects are in memory as encoded JSON with a small index (labels, selectable fields). The file,
if any, is the durable copy. A write gets the next number of the one counter (the resourceVersion). It is pending
(`ahead`) until it is durable, and is published only then: readers and watchers never see a write that a crash could
undo. Writers read `latest`, which includes pending writes. So a read-modify-write needs no lock if it does not await in
between.

Every published change is appended to its resource's log, which is bounded in count and bytes. Watchers are cursors on
the log: a slow one costs nothing and gets 410 once the log has dropped its position.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

Json = dict[str, Any]
Name = tuple[str, str]
"""(namespace, name); namespace is "" for cluster-scoped objects."""

LARGEST_OBJECT = 3 << 19
"""Bytes of an object as JSON: 1.5 MiB, etcd's largest request (`--max-request-bytes`)."""

MARK_BYTES = 4096
"""Bytes by which an object at the limit may grow when it is marked for deletion."""

_NO_LABELS: dict[str, str] = {}
_encode = msgspec.json.Encoder().encode


class StoreError(Exception):
    """The store cannot be opened or written: one sentence with the fix."""


class ObjectTooLarge(Exception):
    """The object exceeds the size limit. `size`: its bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size


class VersionMismatch(Exception):
    """The object is not at the expected version. `actual` is its latest version, 0 if it does not exist."""

    def __init__(self, actual: int) -> None:
        super().__init__(f"found version {actual}")
        self.actual = actual


class Compacted(Exception):
    """The log has dropped these changes. `oldest` is the first version after which it still has all changes."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"history starts at {oldest}")
        self.oldest = oldest


@dataclass(slots=True)
class Entry:
    """One object at one version. `resource` is its group resource (`pods`, `deployments.apps`)."""

    resource: str
    namespace: str
    name: str
    version: int
    body: bytes
    labels: dict[str, str]
    fields: dict[str, str]

    def object(self) -> Json:
        return msgspec.json.decode(self.body)

    def at(self, version: int) -> Entry:
        """The same object with another resourceVersion."""
        obj = self.object()
        obj["metadata"]["resourceVersion"] = str(version)
        return Entry(self.resource, self.namespace, self.name, version, _encode(obj), self.labels, self.fields)


@dataclass(slots=True)
class StoredChange:
    """`entry` is the object after the change, or its last state at the deletion's version."""

    version: int
    entry: Entry
    before: Entry | None
    deleted: bool
    number: int = 0


_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_POD = ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName", "hostNetwork")
_SELECTABLE: dict[str, tuple[str, ...]] = {
    "pods": (*(f"spec.{name}" for name in _POD), "status.phase", "status.podIP", "status.nominatedNodeName"),
    "events": (*(f"involvedObject.{name}" for name in _INVOLVED), "reason", "reportingComponent", "source", "type"),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "replicasets.apps": ("status.replicas",),
    "jobs.batch": ("status.successful",),
}


def selectable_fields(resource: str) -> tuple[str, ...]:
    """Fields that this resource's field selectors support, beside metadata.name and metadata.namespace."""
    return _SELECTABLE.get(resource, ())


def entry_of(resource: str, obj: Json, version: int) -> Entry:
    meta: Json = obj["metadata"]
    labels = meta.get("labels")
    return Entry(
        resource,
        meta.get("namespace") or "",
        meta["name"],
        version,
        _encode(obj),
        cast("dict[str, str]", labels) if isinstance(labels, dict) and labels else _NO_LABELS,
        {path: _field(obj, path) for path in _SELECTABLE.get(resource, ())},
    )


def check_size(entry: Entry, before: Entry | None) -> None:
    """Raises ObjectTooLarge over the limit, unless a larger object shrinks or is marked for deletion."""
    size = len(entry.body)
    if size <= LARGEST_OBJECT:
        return
    most = len(before.body) if before else 0
    if entry.object()["metadata"].get("deletionTimestamp"):
        begins = before is not None and not before.object()["metadata"].get("deletionTimestamp")
        most = max(most + MARK_BYTES * begins, LARGEST_OBJECT + MARK_BYTES)
    if size > most:
        raise ObjectTooLarge(size)


def _field(obj: Json, path: str) -> str:
    value: Any = obj
    if path == "source":
        value = (obj.get("source") or {}).get("component") or obj.get("reportingComponent")
    elif path == "status.successful":
        value = (obj.get("status") or {}).get("succeeded") or 0
    else:
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@dataclass(slots=True)
class ChangeLog:
    """Changes of one resource, oldest first; `floor` is the version up to which changes were dropped."""

    floor: int
    changes: deque[StoredChange] = field(default_factory=deque[StoredChange])
    size: int = 0
    next: int = 0
    waiting: set[asyncio.Future[None]] = field(default_factory=set[asyncio.Future[None]])

    def append(self, change: StoredChange, most: int, most_bytes: int) -> None:
        change.number = self.next
        self.next += 1
        self.changes.append(change)
        self.size += len(change.entry.body)
        while len(self.changes) > most or (self.size > most_bytes and len(self.changes) > 1):
            gone = self.changes.popleft()
            self.size -= len(gone.entry.body)
            self.floor = gone.version
        self.wake()

    def wake(self) -> None:
        """Wakes all waiting watchers."""
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(None)
        self.waiting.clear()

    def cursor(self, version: int) -> int:
        """The number of the first change after `version`. Raises Compacted."""
        if version < self.floor:
            raise Compacted(self.floor)
        first = self.next - len(self.changes)
        return first + bisect_right(self.changes, version, key=lambda change: change.version)

    def after(self, cursor: int) -> list[StoredChange]:
        """Changes from `cursor` on. Raises Compacted if some were dropped."""
        first = self.next - len(self.changes)
        if cursor < first:
            raise Compacted(self.floor)
        if cursor == self.next:
            return []
        if self.next - cursor == 1:
            return [self.changes[-1]]
        return [self.changes[i] for i in range(cursor - first, len(self.changes))]

    def wait(self) -> asyncio.Future[None]:
        waiter = asyncio.get_running_loop().create_future()
        self.waiting.add(waiter)
        return waiter


class Shelf:
    """All objects of one resource. A list sorts the keys on demand."""

    __slots__ = ("_order", "entries")

    def __init__(self) -> None:
        self.entries: dict[Name, Entry] = {}
        self._order: list[Name] | None = None

    def put(self, key: Name, entry: Entry | None) -> None:
        if entry is None:
            self.entries.pop(key, None)
            self._order = None
        else:
            if key not in self.entries:
                self._order = None
            self.entries[key] = entry

    def ordered(self) -> list[Name]:
        if self._order is None:
            self._order = sorted(self.entries)
        return self._order

    def within(self, namespace: str) -> list[Entry]:
        """Entries sorted by namespace and name; "" for all namespaces."""
        order = self.ordered()
        if namespace:
            order = order[bisect_right(order, (namespace, "")) : bisect_right(order, (namespace, "\U0010ffff"))]
        return [self.entries[key] for key in order]


class Store:
    """The interface, and its parts that do not depend on durability. One event loop uses it."""

    def __init__(self, *, history: int = 1000, history_bytes: int = 4 << 20) -> None:
        self.revision = 1
        """Version of the newest published change."""
        self._assigned = 1
        self._start = 0
        self._history, self._history_bytes = history, history_bytes
        self._shelves: dict[str, Shelf] = {}
        self._logs: dict[str, ChangeLog] = {}
        self._ahead: dict[tuple[str, str, str], tuple[int, Entry | None]] = {}

    def get(self, resource: str, namespace: str, name: str) -> Entry | None:
        """The published object."""
        shelf = self._shelves.get(resource)
        return shelf.entries.get((namespace, name)) if shelf else None

    def latest(self, resource: str, namespace: str, name: str) -> Entry | None:
        """The object that the next writer must read: with pending writes."""
        pending = self._ahead.get((resource, namespace, name))
        return pending[1] if pending else self.get(resource, namespace, name)

    def list(self, resource: str, namespace: str = "") -> list[Entry]:
        """Published objects, sorted by namespace and name."""
        shelf = self._shelves.get(resource)
        return shelf.within(namespace) if shelf else []

    def list_at(self, resource: str, namespace: str, version: int) -> list[Entry]:
        """Objects as they were at `version`, by undoing later changes. Raises Compacted."""
        log = self.log(resource)
        if version >= self.revision:
            return self.list(resource, namespace)
        later = log.after(log.cursor(version))
        state = {(e.namespace, e.name): e for e in self.list(resource, namespace)}
        for change in reversed(later):
            key = (change.entry.namespace, change.entry.name)
            if namespace and key[0] != namespace:
                continue
            if change.before is None:
                state.pop(key, None)
            else:
                state[key] = change.before
        return [state[key] for key in sorted(state)]

    def resources(self) -> list[str]:
        """Group resources with objects."""
        return [name for name, shelf in self._shelves.items() if shelf.entries]

    def pending(self, resource: str) -> Iterator[Entry]:
        """Objects of the resource with pending writes, for checks that must include the most recent write."""
        shelf = self._shelves.get(resource)
        for key, entry in list(shelf.entries.items()) if shelf else []:
            if (resource, *key) not in self._ahead:
                yield entry
        for (owner, _, _), (_, entry) in list(self._ahead.items()):
            if owner == resource and entry is not None:
                yield entry

    def log(self, resource: str) -> ChangeLog:
        log = self._logs.get(resource)
        if log is None:
            log = self._logs[resource] = ChangeLog(self._start)
        return log

    def logs(self) -> list[ChangeLog]:
        return list(self._logs.values())

    def put(self, resource: str, obj: Json, *, expected: int | None = None) -> Awaitable[Entry]:
        """Writes `obj` and sets its resourceVersion. `latest` includes the write at once; await it for durability.

        `expected` is the required version (0: must not exist). Raises VersionMismatch at once, and ObjectTooLarge.
        """
        meta: Json = obj["metadata"]
        key = (resource, str(meta.get("namespace") or ""), str(meta["name"]))
        before = self.latest(*key)
        self._check(before, expected)
        meta["resourceVersion"] = str(self._assigned + 1)
        entry = entry_of(resource, obj, self._assigned + 1)
        check_size(entry, before)
        self._assigned += 1
        self._ahead[key] = (self._assigned, entry)
        return self._commit(StoredChange(self._assigned, entry, before, deleted=False))

    def delete(self, resource: str, namespace: str, name: str, *, expected: int | None = None) -> Awaitable[Entry]:
        """Removes the object. The entry is its last state at the deletion's version. KeyError if it does not exist."""
        key = (resource, namespace, name)
        before = self.latest(*key)
        self._check(before, expected)
        if before is None:
            raise KeyError(key)
        self._assigned += 1
        self._ahead[key] = (self._assigned, None)
        return self._commit(StoredChange(self._assigned, before.at(self._assigned), before, deleted=True))

    async def settled(self) -> None:
        """Returns when all earlier writes are durable."""

    def close(self) -> None:
        """Closes the store; acknowledged writes are kept."""

    def _commit(self, change: StoredChange) -> Awaitable[Entry]:
        raise NotImplementedError

    @staticmethod
    def _check(before: Entry | None, expected: int | None) -> None:
        actual = before.version if before else 0
        if expected is not None and expected != actual:
            raise VersionMismatch(actual)

    def _publish(self, change: StoredChange) -> None:
        entry = change.entry
        key = (entry.resource, entry.namespace, entry.name)
        shelf = self._shelves.get(entry.resource)
        if shelf is None:
            shelf = self._shelves[entry.resource] = Shelf()
        shelf.put((entry.namespace, entry.name), None if change.deleted else entry)
        pending = self._ahead.get(key)
        if pending and pending[0] <= change.version:
            del self._ahead[key]
        self.revision = max(self.revision, change.version)
        self.log(entry.resource).append(change, self._history, self._history_bytes)


class _Done:
    """A completed awaitable: a write in memory costs no turn of the event loop."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __await__(self) -> Generator[Any, Any, Entry]:
        return self._entry
        yield


class MemoryStore(Store):
    """A store without persistence; every write completes at once."""

    def _commit(self, change: StoredChange) -> Awaitable[Entry]:
        self._publish(change)
        return _Done(change.entry)
