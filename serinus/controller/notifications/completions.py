"""Promoted versions whose pods are not available yet. `on-rollout-completed` waits for them."""

from __future__ import annotations

from serinus.api.rollout import Rollout
from serinus.controller.notifications.subject import Subject
from serinus.controller.notifications.values import Values
from serinus.engine.core.plan import Event
from serinus.notifications.occurrences import is_available

REASON = "RolloutCompleted"


class Completions:
    """Waiting Events, at most one per Rollout."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._waiting: dict[str, Event] = {}
        """By uid of the Rollout."""

    def is_early(self, about: Subject, event: Event) -> bool:
        """Whether the Event reports a version that is not available yet."""
        return event.reason == REASON and isinstance(about, Rollout) and not is_available(self._values.of(about))

    def wait(self, about: Subject, event: Event) -> None:
        self._waiting[about.metadata.uid] = event

    def of(self, uid: str) -> Event | None:
        """The waiting Event."""
        return self._waiting.get(uid)

    def due(self, rollout: Rollout) -> Event | None:
        """The Event, if its version is available now. If the version was replaced meanwhile, the Event is dropped."""
        uid = rollout.metadata.uid
        event = self._waiting.get(uid)
        if event is None:
            return None
        if rollout.status.current_pod_hash and rollout.status.current_pod_hash not in event.message:
            del self._waiting[uid]
            return None
        if not is_available(self._values.of(rollout)):
            return None
        return self._waiting.pop(uid)

    def forget(self, uid: str) -> None:
        self._waiting.pop(uid, None)

    def clear(self) -> None:
        self._waiting.clear()
