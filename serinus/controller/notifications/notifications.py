"""Finds the messages that are due after a change or an Event.

`serinus.notifications` decides which messages are due, from the stored status and the object's notification state. This
module never waits for a receiver. Only the leader sends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from serinus.analysis.phases import BY_SEVERITY
from serinus.api.analysis import AnalysisRun
from serinus.api.experiment import Experiment
from serinus.api.meta import Json, ObjectMeta
from serinus.api.rollout import Rollout
from serinus.controller.cache import Cache
from serinus.controller.notifications.completions import Completions
from serinus.controller.notifications.memory import Memories, Memory
from serinus.controller.notifications.pending import Pending, digest_of, subject_of
from serinus.controller.notifications.repetitions import Repetitions, occurrence_of
from serinus.controller.notifications.reported import Reported
from serinus.controller.notifications.resumption import Resumption
from serinus.controller.notifications.sending import Sender, entry_of
from serinus.controller.notifications.series import NotificationSeries
from serinus.controller.notifications.sources import NotificationSources
from serinus.controller.notifications.subject import Subject
from serinus.controller.notifications.values import Values
from serinus.engine.core.plan import Event
from serinus.kube.clock import Clock
from serinus.notifications.configuration import Configuration
from serinus.notifications.due import Due, Happening, by_condition, by_event, subscribed
from serinus.notifications.names import trigger_of
from serinus.notifications.occurrences import identity, is_observed
from serinus.notifications.subscriptions import Subscriptions, add

OWN_REASONS = ("NotificationSent", "NotificationFailed")


@dataclass(frozen=True, slots=True)
class _Judged:
    """The messages that are due for an Event in one configuration."""

    configuration: Configuration
    happening: Happening
    values: dict[str, Any]
    due: tuple[Due, ...]


class Notifications:
    """Messages of Events (`happened`) and of conditions (`rollout_changed`)."""

    def __init__(
        self,
        cache: Cache,
        clock: Clock,
        sources: NotificationSources,
        memories: Memories,
        repetitions: Repetitions,
        sender: Sender,
        series: NotificationSeries,
    ) -> None:
        self._cache, self._clock, self._sources, self._memories = cache, clock, sources, memories
        self._repetitions, self._sender, self._series = repetitions, sender, series
        self._values = Values(cache)
        self._completions = Completions(self._values)
        self._resumption = Resumption(clock, sources, self._values, self._completions, repetitions, sender)
        self._reported = Reported(cache, self._occurrences, repetitions.remember)
        self._leads = False

    def lead(self) -> None:
        """Starts sending messages, first those that an earlier process could not deliver."""
        self._leads = True
        self._memories.clear()
        self._reported.remember()
        for rollout in self._cache.rollouts.items.values():
            memory = self._memories.of(rollout)
            memory.prepared, entries = list(memory.pending), list(memory.pending)
            for entry in entries:
                about = self._values.subject(rollout, entry.subject)
                # A status that was not written is planned again, and so are its Events.
                if not entry.before or entry.before != digest_of(about):
                    self._resumption.send(rollout, about, entry)
            self._drop_prepared(rollout, memory, list(memory.prepared))
            self._judge(rollout, memory)

    def rest(self) -> None:
        """Stops sending: another process leads."""
        self._leads = False
        self._completions.clear()
        self._repetitions.forget_those_under_way()

    async def prepare(
        self,
        before: Subject,
        make: Callable[[], Subject],
        events: Sequence[Event],
        write: Callable[[Json, str], Any] | None = None,
    ) -> None:
        """Stores the messages of Events that are about to happen, so that they survive this process.

        The object's Rollout stores them. `make` returns the object as it will be. `write(annotations, uid)` writes
        annotations of a Rollout in the same pass. Raises the ApiError of a failed write.
        """
        if not self._leads or not self._sources.configurations or (root := self._values.root(before)) is None:
            return
        memory = self._memories.of(root)
        earlier = _prepared(memory, before)
        if not events and not earlier:
            return
        entries = self._entries(before, make(), events, memory)
        waiting = self._completions.of(memory.uid)
        for one in earlier:
            if one not in entries and (waiting is None or not one.reports(waiting)):
                memory.drop(one)
        for one in entries:
            if one not in memory.prepared:
                memory.prepare(one)
        key = (root.metadata.namespace, root.metadata.name)
        if root is before and write is not None:
            await self._memories.write_by(key, write)
        else:
            await self._memories.write(key)

    def _entries(self, before: Subject, after: Subject, events: Sequence[Event], memory: Memory) -> list[Pending]:
        """The messages of Events as stored. A message of an earlier attempt at the same pass keeps its time."""
        entries: list[Pending] = []
        status, now, own = digest_of(before), self._clock.now(), subject_of(before)
        for event in events:
            if event.reason in OWN_REASONS:
                continue
            early = self._completions.is_early(after, event)
            for judged in self._due_by(after, event, early=early, absorbed=self._repetitions.is_absorbed):
                for due in judged.due:
                    if self._repetitions.is_known(occurrence_of(memory.uid, judged.configuration, due.identity)):
                        continue
                    entry = entry_of(judged.configuration, due, judged.happening, now, before=status, about=own)
                    old = (one for one in memory.prepared if one.same(entry) and one.before == status)
                    entries.append(next(old, entry))
        return entries

    def happened(self, make: Callable[[], Subject], events: Sequence[Event], *, complete: bool = True) -> None:
        """Sends the messages of a pass's Events. `make` returns the object as the pass wrote it.

        `complete`: no write failed. Prepared messages of Events that did not happen are then dropped.
        """
        if not self._leads or not self._sources.configurations:
            return
        about = make()
        for event in events:
            if event.reason in OWN_REASONS:
                continue
            if self._completions.is_early(about, event):
                self._completions.wait(about, event)
            else:
                self._event(about, event)
        if complete and (root := self._values.root(about)) is not None:
            memory = self._memories.of(root)
            self._drop_prepared(root, memory, _prepared(memory, about))

    def rollout_changed(self, old: Rollout | None, new: Rollout | None) -> None:
        """Evaluates conditions on the stored object."""
        if new is None:
            if old is not None:
                self._forget(old)
            return
        if not self._leads:
            return
        memory = self._memories.look(old, new)
        self._complete(new, memory)
        self._judge(new, memory)

    def configuration_changed(self) -> None:
        """Allows retries of messages that could not be made."""
        self._repetitions.try_again()

    def _complete(self, rollout: Rollout, memory: Memory) -> None:
        """Sends the message that waits for the pods of a promoted version, once they are available."""
        waiting = self._completions.of(rollout.metadata.uid)
        if waiting is None:
            return
        if (due := self._completions.due(rollout)) is not None:
            self._event(rollout, due)
        if self._completions.of(rollout.metadata.uid) is None:
            self._drop(rollout, memory, [one for one in memory.prepared if one.reports(waiting)])

    def _forget(self, rollout: Rollout) -> None:
        key = (rollout.metadata.namespace, rollout.metadata.name)
        self._memories.forget(key)
        self._completions.forget(rollout.metadata.uid)

    def _event(self, about: Subject, event: Event) -> None:
        began, metadata = time.perf_counter(), about.metadata
        root = self._values.root(about)
        uid = root.metadata.uid if root is not None else metadata.uid
        for judged in self._due_by(about, event, absorbed=self._repetitions.absorb):
            for due in judged.due:
                occurrence = occurrence_of(uid, judged.configuration, due.identity)
                if self._repetitions.is_known(occurrence):
                    continue
                self._repetitions.remember(occurrence)
                self._sender.send(judged.configuration, about, root, due, judged.values, judged.happening)
        self._series.spent((metadata.namespace, metadata.name), time.perf_counter() - began)

    def _occurrences(self, about: Subject, event: Event) -> Iterator[str]:
        """The occurrences of the messages that are due for an Event."""
        root = self._values.root(about)
        uid = root.metadata.uid if root is not None else about.metadata.uid
        for judged in self._due_by(about, event, absorbed=self._repetitions.is_absorbed):
            yield from (occurrence_of(uid, judged.configuration, due.identity) for due in judged.due)

    def _due_by(
        self, about: Subject, event: Event, *, absorbed: Callable[[str, str], bool], early: bool = False
    ) -> Iterator[_Judged]:
        """`early`: skip the conditions, so that all messages of the trigger may become due."""
        name, metadata = trigger_of(event.reason), about.metadata
        of_run = isinstance(about, AnalysisRun) and metadata.controller() and event.reason.startswith("AnalysisRun")
        for configuration, prefix in self._sources.of(metadata.namespace):
            if name not in configuration.triggers:
                continue
            root = self._values.root(about)
            subscriptions = _subscribed(configuration, metadata, general=not of_run)
            if root is not None and _is_of_rollout(about, event):
                for trigger, destinations in _subscribed(configuration, root.metadata).items():
                    add(subscriptions, trigger, destinations)
            if not subscriptions.get(name):
                continue
            memory = self._memories.of(root) if root is not None else None
            uid = root.metadata.uid if root is not None else metadata.uid
            values = self._values.variables(about, configuration, event)
            run = self._values.run_of(about, event)
            happening = Happening(
                event.reason, event.message, event.type, identity(event.reason, event.message, values["rollout"], run)
            )
            if early:
                conditions = configuration.triggers[name].conditions
                due = tuple(Due(name, one.index, one.send, to) for one in conditions for to in subscriptions[name])
            else:
                due = by_event(
                    configuration, subscriptions, happening, values, memory.state if memory else {}, self._clock.now(),
                    told=lambda key, uid=uid: absorbed(uid, key), prefix=prefix,
                ).due  # fmt: skip
            yield _Judged(configuration, happening, values, due)

    def _judge(self, rollout: Rollout, memory: Memory) -> None:
        uid = rollout.metadata.uid
        for configuration, prefix in self._sources.of(rollout.metadata.namespace):
            if not configuration.has_conditions:
                continue
            subscriptions = _subscribed(configuration, rollout.metadata)
            if not subscriptions:
                continue
            values = self._values.variables(rollout, configuration, None)
            if not is_observed(values["rollout"]):
                return
            judged = by_condition(
                configuration, subscriptions, values, memory.state, self._clock.now(),
                told=lambda key, uid=uid: self._repetitions.holds_back(uid, key), prefix=prefix,
            )  # fmt: skip
            for key in judged.over:
                memory.state.pop(key, None)
            for due in judged.due:
                self._repetitions.condition_sent(uid, due.key)
                self._sender.send(configuration, rollout, rollout, due, values, None)
            if judged.over:
                self._memories.changed((rollout.metadata.namespace, rollout.metadata.name))

    def _drop_prepared(self, rollout: Rollout, memory: Memory, entries: list[Pending]) -> None:
        waiting = self._completions.of(rollout.metadata.uid)
        self._drop(rollout, memory, [one for one in entries if waiting is None or not one.reports(waiting)])

    def _drop(self, rollout: Rollout, memory: Memory, entries: list[Pending]) -> None:
        for entry in entries:
            memory.drop(entry)
        if entries:
            self._memories.changed((rollout.metadata.namespace, rollout.metadata.name))


def _prepared(memory: Memory, about: Subject) -> list[Pending]:
    """The messages of an object's Events that have not happened yet."""
    own = subject_of(about)
    return [one for one in memory.prepared if one.subject == own]


def _is_of_rollout(about: Subject, event: Event) -> bool:
    """Whether an Experiment's Event also counts as one of its Rollout: a new phase of an analysis.

    Source: notifications, section 3.
    """
    kind, _, phase = event.reason.partition("AnalysisRun")
    return isinstance(about, Experiment) and not kind and phase in BY_SEVERITY


def _subscribed(configuration: Configuration, metadata: ObjectMeta, *, general: bool = True) -> Subscriptions:
    subscriptions, _ = subscribed(configuration, metadata.annotations, metadata.labels, general=general)
    return subscriptions
