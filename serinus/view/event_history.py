"""The Events of a Rollout as the history of its revisions: changes by users and verdicts apart from routine. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from serinus.api.messages.event_reasons import never_dropped
from serinus.api.records import field, record
from serinus.api.values.times import parse_time

Json = dict[str, Any]

EVENTS = 50
"""Routine Events that are shown, the newest."""

KEPT_EVENTS = 200
"""Aborts, verdicts, promotions, warnings and commands that are shown. Routine Events do not displace them."""

_BEGINS = re.compile(r"Rollout updated to revision (\d+)|Created ReplicaSet .* \(revision (\d+)\)")
_COMMAND = re.compile(r"(\w+) of revision (?:\d+|none) by (.+)")
_STEP = re.compile(r"Rollout step (\d+)/\d+ completed\b.*", re.DOTALL)
_MAKES_REVISION = ("SetImage", "Undo")
"""Commands whose Event names the revision before the one that they make."""


@record()
class EventEntry:
    """One Event. `at`: seconds since the epoch. `by`: the program. `person`: the user of a command, else empty."""

    at: float | None
    type: str
    reason: str
    message: str
    count: int
    by: str
    person: str
    routine: bool


@record()
class RevisionHistory:
    """`revision`: 0 for Events from before the first known revision. `entries`: the newest first.

    `person`, `command`: the user and the command that made the revision, empty if no Event has them.
    """

    revision: int
    entries: list[EventEntry] = field(default_factory=list[EventEntry])
    person: str = ""
    command: str = ""


def history(events: Iterable[Json], current: int) -> list[RevisionHistory]:
    """The Events by revision, the newest revision first. `current`: the revision of the newest Events.

    An Event belongs to the last revision that began before it. SetImage and Undo belong to the revision that they make.
    """
    groups: dict[int, RevisionHistory] = {}
    waiting: list[EventEntry] = []
    oldest_first = _within_limits([_entry(event) for event in sorted(events, key=_order)])
    revision = _before_first(oldest_first, current)

    def group(number: int) -> RevisionHistory:
        return groups.setdefault(number, RevisionHistory(number))

    for entry in oldest_first:
        if entry.reason in _MAKES_REVISION:
            waiting.append(entry)
            continue
        begun = _begun(entry)
        if begun:
            revision = begun
        if waiting and begun:
            group(revision).person, group(revision).command = waiting[-1].person, waiting[-1].reason
        if waiting and (begun or not entry.routine):
            group(revision).entries += waiting
            waiting = []
        group(revision).entries.append(entry)
    if waiting:
        group(revision).entries += waiting
    for revision_history in groups.values():
        revision_history.entries.reverse()
    return [groups[number] for number in sorted(groups, reverse=True)]


def completed_steps(entries: Sequence[EventEntry]) -> int | None:
    """Steps that one revision's last attempt completed, from its Events, the newest first; None without such Events."""
    for entry in entries:
        if match := _STEP.fullmatch(entry.message) if entry.reason == "RolloutStepCompleted" else None:
            return int(match[1])
        if _begun(entry) or entry.reason in ("Retry", "RolloutNotCompleted"):
            return 0
    return None


def _entry(event: Json) -> EventEntry:
    reason, type_ = str(event.get("reason") or ""), str(event.get("type") or "")
    message = str(event.get("message") or "")
    command = _COMMAND.fullmatch(message)
    return EventEntry(
        at=parse_time(str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")),
        type=type_,
        reason=reason,
        message=message,
        count=int(event.get("count") or 1),
        by=str((event.get("source") or {}).get("component") or event.get("reportingComponent") or ""),
        person=command[2] if command and command[1] == reason else "",
        routine=not never_dropped(reason, type_),
    )


def _order(event: Json) -> tuple[float, int]:
    # Event times have a resolution of one second, so resource versions give the order within it.
    version = str((event.get("metadata") or {}).get("resourceVersion") or "")
    at = parse_time(str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or ""))
    return at or 0.0, int(version) if version.isdigit() else 0


def _within_limits(oldest_first: list[EventEntry]) -> list[EventEntry]:
    left = {True: EVENTS, False: KEPT_EVENTS}
    shown: list[EventEntry] = []
    for entry in reversed(oldest_first):
        if left[entry.routine]:
            left[entry.routine] -= 1
            shown.append(entry)
    return shown[::-1]


def _begun(entry: EventEntry) -> int:
    """The revision that begins with this Event; 0 for none."""
    match = _BEGINS.fullmatch(entry.message) if entry.reason in ("RolloutUpdated", "NewReplicaSetCreated") else None
    return int(match[1] or match[2]) if match else 0


def _before_first(oldest_first: list[EventEntry], current: int) -> int:
    first = next((begun for entry in oldest_first if (begun := _begun(entry))), None)
    return current if first is None else max(0, first - 1)
