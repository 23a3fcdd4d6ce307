"""Messages that this process has sent, is sending, or cannot send, so that none is sent twice."""

from __future__ import annotations

from collections import Counter, OrderedDict

from serinus.kube.clock import Clock
from serinus.notifications.configuration import Configuration

REMEMBERED = 4096
"""Occurrences with a message, over all objects. The oldest are forgotten."""

ABSORBED = 60.0
"""Seconds for which the message of a condition replaces the message of an Event with the same cause."""

Mark = tuple[str, str]
"""(uid of the Rollout, key of the condition in its state)."""


def occurrence_of(uid: str, configuration: Configuration, identity: str) -> str:
    """The key of a message of one cause; "" if each Event counts. `uid`: of the Rollout, or of a standalone object."""
    return f"{uid}/{configuration.namespace}/{identity}" if identity else ""


class Repetitions:
    """Bounded: its size does not grow with uptime."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._occurrences: OrderedDict[str, None] = OrderedDict()
        self._by_condition: OrderedDict[Mark, float] = OrderedDict()
        self._under_way: Counter[Mark] = Counter()
        self._given_up: set[Mark] = set()
        """Conditions whose message cannot be made or is refused. They stay until a configuration changes."""

    def is_known(self, occurrence: str) -> bool:
        """Whether a message of this occurrence was made. False for ""."""
        return bool(occurrence) and occurrence in self._occurrences

    def remember(self, occurrence: str) -> None:
        if occurrence:
            self._occurrences[occurrence] = None
            if len(self._occurrences) > REMEMBERED:
                self._occurrences.popitem(last=False)

    def condition_sent(self, uid: str, key: str) -> None:
        """Records that the condition became true and its message was made."""
        self._by_condition[uid, key] = self._clock.now()
        if len(self._by_condition) > REMEMBERED:
            self._by_condition.popitem(last=False)

    def is_absorbed(self, uid: str, key: str) -> bool:
        """Whether the condition's message, made just now, also reports an Event."""
        at = self._by_condition.get((uid, key))
        return at is not None and self._clock.now() - at < ABSORBED

    def absorb(self, uid: str, key: str) -> bool:
        """Like `is_absorbed`, for one Event only: the next Event counts again."""
        absorbed = self.is_absorbed(uid, key)
        self._by_condition.pop((uid, key), None)
        return absorbed

    def holds_back(self, uid: str, key: str) -> bool:
        """Whether the condition's message is in progress, or cannot be sent."""
        return (uid, key) in self._under_way or (uid, key) in self._given_up

    def departs(self, uid: str, key: str) -> None:
        if key:
            self._under_way[uid, key] += 1

    def arrives(self, uid: str, key: str) -> None:
        """Ends a message that was delivered or given up."""
        left = self._under_way.get((uid, key), 0) - 1
        if left > 0:
            self._under_way[uid, key] = left
        else:
            self._under_way.pop((uid, key), None)

    def give_up(self, uid: str, key: str) -> None:
        if key:
            self._given_up.add((uid, key))

    def try_again(self) -> None:
        """Allows retries of messages that could not be sent."""
        self._given_up.clear()

    def forget_those_under_way(self) -> None:
        self._under_way.clear()
