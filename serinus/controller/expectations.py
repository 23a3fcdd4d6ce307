"""Read your writes: no decision uses a cache that is older than the writes already made for the same object.

After a write, the cache briefly shows the previous state. A decision from it could create an object twice or undo the
write. Each write therefore leaves an expectation: the version that the cache must reach, or the absence of the object.
A Rollout with open expectations waits. The watch event that fulfils them wakes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from serinus.api.served_kind import located
from serinus.kube.informer import Informer, Key, meta

UNKNOWN = 1 << 63
"""A version that no object has. The write's outcome is unknown; read the object from the API."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """`gone`: the object with this uid must disappear or be marked as deleted. Otherwise it must reach `version`."""

    kind: str
    name: str
    uid: str
    version: int = 0
    gone: bool = False
    since: float = 0.0
    """Time of the write, or of the last check at the API (seconds since the epoch)."""
    searches: int = 0
    lists: int = 0
    """How often the kind had been listed at the first check. Only a later list shows that no watch covers the object."""

    def met(self, cached: Any) -> bool:
        """Whether it is fulfilled. `cached`: the object in the cache, or None."""
        if cached is None:
            return self.gone
        metadata = meta(cached)
        if self.gone:
            return metadata.uid != self.uid or bool(metadata.deletion_timestamp)
        number = metadata.resource_version
        return not number.isdigit() or int(number) >= self.version


class Writes:
    """Open expectations by Rollout. A settled Rollout has none, so the size does not grow with uptime."""

    def __init__(self) -> None:
        self._open: dict[Key, dict[tuple[str, str], Expectation]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def wrote(self, key: Key, kind: str, name: str, written: Any, now: float) -> None:
        """`name`: as in the plan. `written`: metadata of the object in the API's answer."""
        metadata = meta(written)
        if metadata.resource_version.isdigit():
            number = int(metadata.resource_version)
            self._expect(key, Expectation(kind, name, metadata.uid, number, since=now))

    def doubted(self, key: Key, kind: str, name: str) -> None:
        """The write's outcome is unknown; re-read before planning."""
        self._expect(key, Expectation(kind, name, "", UNKNOWN))

    def known(self, key: Key, expectation: Expectation, version: str, now: float) -> None:
        """Records the version that the API has of a doubted object. The cache must reach it."""
        if version.isdigit():
            self._expect(key, replace(expectation, version=int(version), since=now))

    def deleted(self, key: Key, kind: str, name: str, uid: str, now: float) -> None:
        self._expect(key, Expectation(kind, name, uid, gone=True, since=now))

    def _expect(self, key: Key, expectation: Expectation) -> None:
        self._open.setdefault(key, {})[expectation.kind, expectation.name] = expectation

    def unseen(self, key: Key, informers: Any) -> list[Expectation]:
        """Expectations that the cache does not fulfil. `informers(kind)`: its informer; None drops the expectation."""
        waiting = self._open.get(key)
        if not waiting:
            return []
        for name, expectation in list(waiting.items()):
            informer: Informer[Any] | None = informers(expectation.kind)
            if informer is None or expectation.met(informer.items.get(located(expectation.name, key[0]))):
                del waiting[name]
        if not waiting:
            del self._open[key]
            return []
        return list(waiting.values())

    def searched(self, key: Key, expectation: Expectation, now: float, lists: int) -> None:
        """Records another check at the API for an overdue write. `lists`: how often the kind has been listed."""
        lists = expectation.lists if expectation.searches else lists
        self._expect(key, replace(expectation, since=now, searches=expectation.searches + 1, lists=lists))

    def drop(self, key: Key, expectation: Expectation) -> None:
        waiting = self._open.get(key, {})
        waiting.pop((expectation.kind, expectation.name), None)
        if not waiting:
            self._open.pop(key, None)

    def forget(self, key: Key) -> None:
        """Drops the expectations of a deleted Rollout."""
        self._open.pop(key, None)
