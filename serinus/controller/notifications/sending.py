"""Renders due messages and submits them to the delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serinus.api.rollout import Rollout
from serinus.controller.notifications.memory import Memories
from serinus.controller.notifications.pending import Pending, shortened, subject_of
from serinus.controller.notifications.repetitions import Repetitions
from serinus.controller.notifications.subject import MessageSubject, Subject
from serinus.kube.clock import Clock
from serinus.notifications import step_numbers
from serinus.notifications.configuration import Configuration
from serinus.notifications.delivery import Delivery, Letter, Line
from serinus.notifications.due import Due, Happening
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.texts import Notification, TemplateDefinition, render
from serinus.notifications.variables import for_templates

SCALED = "ScalingReplicaSet"
"""The reason of Events whose newest message makes the waiting ones obsolete (notifications, section 11)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """`give_up(about, line, problem)`: called for a message that cannot be made."""

    clock: Clock
    memories: Memories
    repetitions: Repetitions
    delivery: Delivery
    give_up: Callable[[MessageSubject, Line, str], None]

    def send(
        self,
        configuration: Configuration,
        subject: Subject,
        root: Rollout | None,
        due: Due,
        values: Mapping[str, Any],
        event: Happening | None,
        at: float | None = None,
    ) -> None:
        """Makes the message and submits it. `at`: when it became due, in seconds since the epoch; None for now."""
        at = self.clock.now() if at is None else at
        line: Line = (configuration.namespace, due.to.service, due.to.recipient)
        rendered = self._rendered(configuration, due, values, event)
        entry = None
        if root is not None and isinstance(rendered, Notification):
            memory = self.memories.of(root)
            entry = memory.take(entry_of(configuration, due, event, at, about=subject_of(subject)))
            self.repetitions.departs(memory.uid, due.key)
            self.memories.changed((root.metadata.namespace, root.metadata.name))
        about = _about(subject, root, due, event, entry)
        if isinstance(rendered, Notification):
            topic = f"{subject.metadata.uid}/{due.trigger}" if event is not None and event.reason == SCALED else ""
            self.delivery.submit(Letter(line, rendered, due.send, at, about, topic=topic))
        else:
            self.give_up(about, line, rendered)

    def _rendered(
        self, configuration: Configuration, due: Due, values: Mapping[str, Any], event: Happening | None
    ) -> Notification | str:
        """The rendered message, or the reason why it cannot be rendered."""
        service = configuration.services.get(due.to.service)
        if service is None:
            return f"notification service '{due.to.service}' is not supported"
        definitions = _definitions(configuration, due.send)
        if isinstance(definitions, str):
            return definitions
        if event is not None and event.reason == step_numbers.REASON and any(one.adds_one for one in definitions):
            values = step_numbers.before_the_step(values, event.message)
        now = self.clock.now()
        try:
            variables = for_templates(values, due.to.service, due.to.recipient, now)
            return render(definitions, service.name, service.type, variables, now)
        except TemplateError as error:
            return str(error)


def entry_of(
    configuration: Configuration, due: Due, event: Happening | None, at: float, *, before: str = "", about: str = ""
) -> Pending:
    """The message as a Rollout stores it. `about`: `Pending.subject`."""
    happening = shortened(event) if event is not None else ()
    return Pending(
        due.trigger,
        due.index,
        due.to.service,
        due.to.recipient,
        int(at),
        configuration.namespace,
        happening,
        before,
        about,
    )


def _about(
    subject: Subject, root: Rollout | None, due: Due, event: Happening | None, entry: Pending | None
) -> MessageSubject:
    key = None if root is None else (root.metadata.namespace, root.metadata.name)
    label = (event.type, event.reason) if event else ("Normal", due.trigger)
    return MessageSubject(subject, type(subject).__name__, key, due, event, label, entry)


def _definitions(configuration: Configuration, names: Sequence[str]) -> list[TemplateDefinition] | str:
    """The templates, or the problem of the first unusable one."""
    for name in names:
        if name not in configuration.templates:
            problem = next((one for one in configuration.problems if one.key == f"template.{name}"), None)
            return f"template '{name}' is not supported" + (f": {problem}" if problem is not None else "")
    return [configuration.templates[name] for name in names]
