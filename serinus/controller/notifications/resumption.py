"""Renders undelivered messages of an earlier process again, from the current status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serinus.api.rollout import Rollout
from serinus.controller.notifications.completions import Completions
from serinus.controller.notifications.pending import Pending
from serinus.controller.notifications.repetitions import Repetitions, occurrence_of
from serinus.controller.notifications.sending import Sender
from serinus.controller.notifications.sources import NotificationSources
from serinus.controller.notifications.subject import Subject
from serinus.controller.notifications.values import Values
from serinus.engine.core.plan import Event
from serinus.kube.clock import Clock
from serinus.notifications.configuration import Configuration
from serinus.notifications.due import Due, Happening, identity_of, once_of
from serinus.notifications.occurrences import identity
from serinus.notifications.state import key_of
from serinus.notifications.subscriptions import Destination
from serinus.notifications.triggers import TriggerCondition


@dataclass(frozen=True, slots=True)
class Resumption:
    clock: Clock
    sources: NotificationSources
    values: Values
    completions: Completions
    repetitions: Repetitions
    sender: Sender

    def send(self, rollout: Rollout, about: Subject, entry: Pending) -> None:
        """Sends the message, unless its configuration or its trigger no longer exists. `about`: its subject."""
        event = entry.of()
        if event is not None and self.completions.is_early(rollout, event):
            self.completions.wait(rollout, event)
            return
        for configuration, prefix in self.sources.of(rollout.metadata.namespace):
            trigger = configuration.triggers.get(entry.trigger)
            if configuration.namespace == entry.namespace and trigger and entry.index < len(trigger.conditions):
                self._send(rollout, about, entry, event, configuration, prefix, trigger.conditions[entry.index])
                return

    def _send(
        self,
        rollout: Rollout,
        about: Subject,
        entry: Pending,
        event: Event | None,
        configuration: Configuration,
        prefix: str,
        condition: TriggerCondition,
    ) -> None:
        to = Destination(entry.service, entry.recipient)
        values = self.values.variables(about, configuration, event)
        happening, key = None, ""
        if condition.when is not None or condition.once_per is not None:
            once = once_of(condition, values, self.clock.now())
            key = key_of(entry.trigger, condition, to, once=once, namespace=prefix)
        if event is not None:
            happening = Happening(event.reason, event.message, event.type)
            self._remember(rollout, about, configuration, entry, event, values)
        due = Due(entry.trigger, entry.index, condition.send, to, key)
        self.sender.send(configuration, about, rollout, due, values, happening, float(entry.at))

    def _remember(
        self,
        rollout: Rollout,
        about: Subject,
        configuration: Configuration,
        entry: Pending,
        event: Event,
        values: dict[str, Any],
    ) -> None:
        """Suppresses a further message if this process records the same occurrence again."""
        run = self.values.run_of(about, event)
        which = identity(event.reason, event.message, values["rollout"], run)
        named = identity_of(entry.trigger, entry.index, Destination(entry.service, entry.recipient), which)
        self.repetitions.remember(occurrence_of(rollout.metadata.uid, configuration, named))
