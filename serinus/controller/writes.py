"""Read your writes: no decision is made on a cache that is older than what was already written because of it.

After a write the cache still shows, for a moment, the world before it. Who decides again then creates twice, or undoes.
So each write leaves an expectation: the version that the cache must have reached (or the object's absence). A Rollout
with open expectations waits; the watch event that fulfils them wakes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from serinus.api.served_kind import located
from serinus.kube.informer import Informer, Key, meta

UNKNOWN = 1 << 63
"""A version that no object has: which one there is has to be asked."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """`gone`: the object with this uid is to vanish or to be marked as deleted; else: is seen at `version` or later."""

    kind: str
    name: str
    uid: str
    version: int = 0
    gone: bool = False
    since: float = 0.0
    """When it was written, or last looked after (seconds since the epoch)."""
    searches: int = 0

    def met(self, cached: Any) -> bool:
        """`cached`: the object as the cache has it, or None."""
        if cached is None:
            return self.gone
        metadata = meta(cached)
        if self.gone:
            return metadata.uid != self.uid or bool(metadata.deletion_timestamp)
        number = metadata.resource_version
        return not number.isdigit() or int(number) >= self.version


class Writes:
    """Open expectations by Rollout. Empty for one that has been seen to settle: it does not grow with uptime."""

    def __init__(self) -> None:
        self._open: dict[Key, dict[tuple[str, str], Expectation]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def wrote(self, key: Key, kind: str, name: str, written: Any, now: float) -> None:
        """`name`: as the plan has it. `written`: metadata of the object as the API answered it."""
        metadata = meta(written)
        if metadata.resource_version.isdigit():
            number = int(metadata.resource_version)
            self._expect(key, Expectation(kind, name, metadata.uid, number, since=now))

    def doubted(self, key: Key, kind: str, name: str) -> None:
        """Nobody knows which version the API has: it is to be asked before anything is decided."""
        self._expect(key, Expectation(kind, name, "", UNKNOWN))

    def known(self, key: Key, expectation: Expectation, version: str, now: float) -> None:
        """Which version the API has of an object that was in doubt: the cache has to come there."""
        if version.isdigit():
            self._expect(key, replace(expectation, version=int(version), since=now))

    def deleted(self, key: Key, kind: str, name: str, uid: str, now: float) -> None:
        self._expect(key, Expectation(kind, name, uid, gone=True, since=now))

    def _expect(self, key: Key, expectation: Expectation) -> None:
        self._open.setdefault(key, {})[expectation.kind, expectation.name] = expectation

    def unseen(self, key: Key, informers: Any) -> list[Expectation]:
        """What the cache does not show yet. `informers(kind)`: its copy of the kind; None: nothing is expected."""
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

    def searched(self, key: Key, expectation: Expectation, now: float) -> None:
        """Notes that the API was asked again for what the cache does not show."""
        self._expect(key, replace(expectation, since=now, searches=expectation.searches + 1))

    def drop(self, key: Key, expectation: Expectation) -> None:
        waiting = self._open.get(key, {})
        waiting.pop((expectation.kind, expectation.name), None)
        if not waiting:
            self._open.pop(key, None)

    def forget(self, key: Key) -> None:
        """The Rollout is gone."""
        self._open.pop(key, None)
