"""Which Rollouts changed, in the order of their last change.

An open page keeps one number, that of the last change that it has received. So the memory of the journal depends on the
Rollouts alone, however many pages are open and however slowly they read. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container

from serinus.kube.informer import Key

SPARE = 1024
"""Outdated entries that the journal keeps at most, besides one for each Rollout."""


class Journal:
    def __init__(self) -> None:
        self.now = 0
        """Number of the last change; the first is 1."""
        self._numbers: list[int] = []
        self._keys: list[Key] = []
        self._last: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def full(self) -> bool:
        """Whether it is time to call `tidy`."""
        return len(self._keys) > 2 * len(self._last) + SPARE

    def note(self, key: Key) -> None:
        """Adds a change of this Rollout."""
        self.now += 1
        self._numbers.append(self.now)
        self._keys.append(key)
        self._last[key] = self.now

    def after(self, number: int, most: int) -> tuple[set[Key], int]:
        """(up to `most` Rollouts that changed after `number`, oldest change first; the number up to which these are all)."""
        changed: set[Key] = set()
        for place in range(bisect_right(self._numbers, number), len(self._numbers)):
            if self._last.get(self._keys[place]) == self._numbers[place]:
                if len(changed) == most:
                    return changed, self._numbers[place] - 1
                changed.add(self._keys[place])
        return changed, self.now

    def tidy(self, there: Container[Key], read: int) -> None:
        """Drops outdated entries, and Rollouts that are gone (not `there`) if every page has received change `read`."""
        current = [
            (number, key)
            for number, key in zip(self._numbers, self._keys, strict=True)
            if self._last[key] == number and (number > read or key in there)
        ]
        self._numbers = [number for number, _ in current]
        self._keys = [key for _, key in current]
        self._last = dict(zip(self._keys, self._numbers, strict=True))
