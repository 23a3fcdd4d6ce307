"""watch: changes after a version, as lines of JSON.

Each change is encoded once for all watchers with the same form. A change that moves an object into or out of a selector
becomes ADDED or DELETED for that watcher. Bookmarks give idle watchers the current version.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from serinus.kube.transport import Response
from serinus.local.apiserver.core import ApiCall, Core, as_version
from serinus.local.apiserver.errors import StatusError, bad_request, expired, too_large_version
from serinus.local.apiserver.printing import tables
from serinus.local.apiserver.requests.parameters import whole
from serinus.local.apiserver.storage.store import ChangeLog, Compacted, Entry, StoredChange
from serinus.local.apiserver.verbs.read import Selects, selection, version_number

Json = dict[str, Any]

BOOKMARK_SECONDS = 60.0
SHORTEST_SECONDS, LONGEST_SECONDS = 1800, 3600
_KEPT_LINES = 256
MOST_AT_ONCE = 256 << 10
"""Bytes of lines that a reader receives in one chunk."""


class Watches:
    """All watches of one server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lines: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._closing = False

    def start(self, call: ApiCall) -> Response:
        """Starts a stream; errors in options are returned before it starts."""
        core, query = self._core, call.request.query
        selects = selection(core, call)
        asked = version_number(query.get("resourceVersion", ""))
        initial = _wants_initial(call)
        if asked > core.store.revision:
            raise too_large_version(asked, core.store.revision)
        log = core.store.log(call.key)
        first: list[Entry] = []
        failure: StatusError | None = None
        start = core.store.revision
        if initial or (initial is None and asked == 0):
            first = [e for e in core.store.list(call.key, call.namespace) if selects(e)]
            cursor = log.next
        elif asked == 0:
            cursor = log.next
        else:
            start = asked
            try:
                cursor = log.cursor(asked)
            except Compacted as old:
                failure, cursor = expired(f"too old resource version: {asked} ({old.oldest})"), 0
        bookmarks, seconds = call.flag("allowWatchBookmarks"), self._seconds(call)
        tables.included(query)
        if failure is not None:
            return Response(200, stream=self._failed(failure))
        stream = self._stream(
            call, selects, first, start, cursor, announce=bool(initial), bookmarks=bookmarks, seconds=seconds,
        )  # fmt: skip
        return Response(200, stream=stream)

    def close(self) -> None:
        """Ends every watch; clients reconnect later."""
        self._closing = True
        for log in self._core.store.logs():
            log.wake()

    async def _stream(
        self, call: ApiCall, selects: Selects, first: list[Entry], sent: int, cursor: int, *,
        announce: bool, bookmarks: bool, seconds: float,
    ) -> AsyncIterator[bytes]:  # fmt: skip
        core, log = self._core, self._core.store.log(call.key)
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        head = call.view.kind == "Table" and not first
        async for line in self._listed(call, first):
            yield line
        if announce:
            yield self._bookmark(call, core.store.revision if log.next == cursor else sent, initial=True)
        next_bookmark = loop.time() + BOOKMARK_SECONDS
        while not self._closing:
            try:
                changes = log.after(cursor)
            except Compacted as old:
                yield self._plain("ERROR", expired(f"too old resource version: {sent} ({old.oldest})").status())
                return
            last, lines = self._next(call, selects, changes, head)
            if last is not None:
                cursor, sent = last.number + 1, last.version
            del changes, last  # while a slow reader receives these lines, the log may drop the next ones
            if lines:
                head = False
                yield lines
                continue
            now = loop.time()
            if now >= ends or not self._serves(call):
                break
            if bookmarks and now >= next_bookmark:
                yield self._bookmark(call, core.store.revision)
                next_bookmark = now + BOOKMARK_SECONDS
                continue
            await _wait(log, cursor, min(ends, next_bookmark if bookmarks else ends) - now)
        if bookmarks and log.next == cursor:
            yield self._bookmark(call, core.store.revision)

    def _serves(self, call: ApiCall) -> bool:
        """Whether the kind is still served. The definition of a custom one may be deleted while it is watched."""
        resource = call.resource
        return self._core.registry.kind(resource.group, resource.version, resource.plural) is not None

    async def _failed(self, failure: StatusError) -> AsyncIterator[bytes]:
        yield self._plain("ERROR", failure.status())

    async def _listed(self, call: ApiCall, first: list[Entry]) -> AsyncIterator[bytes]:
        """The objects at the start. Each line is released when sent, so a slow reader keeps no old objects in memory."""
        head = call.view.kind == "Table"
        first.reverse()
        while first:
            yield self._line(call, "ADDED", first.pop(), head=head)
            head = False

    def _next(
        self, call: ApiCall, selects: Selects, changes: Iterable[StoredChange], head: bool
    ) -> tuple[StoredChange | None, bytes]:
        """(the last change that was read, the lines of the changes): at most slightly over MOST_AT_ONCE bytes."""
        last: StoredChange | None = None
        lines: list[bytes] = []
        size = 0
        for change in changes:
            last = change
            line = self._change(call, selects, change, head and not lines)
            if line:
                lines.append(line)
                size += len(line)
            if size > MOST_AT_ONCE:
                break
        return last, b"".join(lines)

    def _seconds(self, call: ApiCall) -> float:
        asked = whole(call.request.query, "timeoutSeconds") or 0
        if asked > 0:
            return min(float(asked), 86400.0)
        return self._core.rng.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)

    def _change(self, call: ApiCall, selects: Selects, change: StoredChange, head: bool) -> bytes:
        if call.namespace and change.entry.namespace != call.namespace:
            return b""
        was = change.before is not None and selects(change.before)
        if change.deleted:
            return self._line(call, "DELETED", change.entry, change, head=head) if was else b""
        if selects(change.entry):
            return self._line(call, "MODIFIED" if was else "ADDED", change.entry, change, head=head)
        if was and change.before is not None:
            return self._line(call, "DELETED", change.before.at(change.version), change, head=head)
        return b""

    def _line(
        self, call: ApiCall, type_: str, entry: Entry, change: StoredChange | None = None, *, head: bool
    ) -> bytes:
        view = call.view
        key = (
            call.key,
            call.resource.version,
            entry.namespace,
            entry.name,
            entry.version,
            type_,
            view.kind,
            head,
            call.request.query.get("includeObject"),
        )
        line = self._lines.get(key) if change is not None else None
        if line is None:
            line = self._encoded(call, type_, entry, head)
            if change is not None:
                self._lines[key] = line
                if len(self._lines) > _KEPT_LINES:
                    self._lines.popitem(last=False)
        return line

    def _encoded(self, call: ApiCall, type_: str, entry: Entry, head: bool) -> bytes:
        body = as_version(entry, call.resource, self._core.registry.several(call.resource))
        if call.view.kind == "Table":
            objects = [msgspec.json.decode(body)]
            body = tables.table(
                call.kind, objects, str(entry.version), self._core.clock.now(), call.request.query, columns=head
            )
        elif call.view.kind.startswith("PartialObjectMetadata"):
            body = tables.partial(body)
        return b'{"type":"' + type_.encode() + b'","object":' + body + b"}\n"

    def _bookmark(self, call: ApiCall, version: int, *, initial: bool = False) -> bytes:
        resource = call.resource
        meta: Json = {"resourceVersion": str(version), "creationTimestamp": None}
        if initial:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        obj: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        if call.view.kind == "Table":
            obj = {
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": meta,
                "columnDefinitions": None,
                "rows": [],
            }
        elif call.view.kind:
            obj |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return self._plain("BOOKMARK", obj)

    @staticmethod
    def _plain(type_: str, obj: Json) -> bytes:
        return msgspec.json.encode({"type": type_, "object": obj}) + b"\n"


def _wants_initial(call: ApiCall) -> bool | None:
    query = call.request.query
    match, initial = query.get("resourceVersionMatch", ""), query.get("sendInitialEvents", "")
    if not initial:
        if match:
            raise bad_request(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
        return None
    if match != "NotOlderThan":
        raise bad_request(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    return call.flag("sendInitialEvents")


async def _wait(log: ChangeLog, cursor: int, seconds: float) -> None:
    """Waits for a change from `cursor` on, or until the timeout."""
    if log.next != cursor:
        return
    waiter = log.wait()
    # At least a millisecond: a wait below the clock's resolution would end early, again and again.
    timer = asyncio.get_running_loop().call_later(max(0.001, seconds), _release, waiter)
    try:
        await waiter
    finally:
        timer.cancel()
        log.waiting.discard(waiter)


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
