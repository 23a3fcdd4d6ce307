"""Events about notifications: the messages that they report, for pages and commands. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from serinus.api.names import NOTIFICATION_PENDING
from serinus.api.values.times import parse_time

Json = dict[str, Any]

REASONS = ("NotificationSent", "NotificationFailed")
_MESSAGE = re.compile(
    r"(?P<trigger>\S+) (?P<verb>was sent|was not sent|could not be sent) to (?P<to>[^\n]*?)(?: yet)?(?:: (?P<why>.*))?",
    re.DOTALL,
)
_STATES: dict[str, Literal["sent", "waits", "failed"]] = {
    "was sent": "sent",
    "could not be sent": "waits",
    "was not sent": "failed",
}


@dataclass(frozen=True, slots=True)
class Sending:
    """A message, or several equal ones. `to`: `service:recipient`. `at`: of the last, in seconds since the epoch."""

    state: Literal["sent", "waits", "failed"]
    trigger: str
    to: str
    at: float
    why: str = ""
    count: int = 1


def sendings(events: Iterable[Json]) -> list[Sending]:
    """The messages that Events report, the newest first."""
    dated: list[tuple[float, int, Sending]] = []
    for event in events:
        match = _MESSAGE.fullmatch(str(event.get("message") or "")) if event.get("reason") in REASONS else None
        if match is None:
            continue
        at = parse_time(str(event.get("lastTimestamp") or event.get("eventTime") or "")) or 0.0
        version = str((event.get("metadata") or {}).get("resourceVersion") or "")
        count = event.get("count")
        sending = Sending(
            _STATES[match["verb"]], match["trigger"], match["to"], at, match["why"] or "",
            count if isinstance(count, int) and count > 0 else 1,
        )  # fmt: skip
        dated.append((at, int(version) if version.isdigit() else 0, sending))
    return [sending for _, _, sending in sorted(dated, key=lambda one: one[:2], reverse=True)]


class _Waiting(msgspec.Struct):
    t: str = ""
    s: str = ""
    r: str = ""
    a: float = 0.0


def waiting(annotations: Any) -> list[Sending]:
    """The messages in a Rollout's annotation that no receiver has accepted; none if the annotation cannot be read."""
    text = annotations.get(NOTIFICATION_PENDING) if isinstance(annotations, dict) else None
    if not isinstance(text, str) or not text:
        return []
    try:
        rows = msgspec.json.decode(text, type=list[_Waiting])
    except (msgspec.DecodeError, UnicodeError):
        return []
    return [Sending("waits", one.t, f"{one.s}:{one.r}", one.a) for one in rows]


def outcome(events: Iterable[Json], annotations: Any) -> list[Sending]:
    """All messages about a Rollout: first waiting ones, with their Event's reason, then the others, newest first."""
    reported = sendings(events)
    why = {one.to: one.why for one in reversed(reported) if one.state == "waits"}
    waits = [replace(one, why=why.get(one.to, "")) for one in waiting(annotations)]
    return [*waits, *(one for one in reported if one.state != "waits")]


def refusing(sendings: Iterable[Sending]) -> list[Sending]:
    """The newest message of each destination that does not take messages now. `sendings`: the newest first."""
    newest: dict[str, Sending] = {}
    for one in sendings:
        newest.setdefault(one.to, one)
    return [one for one in newest.values() if one.state != "sent"]
