"""What objects remember of their notifications, in annotations: read, kept, and written back with nothing else touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from serinus.api.meta import Json
from serinus.api.resources import ROLLOUTS
from serinus.api.rollout import Rollout
from serinus.engine.core.plan import Event
from serinus.kube.client import Client
from serinus.kube.errors import Conflict, NotFound
from serinus.kube.informer import Key
from serinus.kube.queue import WorkQueue
from serinus.notifications.names import NOTIFIED, OWN_ANNOTATIONS, PENDING, THREADS
from serinus.notifications.state import MOST_BYTES, MOST_ENTRIES, State, read_state, written

MOST_THREADS = 20


_SHORT = {"namespace": "n", "trigger": "t", "index": "i", "service": "s", "recipient": "r", "event": "e", "at": "a"}


class Pending(msgspec.Struct, rename=_SHORT, omit_defaults=True):
    """A message that a receiver has not taken yet, as it can be made anew."""

    trigger: str
    index: int
    service: str
    recipient: str
    at: int
    namespace: str = ""
    event: list[str] = []
    """Reason, message, type."""

    def of(self) -> Event | None:
        """The Event that it tells of; None where a condition became true."""
        return (
            msgspec.convert(dict(zip(("reason", "message", "type"), self.event, strict=False)), Event)
            if self.event
            else None
        )

    def same(self, other: Pending) -> bool:
        return msgspec.structs.replace(self, at=0) == msgspec.structs.replace(other, at=0)


@dataclass(slots=True)
class Memory:
    uid: str
    state: State = field(default_factory=dict[str, int])
    pending: list[Pending] = field(default_factory=list[Pending])
    threads: dict[str, str] = field(default_factory=dict[str, str])
    seen: dict[str, str] = field(default_factory=dict[str, str])
    """The annotations as they were last read or written."""

    def texts(self) -> dict[str, str]:
        """The annotations as they should be; "" for those that should not be."""
        pending = self.pending[-MOST_ENTRIES:]
        while pending and len(msgspec.json.encode(pending)) > MOST_BYTES:
            pending = pending[1:]
        threads = dict(list(self.threads.items())[-MOST_THREADS:])
        return {
            NOTIFIED: written(self.state),
            PENDING: msgspec.json.encode(pending).decode() if pending else "",
            THREADS: msgspec.json.encode(threads).decode() if threads else "",
        }


class Memories:
    """`queue`: keys of Rollouts whose annotations are to be written; work on it with `write`."""

    def __init__(self, client: Client, queue: WorkQueue[Key]) -> None:
        self._client, self._queue = client, queue
        self._found: dict[Key, Memory] = {}

    def of(self, rollout: Rollout) -> Memory:
        """What the Rollout remembers. An annotation that somebody else changed is read again."""
        key, metadata = (rollout.metadata.namespace, rollout.metadata.name), rollout.metadata
        memory = self._found.get(key)
        shown = {name: metadata.annotations.get(name, "") for name in OWN_ANNOTATIONS}
        if memory is None or memory.uid != metadata.uid:
            memory = self._found[key] = Memory(metadata.uid)
            self._load(memory, shown, OWN_ANNOTATIONS)
        return memory

    def look(self, old: Rollout | None, new: Rollout) -> Memory:
        """As `of`, after a change: what the change did to the annotations counts, if it was not our own write."""
        memory = self.of(new)
        if old is None:
            return memory
        before, after = old.metadata.annotations, new.metadata.annotations
        for name in OWN_ANNOTATIONS:
            text = after.get(name, "")
            if before.get(name, "") != text and text != memory.seen.get(name, ""):
                self._load(memory, {name: text}, (name,))
        return memory

    def forget(self, key: Key) -> None:
        self._found.pop(key, None)

    def clear(self) -> None:
        """All is read anew: another process may have written meanwhile."""
        self._found.clear()

    def changed(self, key: Key) -> None:
        memory = self._found.get(key)
        if memory is not None and memory.texts() != memory.seen:
            self._queue.add(key)

    async def write(self, key: Key) -> None:
        """Writes what differs, as a patch of these annotations alone. Raises the ApiError of a write that failed."""
        memory = self._found.get(key)
        if memory is None:
            return
        texts = memory.texts()
        patch: dict[str, Any] = {
            name: text or None for name, text in texts.items() if text != memory.seen.get(name, "")
        }
        if not patch:
            return
        before, memory.seen = memory.seen, texts
        body: Json = {"metadata": {"uid": memory.uid, "annotations": patch}}
        try:
            await self._client.patch(ROLLOUTS, key[1], body, key[0], type=msgspec.Raw)
        except NotFound:
            self.forget(key)
        except Conflict:
            self.forget(key)  # another object of that name
        except Exception:
            memory.seen = before
            raise

    def _load(self, memory: Memory, shown: dict[str, str], names: tuple[str, ...]) -> None:
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
