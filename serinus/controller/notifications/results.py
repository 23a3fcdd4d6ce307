"""Records the results of messages: on the Rollout, and by an Event, a metric and the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from serinus.analysis.hiding import Hidden
from serinus.controller.cache import Cache
from serinus.controller.notifications.memory import Memories, Memory
from serinus.controller.notifications.repetitions import Repetitions
from serinus.controller.notifications.series import NotificationSeries
from serinus.controller.notifications.sources import NotificationSources
from serinus.controller.notifications.subject import MessageSubject, Subject
from serinus.engine.core.plan import Event
from serinus.kube.clock import Clock, rfc3339
from serinus.notifications.delivery import Letter, Line
from serinus.notifications.services.service import ServiceContext

log = logging.getLogger(__name__)

LONGEST_PROBLEM = 300


@dataclass(slots=True)
class Results:
    """The `Office` of the delivery. `tell(about, event, kind)`: records an Event."""

    cache: Cache
    clock: Clock
    sources: NotificationSources
    memories: Memories
    repetitions: Repetitions
    reach: ServiceContext
    series: NotificationSeries
    tell: Callable[[Subject, Event, str], None]
    late: set[Line] = field(default_factory=set[Line])
    """Destinations that currently do not accept messages and have an Event about it."""

    def service(self, line: Line) -> tuple[str, Any, ServiceContext] | str:
        configuration = self.sources.configurations.get(line[0])
        service = configuration.services.get(line[1]) if configuration else None
        if service is None:
            return f"notification service '{line[1]}' is not supported"
        if service.allowed and not any(fnmatchcase(line[2], pattern) for pattern in service.allowed):
            return f"service '{line[1]}' does not allow the recipient {line[2]!r} (allowedRecipients)"
        reach = self.sources.reach_of(line[0], service, line[2], self.reach)
        return reach if isinstance(reach, str) else (service.type, service.options, reach)

    def threads(self, letter: Letter) -> Mapping[str, str]:
        memory = self._memory(letter.about)
        return memory.threads if memory is not None else {}

    def delivered(self, letter: Letter, remembered: Mapping[str, str] | None) -> None:
        about: MessageSubject = letter.about
        memory = self._memory(about)
        self.late.discard(letter.line)
        if memory is not None:
            if about.due.key:
                memory.state[about.due.key] = int(self.clock.now())
            memory.threads |= dict(remembered or {})
        self._settle(about, memory)
        self.series.sent(about.key, *about.label)
        text = f"{about.due.trigger} was sent to {about.due.to}"
        log.info("notification: %s", text, extra=_fields(about))
        self.tell(about.subject, Event("NotificationSent", text), about.kind)

    def delayed(self, letter: Letter, until: float) -> None:
        about: MessageSubject = letter.about
        if letter.line in self.late:
            return
        self.late.add(letter.line)
        reason = self._reason(letter.line, letter.problem)
        text = f"{about.due.trigger} could not be sent to {about.due.to} yet: {reason}. It is tried again until {rfc3339(until)}."
        self.tell(about.subject, Event("NotificationFailed", text, "Warning"), about.kind)

    def failed(self, letter: Letter) -> None:
        self._settle(letter.about, self._memory(letter.about))
        self.give_up(letter.about, letter.line, letter.problem)

    def replaced(self, letter: Letter) -> None:
        self._settle(letter.about, self._memory(letter.about))

    def give_up(self, about: MessageSubject, line: Line, problem: str) -> None:
        """Ends the message without delivery and without a retry."""
        self.series.failed(about.key, *about.label)
        if (memory := self._memory(about)) is not None:
            self.repetitions.give_up(memory.uid, about.due.key)
        text = f"{about.due.trigger} was not sent to {about.due.to}: {self._reason(line, problem)}"
        log.warning("notification: %s", text, extra=_fields(about))
        self.tell(about.subject, Event("NotificationFailed", text, "Warning"), about.kind)

    def _reason(self, line: Line, problem: str) -> str:
        configuration = self.sources.configurations.get(line[0])
        service = configuration.services.get(line[1]) if configuration else None
        return Hidden(service.secrets if service else ()).foreign(problem, LONGEST_PROBLEM)

    def _settle(self, about: MessageSubject, memory: Memory | None) -> None:
        """Removes the message from those in progress and from the Rollout's waiting messages."""
        if memory is None or about.root is None:
            return
        self.repetitions.arrives(memory.uid, about.due.key)
        if about.pending is not None:
            memory.drop(about.pending)
        self.memories.changed(about.root)

    def _memory(self, about: MessageSubject) -> Memory | None:
        rollout = self.cache.rollouts.items.get(about.root) if about.root is not None else None
        return self.memories.of(rollout) if rollout is not None else None


def _fields(about: MessageSubject) -> dict[str, dict[str, str]]:
    namespace, name = about.key
    return {"fields": {"namespace": namespace, about.kind.lower(): name}}
