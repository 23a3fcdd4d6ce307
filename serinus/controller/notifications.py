"""Notifications of a running controller: what happens becomes messages, and what becomes of them is told and remembered.

Which messages are due is decided in `serinus.notifications`, from what was just written and what the object remembers. Nothing
here waits: sending is the delivery's. Only the process that leads sends.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from serinus.analysis.hiding import Hidden
from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.meta import ObjectMeta
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.controller.notification_memory import Memories, Memory, Pending
from serinus.controller.notification_series import NotificationSeries
from serinus.controller.notification_sources import NotificationSources
from serinus.controller.notification_values import Values
from serinus.engine.core.plan import Event
from serinus.kube.clock import Clock, rfc3339
from serinus.kube.informer import Key
from serinus.notifications import step_numbers
from serinus.notifications.configuration import Configuration
from serinus.notifications.delivery import Delivery, Letter, Line
from serinus.notifications.due import Due, Happening, by_condition, by_event, once_of, subscribed
from serinus.notifications.names import trigger_of
from serinus.notifications.occurrences import identity, is_available, is_observed
from serinus.notifications.services.service import Reach
from serinus.notifications.state import key_of
from serinus.notifications.subscriptions import Destination, Found
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.texts import render
from serinus.notifications.triggers import Condition
from serinus.notifications.variables import for_templates

log = logging.getLogger(__name__)

OWN_REASONS = ("NotificationSent", "NotificationFailed")
REMEMBERED = 4096
"""Occurrences that have been told, over all objects; the oldest are forgotten."""

ABSORBED = 60.0
"""Seconds in which an Event tells no more what its condition has just told."""

LONGEST_PROBLEM = 300

Subject = Rollout | Experiment | AnalysisRun


@dataclass(frozen=True, slots=True)
class About:
    """Whose message it is. `root`: key of the Rollout that remembers it; None for an object that belongs to none."""

    subject: Subject
    kind: str
    root: Key | None
    due: Due
    event: Happening | None
    label: tuple[str, str]
    """(type, reason) for metrics."""


class Notifications:
    """`tell`: records an Event about an object of a kind."""

    def __init__(
        self,
        cache: Cache,
        clock: Clock,
        sources: NotificationSources,
        memories: Memories,
        reach: Reach,
        series: NotificationSeries,
        tell: Callable[[Subject, Event, str], None],
    ) -> None:
        self._cache, self._clock, self._sources, self._memories = cache, clock, sources, memories
        self._reach, self._series, self._tell = reach, series, tell
        self._values = Values(cache)
        self.delivery = Delivery(self, clock)
        self._leads = False
        self._told: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[tuple[str, str], int] = {}
        """(uid, key) of messages that are on their way."""
        self._by_condition: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._given_up: set[tuple[str, str]] = set()
        """(uid, key) of conditions whose message cannot be made or is refused, until a configuration changes."""
        self._completing: dict[str, Event] = {}
        """By uid: versions that were promoted and are not available yet."""
        self._late: set[Line] = set()
        series.waiting = lambda: (len(self.delivery.waiting()), self.delivery.waiting_bytes)
        series.problems = self._problems

    # What happens

    def lead(self) -> None:
        """From now on messages are sent; begins with those that an earlier process could not deliver."""
        self._leads = True
        self._memories.clear()
        for rollout in self._cache.rollouts.items.values():
            memory = self._memories.of(rollout)
            for pending in list(memory.pending):
                self._again(rollout, memory, pending)
            self._judge(rollout, memory)

    def rest(self) -> None:
        """Somebody else leads."""
        self._leads = False
        self.delivery.clear()
        self._under_way.clear()

    def happened(self, make: Callable[[], Rollout | Experiment], events: Sequence[Event]) -> None:
        """Tells of Events of one pass. `make`: gives the object as the pass has written it."""
        if not self._leads or not self._sources.configurations:
            return
        about = make()
        for event in events:
            if event.reason in OWN_REASONS:
                continue
            if self._is_early(about, event):
                self._completing[about.metadata.uid] = event
            else:
                self._event(about, event)

    def _is_early(self, about: Rollout | Experiment, event: Event) -> bool:
        """Whether a version was promoted whose pods are not available yet."""
        return (
            event.reason == "RolloutCompleted"
            and isinstance(about, Rollout)
            and not is_available(self._values.of(about))
        )

    def run_happened(self, run: AnalysisRun, event: Event) -> None:
        """The same for an AnalysisRun."""
        if self._leads:
            self._event(run, event)

    def rollout_changed(self, old: Rollout | None, new: Rollout | None) -> None:
        """Judges conditions by the object as it is stored."""
        if new is None:
            if old is not None:
                self._memories.forget((old.metadata.namespace, old.metadata.name))
                self._completing.pop(old.metadata.uid, None)
                self._series.forget((old.metadata.namespace, old.metadata.name))
            return
        if not self._leads:
            return
        memory = self._memories.look(old, new)
        completing = self._completing.get(new.metadata.uid)
        if completing is not None:
            if new.status.current_pod_hash and new.status.current_pod_hash not in completing.message:
                del self._completing[new.metadata.uid]
            elif is_available(self._values.of(new)):
                del self._completing[new.metadata.uid]
                self._event(new, completing)
        self._judge(new, memory)

    def configuration_changed(self, namespace: str) -> None:
        self._given_up.clear()

    # What is due

    def _event(self, about: Subject, event: Event) -> None:
        began = time.perf_counter()
        name = trigger_of(event.reason)
        metadata = about.metadata
        for configuration, prefix in self._sources.of(metadata.namespace):
            if name not in configuration.triggers:
                continue
            general = not (
                isinstance(about, AnalysisRun) and metadata.controller() and event.reason.startswith("AnalysisRun")
            )
            found = self._subscribed(configuration, metadata, general=general)
            if not found.get(name):
                continue
            root = self._values.root(about)
            memory = self._memories.of(root) if root is not None else None
            uid = root.metadata.uid if root is not None else metadata.uid
            values = self._values.variables(about, configuration, event)
            run = self._values.run_of(about, event)
            happening = Happening(
                event.reason, event.message, event.type, identity(event.reason, event.message, values["rollout"], run)
            )
            now = self._clock.now()
            judged = by_event(
                configuration, found, happening, values, memory.state if memory else {}, now,
                told=lambda key, uid=uid: self._is_told(uid, key), prefix=prefix,
            )  # fmt: skip
            for due in judged.due:
                mark = f"{uid}/{configuration.namespace}/{due.identity}"
                if due.identity and mark in self._told:
                    continue
                if due.identity:
                    self._told[mark] = None
                    if len(self._told) > REMEMBERED:
                        self._told.popitem(last=False)
                self._send(configuration, about, root, due, values, happening, now)
        self._series.spent((metadata.namespace, metadata.name), time.perf_counter() - began)

    def _judge(self, rollout: Rollout, memory: Memory) -> None:
        values: dict[str, Any] | None = None
        for configuration, prefix in self._sources.of(rollout.metadata.namespace):
            if not configuration.has_conditions:
                continue
            found = self._subscribed(configuration, rollout.metadata)
            if not found:
                continue
            values = self._values.variables(rollout, configuration, None)
            if not is_observed(values["rollout"]):
                return
            uid, now = rollout.metadata.uid, self._clock.now()
            judged = by_condition(
                configuration, found, values, memory.state, now,
                told=lambda key, uid=uid: (uid, key) in self._under_way or (uid, key) in self._given_up, prefix=prefix,
            )  # fmt: skip
            for key in judged.over:
                memory.state.pop(key, None)
            for due in judged.due:
                self._by_condition[uid, due.key] = now
                if len(self._by_condition) > REMEMBERED:
                    self._by_condition.popitem(last=False)
                self._send(configuration, rollout, rollout, due, values, None, now)
            if judged.over:
                self._memories.changed((rollout.metadata.namespace, rollout.metadata.name))

    def _is_told(self, uid: str, key: str) -> bool:
        """Whether the condition has just told what an Event is about to tell. Once: the next Event counts again."""
        at = self._by_condition.pop((uid, key), None)
        return at is not None and self._clock.now() - at < ABSORBED

    def _subscribed(self, configuration: Configuration, metadata: ObjectMeta, *, general: bool = True) -> Found:
        found, _ = subscribed(configuration, metadata.annotations, metadata.labels, general=general)
        return found

    def _again(self, rollout: Rollout, memory: Memory, pending: Pending) -> None:
        """A message that an earlier process could not deliver: made anew from what is there now."""
        for configuration, prefix in self._sources.of(rollout.metadata.namespace):
            if configuration.namespace != pending.namespace:
                continue
            trigger = configuration.triggers.get(pending.trigger)
            if trigger is None or pending.index >= len(trigger.conditions):
                continue
            condition, to = trigger.conditions[pending.index], Destination(pending.service, pending.recipient)
            event = pending.of()
            values = self._values.variables(rollout, configuration, event)
            happening = Happening(event.reason, event.message, event.type) if event else None
            due = Due(
                pending.trigger,
                pending.index,
                condition.send,
                to,
                _key_again(condition, pending, values, prefix, self._clock.now()),
            )
            self._send(configuration, rollout, rollout, due, values, happening, float(pending.at))
            return
        memory.pending.remove(pending)

    # Sending

    def _send(
        self,
        configuration: Configuration,
        subject: Subject,
        root: Rollout | None,
        due: Due,
        values: Mapping[str, Any],
        event: Happening | None,
        at: float,
    ) -> None:
        line: Line = (configuration.namespace, due.to.service, due.to.recipient)
        key = None if root is None else (root.metadata.namespace, root.metadata.name)
        kind = type(subject).__name__
        label = (event.type, event.reason) if event else ("Normal", due.trigger)
        about = About(subject, kind, key, due, event, label)
        service = configuration.services.get(due.to.service)
        made = None
        problem = f"notification service '{due.to.service}' is not supported" if service is None else ""
        definitions = [configuration.templates[name] for name in due.send if name in configuration.templates]
        missing = [name for name in due.send if name not in configuration.templates]
        if missing and not problem:
            problem = _missing_template(configuration, missing[0])
        if event is not None and event.reason == step_numbers.REASON and any(one.adds_one for one in definitions):
            values = step_numbers.before_the_step(values, event.message)
        if service is not None and not problem:
            try:
                found = for_templates(values, due.to.service, due.to.recipient, self._clock.now())
                made = render(definitions, service.name, service.type, found, self._clock.now())
            except TemplateError as error:
                problem = str(error)
        if made is None:
            self._give_up(about, line, problem)
            return
        letter = Letter(line, made, due.send, at, about)
        if due.key:
            mark = (subject.metadata.uid if root is None else root.metadata.uid, due.key)
            self._under_way[mark] = self._under_way.get(mark, 0) + 1
        self.delivery.submit(letter)

    # What becomes of it (Office)

    def service(self, line: Line) -> tuple[str, Any, Reach] | str:
        configuration = self._sources.configurations.get(line[0])
        found = configuration.services.get(line[1]) if configuration else None
        if found is None:
            return f"notification service '{line[1]}' is not supported"
        if found.allowed and not any(fnmatchcase(line[2], pattern) for pattern in found.allowed):
            return f"service '{line[1]}' does not allow the recipient {line[2]!r} (allowedRecipients)"
        return found.type, found.options, self._reach

    def threads(self, letter: Letter) -> Mapping[str, str]:
        memory = self._memory(letter.about)
        return memory.threads if memory is not None else {}

    def delivered(self, letter: Letter, remembered: Mapping[str, str] | None) -> None:
        about: About = letter.about
        memory = self._memory(about)
        self._arrived(letter)
        self._late.discard(letter.line)
        if memory is not None:
            if about.due.key:
                memory.state[about.due.key] = int(self._clock.now())
            memory.threads |= dict(remembered or {})
            self._settle(about, memory)
        key = (about.subject.metadata.namespace, about.subject.metadata.name)
        self._series.sent(key, *about.label)
        text = f"{about.due.trigger} was sent to {about.due.to}"
        log.info("notification: %s", text, extra={"fields": {"namespace": key[0], about.kind.lower(): key[1]}})
        self._tell(about.subject, Event("NotificationSent", text), about.kind)

    def delayed(self, letter: Letter, until: float) -> None:
        about: About = letter.about
        memory = self._memory(about)
        if memory is not None:
            pending = _pending(letter)
            if not any(pending.same(one) for one in memory.pending):
                memory.pending.append(pending)
                self._memories.changed(about.root or ("", ""))
        if letter.line in self._late:
            return
        self._late.add(letter.line)
        said = self._said(letter.line, letter.problem)
        text = f"{about.due.trigger} could not be sent to {about.due.to} yet: {said}. It is tried again until {rfc3339(until)}."
        self._tell(about.subject, Event("NotificationFailed", text, "Warning"), about.kind)

    def failed(self, letter: Letter) -> None:
        about: About = letter.about
        self._arrived(letter)
        memory = self._memory(about)
        if memory is not None:
            self._settle(about, memory)
        self._give_up(about, letter.line, letter.problem)

    def _give_up(self, about: About, line: Line, problem: str) -> None:
        key = (about.subject.metadata.namespace, about.subject.metadata.name)
        self._series.failed(key, *about.label)
        if about.due.key and about.root is not None and (memory := self._memory(about)) is not None:
            self._given_up.add((memory.uid, about.due.key))
        text = f"{about.due.trigger} was not sent to {about.due.to}: {self._said(line, problem)}"
        log.warning("notification: %s", text, extra={"fields": {"namespace": key[0], about.kind.lower(): key[1]}})
        self._tell(about.subject, Event("NotificationFailed", text, "Warning"), about.kind)

    def _said(self, line: Line, problem: str) -> str:
        configuration = self._sources.configurations.get(line[0])
        found = configuration.services.get(line[1]) if configuration else None
        return Hidden(found.secrets if found else ()).foreign(problem, LONGEST_PROBLEM)

    def _arrived(self, letter: Letter) -> None:
        about: About = letter.about
        memory = self._memory(about)
        mark = (memory.uid if memory is not None else about.subject.metadata.uid, about.due.key)
        left = self._under_way.get(mark, 0) - 1
        if left > 0:
            self._under_way[mark] = left
        else:
            self._under_way.pop(mark, None)

    def _settle(self, about: About, memory: Memory) -> None:
        """The message needs to be remembered no more as one that waits."""
        memory.pending = [
            one
            for one in memory.pending
            if (one.trigger, one.index, one.service, one.recipient)
            != (about.due.trigger, about.due.index, about.due.to.service, about.due.to.recipient)
            or (one.event[:1] != ([about.event.reason] if about.event else []))
        ]
        if about.root is not None:
            self._memories.changed(about.root)

    def _memory(self, about: About) -> Memory | None:
        rollout = self._cache.rollouts.items.get(about.root) if about.root is not None else None
        return self._memories.of(rollout) if rollout is not None else None

    def _problems(self) -> list[tuple[str, str]]:
        return [
            (namespace, problem.key)
            for namespace, configuration in self._sources.configurations.items()
            for problem in configuration.problems
            if problem.severity == "error"
        ]


def _missing_template(configuration: Configuration, name: str) -> str:
    found = next((one for one in configuration.problems if one.key == f"template.{name}"), None)
    return f"template '{name}' is not supported" + (f": {found}" if found is not None else "")


def _key_again(condition: Condition, pending: Pending, values: Mapping[str, Any], prefix: str, now: float) -> str:
    """The key of a message that is made anew; "" where the object need not remember it."""
    if condition.when is None and condition.once_per is None:
        return ""
    to = Destination(pending.service, pending.recipient)
    return key_of(pending.trigger, condition, to, once=once_of(condition, values, now), namespace=prefix)


def _pending(letter: Letter) -> Pending:
    about: About = letter.about
    event = [about.event.reason, about.event.message[:200], about.event.type] if about.event else []
    return Pending(
        about.due.trigger, about.due.index, about.due.to.service, about.due.to.recipient, int(letter.at), letter.line[0], event
    )  # fmt: skip
