"""The notification state in annotations of a Rollout: read, cached, and patched without other fields."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serinus.api.meta import Json, ObjectMeta
from serinus.api.resources import ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.controller.notifications.pending import Pending
from serinus.kube.client import Client
from serinus.kube.errors import Conflict, NotFound
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue
from serinus.notifications.names import NOTIFIED, OWN_ANNOTATIONS, PENDING, THREADS
from serinus.notifications.state import MOST_BYTES, MOST_ENTRIES, State, read_state, written

MOST_THREADS = 20


@dataclass(slots=True)
class Memory:
    """`prepared`: entries of `pending` whose Event has not happened yet. The status write makes it happen."""

    uid: str
    state: State = field(default_factory=dict[str, int])
    pending: list[Pending] = field(default_factory=list[Pending])
    prepared: list[Pending] = field(default_factory=list[Pending])
    threads: dict[str, str] = field(default_factory=dict[str, str])
    seen: dict[str, str] = field(default_factory=dict[str, str])
    """The annotations as last read or written."""
    version: int = 0
    """Resource version of the last own write. Earlier versions in the cache are stale."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def texts(self) -> dict[str, str]:
        """The desired annotations; "" for an annotation to remove."""
        pending = self.pending[-MOST_ENTRIES:]
        while pending and len(msgspec.json.encode(pending)) > MOST_BYTES:
            pending = pending[1:]
        threads = dict(list(self.threads.items())[-MOST_THREADS:])
        return {
            NOTIFIED: written(self.state),
            PENDING: msgspec.json.encode(pending).decode() if pending else "",
            THREADS: msgspec.json.encode(threads).decode() if threads else "",
        }

    def prepare(self, entry: Pending) -> None:
        """Stores a message of an Event that is about to happen."""
        self.pending.append(entry)
        self.prepared.append(entry)

    def take(self, entry: Pending) -> Pending:
        """Stores a message in progress; returns the stored entry for it."""
        stored = next((one for one in self.prepared if one.same(entry)), None)
        if stored is None:
            self.pending.append(entry)
            return entry
        self.prepared.remove(stored)
        return stored

    def drop(self, entry: Pending) -> None:
        """Removes a message that was delivered or given up."""
        for line in (self.pending, self.prepared):
            if entry in line:
                line.remove(entry)


class Memories:
    """`queue`: keys of Rollouts whose annotations must be written. `write` is the handler."""

    def __init__(self, client: Client, queue: WorkQueue[Key]) -> None:
        self._client, self._queue = client, queue
        self._memories: dict[Key, Memory] = {}

    def of(self, rollout: Rollout) -> Memory:
        """The state of the Rollout."""
        key, metadata = (rollout.metadata.namespace, rollout.metadata.name), rollout.metadata
        memory = self._memories.get(key)
        if memory is None or memory.uid != metadata.uid:
            memory = self._memories[key] = Memory(metadata.uid)
            shown = {name: metadata.annotations.get(name, "") for name in OWN_ANNOTATIONS}
            _load(memory, shown, OWN_ANNOTATIONS)
        return memory

    def look(self, old: Rollout | None, new: Rollout) -> Memory:
        """Like `of`, after a change. It reads an annotation again if another writer changed it."""
        memory = self.of(new)
        if old is None or _number(new.metadata) <= memory.version:
            return memory
        before, after = old.metadata.annotations, new.metadata.annotations
        for name in OWN_ANNOTATIONS:
            text = after.get(name, "")
            if before.get(name, "") != text and text != memory.seen.get(name, ""):
                _load(memory, {name: text}, (name,))
        return memory

    def forget(self, key: Key) -> None:
        self._memories.pop(key, None)

    def clear(self) -> None:
        """Discards the cached state. Another process may have written meanwhile."""
        self._memories.clear()

    def changed(self, key: Key) -> None:
        memory = self._memories.get(key)
        if memory is not None and memory.texts() != memory.seen:
            self._queue.add(key)

    async def write(self, key: Key) -> None:
        """Writes the differences. Raises the ApiError of a failed write."""

        async def patch(annotations: Json, uid: str) -> ObjectMeta:
            body: Json = {"metadata": {"uid": uid, "annotations": annotations}}
            return (await self._client.patch(ROLLOUTS, key[1], body, key[0], type=_Written)).metadata

        try:
            await self.write_by(key, patch)
        except (NotFound, Conflict):
            self.forget(key)  # it is gone, or a new object has its name

    async def write_by(self, key: Key, patch: Callable[[Json, str], Awaitable[ObjectMeta]]) -> None:
        """Like `write`, with a given request. `patch(annotations, uid)` returns the metadata of the written object."""
        memory = self._memories.get(key)
        if memory is None:
            return
        async with memory.writing:
            texts = memory.texts()
            changes: Json = {name: text or None for name, text in texts.items() if text != memory.seen.get(name, "")}
            if not changes:
                return
            before, memory.seen = memory.seen, texts
            try:
                memory.version = max(memory.version, _number(await patch(changes, memory.uid)))
            except BaseException:
                memory.seen = before
                raise


class _Written(msgspec.Struct):
    metadata: ObjectMeta


def _number(metadata: ObjectMeta) -> int:
    return int(metadata.resource_version) if metadata.resource_version.isdigit() else 0


def _load(memory: Memory, shown: dict[str, str], names: tuple[str, ...]) -> None:
    memory.seen |= shown
    for name in names:
        if name == NOTIFIED:
            memory.state = read_state(shown[name])
        elif name == PENDING:
            memory.pending = _decoded(shown[name], list[Pending], [])
        else:
            memory.threads = _decoded(shown[name], dict[str, str], {})


def _decoded(text: str, kind: Any, default: Any) -> Any:
    if not text:
        return default
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError):
        return default
