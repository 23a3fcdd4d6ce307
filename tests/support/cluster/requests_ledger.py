"""Every request of a scenario, with its moment and the event at that time: the lost ones, and the wrongly answered ones.

A scenario records each event and the versions that may answer from then on (`Ledger.now`). A request is lost when no version answered it;
it is wrongly answered when a version did that may not, neither when it was sent nor shortly after, while it was under way.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from serinus.demo.traffic import TimedAnswer

UNDER_WAY = 1.0
"""Seconds after it was sent in which a request may get the answer of a version that became allowed meanwhile."""
SHOWN = 20
"""Bad requests that are listed one by one; all are counted."""


@dataclass(frozen=True)
class Moment:
    """From `since` (seconds of the monotonic clock) on, `what` happens, and `colors` may answer."""

    since: float
    what: str
    colors: frozenset[str]


@dataclass(frozen=True)
class Bad:
    """One request that breaks the promise: the time since its moment began, the moment, and the answer."""

    what: str
    after: float
    answer: str
    lost: bool


@dataclass
class Ledger:
    """Written by a scenario's thread, judged when its requests have ended."""

    scenario: str
    moments: list[Moment] = field(default_factory=list[Moment])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self, what: str, *colors: str) -> None:
        """From this moment on."""
        with self._lock:
            self.moments.append(Moment(time.monotonic(), what, frozenset(colors)))

    def bad(self, answers: list[TimedAnswer]) -> list[Bad]:
        """The requests that were lost or wrongly answered, in the order of their answers."""
        begins = [moment.since for moment in self.moments]
        found: list[Bad] = []
        for seen in answers:
            index = max(0, bisect_right(begins, seen.sent) - 1)
            moment = self.moments[index]
            later = [m for m in self.moments[index + 1 :] if m.since <= seen.sent + UNDER_WAY]
            if seen.failure or seen.color not in moment.colors.union(*(m.colors for m in later)):
                answer = seen.failure or f"answered by {seen.color}"
                found.append(Bad(moment.what, round(seen.sent - moment.since, 2), answer, bool(seen.failure)))
        return found


def summary(total: int, bad: list[Bad]) -> dict[str, Any]:
    """The printed results of a scenario: the counts, and the bad answers of each kind by the event at that time."""
    lost = [b for b in bad if b.lost]
    found: dict[str, Any] = {"requests": total, "lost": len(lost), "wrongly_answered": len(bad) - len(lost)}
    if bad:
        found["by_moment"] = dict(Counter(f"{b.what}: {b.answer}" for b in bad))
        found["first"] = [f"{b.what}, {b.after} s after: {b.answer}" for b in bad[:SHOWN]]
    return found
