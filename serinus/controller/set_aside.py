"""Objects that the controller cannot process. Each is set aside alone, and all others proceed.

An unexpected error, or an object that exceeds a limit (`bounded.py`), is not retried at once. Retries follow after 1,
2, 4 … seconds, at most every five minutes. A change of the object's spec is tried sooner. But an object whose plans are
slow never gets more than a tenth of the controller's time, however often it changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from serinus.api.experiment import Experiment
from serinus.api.messages.cutting import shortened
from serinus.api.meta import Condition, Json
from serinus.api.rollout import Rollout
from serinus.api.values.times import format_time
from serinus.controller.bounded import TooMuch
from serinus.engine.core.wait_reasons import SET_ASIDE
from serinus.kube.informer import Key

FIRST, LONGEST = 1.0, 300.0
"""Seconds until the next attempt: the first delay, doubled each time, up to the longest."""

SLOW = 0.5
"""CPU seconds of one attempt from which the next one waits, even after a success."""

SHARE = 10
"""The minimum wait after an attempt, as a multiple of its CPU time."""


@dataclass(slots=True)
class _Entry:
    generation: int | str | None
    until: float
    soonest: float
    """Time of the next attempt: `until`, or `soonest` if its spec has changed."""
    failures: int = 0
    words: str = ""


@dataclass(slots=True)
class SetAside:
    """Entries of one kind. Times are seconds since the epoch. A new process learns the entries again."""

    _entries: dict[Key, _Entry] = field(default_factory=dict[Key, _Entry])

    def __len__(self) -> int:
        """Number of objects whose last attempt failed."""
        return sum(1 for entry in self._entries.values() if entry.failures)

    def until(self, key: Key, generation: int | str | None, now: float) -> float | None:
        """Time of the next attempt; None for now."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        at = entry.until if entry.generation == generation else entry.soonest
        return at if now < at <= now + LONGEST else None  # later: the clock was set back

    def failed(self, key: Key, generation: int | str | None, error: Exception, seconds: float, now: float) -> _Entry:
        """Records a failed attempt that took `seconds` of CPU time. Returns its entry, with the message for users."""
        old = self._entries.get(key)
        failures = old.failures + 1 if old else 1
        soonest = now + min(LONGEST, max(FIRST, SHARE * seconds))
        until = max(soonest, now + min(LONGEST, FIRST * 2.0 ** min(failures - 1, 16)))
        entry = self._entries[key] = _Entry(generation, until, soonest, failures, words(error))
        return entry

    def worked(self, key: Key, generation: int | str | None, seconds: float, now: float) -> None:
        """Records a successful attempt."""
        if seconds < SLOW:
            self._entries.pop(key, None)
            return
        at = now + min(LONGEST, SHARE * seconds)
        self._entries[key] = _Entry(generation, at, at)

    def forget(self, key: Key) -> None:
        self._entries.pop(key, None)


def words(error: Exception) -> str:
    """The message for users: the reason, and that it is an error of Serinus unless the object exceeds a limit."""
    if isinstance(error, TooMuch):
        return f"{error}: make it smaller"
    return shortened(f"an error of Serinus, which its log tells in full: {type(error).__name__}: {error}", 500)


def status_of(about: Rollout | Experiment, message: str, now: float) -> Json | None:
    """The status patch that reports the error, made without the engine; None if the status already reports it.

    A successful plan removes the condition. A Rollout is Degraded meanwhile. The phase of an Experiment stays, because
    it may be final.
    """
    code, at, conditions = SET_ASIDE.code, format_time(now), about.status.conditions
    old = next((c for c in conditions if c.type == code), None)
    if old is not None and old.message == message:
        return None
    new = Condition(code, "True", at, old.last_transition_time if old else at, code, message)
    status: Json = {"conditions": msgspec.to_builtins([*(c for c in conditions if c.type != code), new])}
    if isinstance(about, Rollout):
        generation = str(about.metadata.generation)
        status |= {"phase": "Degraded", "message": f"{code}: {message}", "observedGeneration": generation}
    return status
