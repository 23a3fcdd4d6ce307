"""The order of keys: urgent keys first, and an equal number of turns for each share (a namespace).

A namespace with thousands of keys cannot starve a namespace with one. Urgent keys cannot starve the rest: one of
`PATIENCE` turns is for the other keys, if any wait.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K")
Lane = tuple[bool, Hashable]
"""(whether it is urgent, the share that it belongs to)."""
PATIENCE = 8


def one_lane(_: object) -> Lane:
    """One lane for all keys: first come, first served."""
    return True, None


class Turns(Generic[K]):
    """A fair queue of keys. Each `add` calls `lane` again: a key that has become urgent meanwhile moves forward."""

    def __init__(self, lane: Callable[[K], Lane] = one_lane) -> None:
        self._lane, self._taken = lane, 0
        self._urgent: OrderedDict[Hashable, deque[K]] = OrderedDict()
        self._others: OrderedDict[Hashable, deque[K]] = OrderedDict()
        self._waiting: dict[K, bool] = {}
        """Key -> whether its place is among the urgent ones. `take` skips the old place of a moved key."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: K) -> bool:
        return key in self._waiting

    def add(self, key: K) -> None:
        urgent, share = self._lane(key)
        if self._waiting.get(key, False) or (key in self._waiting and not urgent):
            return
        self._waiting[key] = urgent
        line = self._urgent if urgent else self._others
        if share not in line:
            line[share] = deque()
        line[share].append(key)

    def take(self) -> K:
        """The next key. IndexError if there is none."""
        self._taken += 1
        patient = self._taken % PATIENCE == 0
        for urgent in (False, True) if patient else (True, False):
            line = self._urgent if urgent else self._others
            while line:
                share, keys = line.popitem(last=False)
                key = keys.popleft()
                if keys:
                    line[share] = keys  # to the end of the line
                if self._waiting.get(key) is urgent:
                    del self._waiting[key]
                    return key
        raise IndexError("nobody waits")
