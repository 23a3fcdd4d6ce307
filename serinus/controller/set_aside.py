"""Objects that the controller cannot work on: each waits by itself, and all others go on.

An error that nobody expected, or an object that asks for too much (`bounded.py`), is no reason to try again at once: it is tried after
1, 2, 4 … seconds, at most every five minutes. A change of its spec is tried sooner, but an object whose plans take long never gets more
than a tenth of the controller's time, whoever changes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from serinus.api.cutting import shortened
from serinus.api.experiment import Experiment
from serinus.api.meta import Condition, Json
from serinus.api.rollout import Rollout
from serinus.api.times import format_time
from serinus.controller.bounded import TooMuch
from serinus.engine.core.wait_reasons import SET_ASIDE
from serinus.kube.informer import Key

FIRST, LONGEST = 1.0, 300.0
"""Seconds until the next attempt, doubled each time."""

SLOW = 0.5
"""Seconds of CPU time of one attempt, from which on the next one waits even if it succeeded."""

SHARE = 10
"""Times what an attempt took that pass until the next one, at least."""


@dataclass(slots=True)
class _Entry:
    generation: int | str | None
    until: float
    soonest: float
    """When it is tried at the latest, and when at the earliest where its spec has changed."""
    failures: int = 0
    words: str = ""


@dataclass(slots=True)
class SetAside:
    """Of one kind. Times are seconds since the epoch. Nothing of this has to survive: a new process learns the same, one by one."""

    _entries: dict[Key, _Entry] = field(default_factory=dict[Key, _Entry])

    def __len__(self) -> int:
        """How many objects could not be worked on the last time."""
        return sum(1 for entry in self._entries.values() if entry.failures)

    def until(self, key: Key, generation: int | str | None, now: float) -> float | None:
        """When it is tried again; None for now."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        at = entry.until if entry.generation == generation else entry.soonest
        return at if now < at <= now + LONGEST else None  # later than the longest: the clock was set back

    def failed(self, key: Key, generation: int | str | None, error: Exception, seconds: float, now: float) -> _Entry:
        """Notes an attempt that took `seconds` of CPU time; returns its entry, with what people read of it."""
        old = self._entries.get(key)
        failures = old.failures + 1 if old else 1
        soonest = now + min(LONGEST, max(FIRST, SHARE * seconds))
        until = max(soonest, now + min(LONGEST, FIRST * 2.0 ** min(failures - 1, 16)))
        entry = self._entries[key] = _Entry(generation, until, soonest, failures, words(error))
        return entry

    def worked(self, key: Key, generation: int | str | None, seconds: float, now: float) -> None:
        """Notes an attempt that succeeded."""
        if seconds < SLOW:
            self._entries.pop(key, None)
            return
        at = now + min(LONGEST, SHARE * seconds)
        self._entries[key] = _Entry(generation, at, at)

    def forget(self, key: Key) -> None:
        self._entries.pop(key, None)


def words(error: Exception) -> str:
    """What people read: the reason, and that it is Serinus's error unless the object asks for too much."""
    if isinstance(error, TooMuch):
        return f"{error}: make it smaller"
    return shortened(f"an error of Serinus, which its log tells in full: {type(error).__name__}: {error}", 500)


def status_of(about: Rollout | Experiment, said: str, now: float) -> Json | None:
    """The patch of the status that reports it, made without the engine; None where the status says so already.

    A plan that succeeds takes the condition away. A Rollout is Degraded meanwhile; the phase of an Experiment may be final, and stays.
    """
    code, at, conditions = SET_ASIDE.code, format_time(now), about.status.conditions
    old = next((c for c in conditions if c.type == code), None)
    if old is not None and old.message == said:
        return None
    new = Condition(code, "True", at, old.last_transition_time if old else at, code, said)
    status: Json = {"conditions": msgspec.to_builtins([*(c for c in conditions if c.type != code), new])}
    if isinstance(about, Rollout):
        generation = str(about.metadata.generation)
        status |= {"phase": "Degraded", "message": f"{code}: {said}", "observedGeneration": generation}
    return status
