"""Remembers which writes are held, and how often each field was set again.

Two kinds use one mechanism. A write that the API server refuses for good is retried with a growing delay until its
cause is fixed. A field that was set to the same value several times within a short time, with no other write of ours
between, is changed back by another writer. It is set again with a growing delay until that writer stops. The planner
reads both (`engine/core/held_writes.py`) and proceeds without these writes.

This state is not persisted: a restarted controller tries each write once and learns the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from serinus.engine.core import wait_reasons
from serinus.engine.core.held_writes import fields_of, refusal
from serinus.engine.core.plan import Action, HeldWrite
from serinus.kube.errors import ApiError
from serinus.kube.informer import Key

FIRST, LONGEST = 1.0, 60.0
"""Seconds until a write is retried: the first delay, doubled each time, up to the longest."""

PROMPT = 3
"""A field is set again this many times without delay. Requests may depend on it, or two writers may have met once."""

QUIET = 60.0
"""Minimum seconds without another change after which a field counts as uncontested."""

VARIANTS = 5
"""Different writes to one object that may be refused before all writes to it are held."""

LONGEST_WORDS = 1000
REMEMBERED = 10_000
"""Objects whose last writes are remembered. The least recently written is forgotten."""


def back_off(times: int) -> float:
    """Seconds to wait after this many attempts."""
    return min(LONGEST, FIRST * 2.0 ** min(max(0, times - 1), 16))


@dataclass(slots=True)
class _Field:
    """The last value written to a field, and how often in a row."""

    value: str
    when: float
    again: int = 0

    def delay(self) -> float:
        """Minimum seconds after the last write of this value."""
        return 0.0 if self.again < PROMPT else back_off(self.again - PROMPT + 1)

    def quiet_at(self) -> float:
        return self.when + max(QUIET, 2 * self.delay())


@dataclass(slots=True)
class _Refusal:
    held: HeldWrite
    times: int = 1


Object = tuple[str, str]
"""(kind, name), in the namespace of the reconciled object."""


@dataclass(slots=True)
class HeldWrites:
    """Held writes of all Rollouts, or of all Experiments. Times are seconds since the epoch."""

    _refused: dict[Key, list[_Refusal]] = field(default_factory=dict[Key, list[_Refusal]])
    _contested: dict[Key, dict[Object, HeldWrite]] = field(default_factory=dict[Key, dict[Object, HeldWrite]])
    _written: OrderedDict[tuple[Key, Object], dict[str, _Field]] = field(
        default_factory=OrderedDict[tuple[Key, Object], dict[str, _Field]]
    )
    _last: tuple[Action, frozenset[str]] | None = None
    """The last action and its fields, because each write asks for them several times in a row."""

    def now(self, key: Key, now: float) -> tuple[HeldWrite, ...]:
        """The held writes that a plan for `key` must omit. Conflicts stay until the field is uncontested."""
        if key not in self._refused and key not in self._contested:
            return ()
        refused = [one for one in self._refused.get(key, ()) if now < one.held.until + 2 * LONGEST]
        if refused:
            self._refused[key] = refused
        else:
            self._refused.pop(key, None)
        return (*(one.held for one in refused if now < one.held.until), *self._conflicts(key, now))

    def requeue(self, key: Key, now: float) -> float | None:
        """The time at which a conflict may be over. No event reports that."""
        ends = [self._quiet_at(key, where) for where in self._contested.get(key, {})]
        return min((at for at in ends if at > now), default=None)

    def refused(self, key: Key, action: Action, error: ApiError, now: float) -> tuple[HeldWrite, bool]:
        """Records a refusal by the API server. Also returns whether it is a repetition with the same message."""
        fields = fields_of(action)
        mine = self._refused.get(key, [])
        same = [r for r in mine if _object(r.held) == (action.kind, action.name) and r.held.verb == action.verb]
        known = next((r for r in same if r.held.fields is None or r.held.fields == fields), None)
        times = known.times + 1 if known else 1
        words = error.message if len(error.message) <= LONGEST_WORDS else error.message[: LONGEST_WORDS - 1] + "…"
        held = HeldWrite(
            wait_reasons.REFUSED.code,
            action.verb,
            action.kind,
            action.name,
            refusal(action.verb, action.kind, action.name, words),
            max(now + back_off(times), now + (error.retry_after or 0.0)),
            fields if len(same) < VARIANTS else None,
            error.reason or str(error.code),
        )
        replaced = same if held.fields is None else [known]
        self._refused[key] = [*(r for r in mine if r not in replaced), _Refusal(held, times)]
        return held, known is not None and known.held.message == held.message

    def too_soon(self, key: Key, action: Action, now: float) -> bool:
        """Whether this write only sets values again that were set several times, before their delay has passed."""
        written = self._written.get((key, (action.kind, action.name)))
        if written is None:
            return False
        for text in self._fields(action):
            path, _, value = text.partition("=")
            last = written.get(path)
            if last is None or last.value != value or not last.when <= now < last.when + last.delay():
                return False
        return True

    def left_alone(self, key: Key, action: Action) -> None:
        """Resets the counts of these fields: a read showed that no writer changes them back."""
        written = self._written.get((key, (action.kind, action.name)), {})
        for text in fields_of(action):
            written.pop(text.partition("=")[0], None)

    def contested(self, key: Key, action: Action, message: str) -> HeldWrite:
        """Records that another writer changes these fields back. `message` describes it."""
        where, fields = (action.kind, action.name), fields_of(action)
        before = self._contested.setdefault(key, {}).get(where)
        if before is not None and before.fields is not None and before.verb == action.verb:
            fields |= before.fields
        held = HeldWrite(
            wait_reasons.CONFLICT.code, action.verb, *where, message, self._due(key, where, fields), fields
        )
        self._contested[key][where] = held
        return held

    def known(self, key: Key, action: Action) -> str:
        """The message of a conflict about these fields; "" if none is known."""
        held = self._contested.get(key, {}).get((action.kind, action.name))
        return held.message if held and held.verb == action.verb and fields_of(action) <= (held.fields or set()) else ""

    def wrote(self, key: Key, action: Action, now: float) -> None:
        """Records a successful write."""
        if key in self._refused:
            left = [r for r in self._refused[key] if not _same(r.held, action)]
            self._refused[key] = left
            if not left:
                del self._refused[key]
        where = (action.kind, action.name)
        written = self._written.pop((key, where), {})
        self._written[key, where] = written
        for text in self._fields(action):
            path, _, value = text.partition("=")
            last = written.get(path)
            same = last is not None and last.value == value and now < last.quiet_at()
            written[path] = _Field(value, now, last.again + 1 if same and last else 0)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        held = self._contested.get(key, {}).get(where)
        if held is not None and held.fields is not None:
            until = self._due(key, where, held.fields)
            self._contested[key][where] = msgspec.structs.replace(held, until=until)

    def _fields(self, action: Action) -> frozenset[str]:
        if self._last is None or self._last[0] is not action:
            self._last = (action, fields_of(action))
        return self._last[1]

    def forget(self, key: Key) -> None:
        """Drops the state of a deleted Rollout."""
        self._refused.pop(key, None)
        self._contested.pop(key, None)

    def _conflicts(self, key: Key, now: float) -> Iterable[HeldWrite]:
        mine = self._contested.get(key, {})
        for where in [w for w in mine if self._quiet_at(key, w) <= now]:
            del mine[where]
        if not mine:
            self._contested.pop(key, None)
        return mine.values()

    def _of(self, key: Key, where: Object, fields: Iterable[str]) -> list[_Field]:
        written = self._written.get((key, where), {})
        return [last for text in fields if (last := written.get(text.partition("=")[0])) is not None]

    def _due(self, key: Key, where: Object, fields: Iterable[str]) -> float:
        return max((f.when + f.delay() for f in self._of(key, where, fields)), default=0.0)

    def _quiet_at(self, key: Key, where: Object) -> float:
        held = self._contested[key][where]
        return max((f.quiet_at() for f in self._of(key, where, held.fields or ())), default=0.0)


def _object(held: HeldWrite) -> Object:
    return held.kind, held.name


def _same(held: HeldWrite, action: Action) -> bool:
    if (held.verb, held.kind, held.name) != (action.verb, action.kind, action.name):
        return False
    return held.fields is None or held.fields == fields_of(action)


class HeldBack(Exception):
    """A write was not executed, and must not be retried before `held.until`. `known`: this was reported before."""

    def __init__(self, held: HeldWrite, known: bool = True) -> None:
        super().__init__(held.message)
        self.held, self.known = held, known
