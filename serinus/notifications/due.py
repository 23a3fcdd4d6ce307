"""Due messages: a pure function of the Event, the object as written, and its record of sent messages.

An Event fires the trigger of its reason. A trigger with `when` also fires when its condition becomes true. Both share
one identity, so the message is sent only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.analysis.expr.errors import ConditionError
from serinus.notifications.configuration import Configuration
from serinus.notifications.names import trigger_of
from serinus.notifications.problems import ConfigurationProblem
from serinus.notifications.state import State, spellings
from serinus.notifications.subscriptions import Destination, Subscriptions, add, from_annotations
from serinus.notifications.triggers import TriggerCondition
from serinus.notifications.variables import for_conditions

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """A recorded Event. `identity`: distinguishes its occurrences; "" if each Event counts."""

    reason: str
    message: str
    type: str
    identity: str = ""

    def values(self) -> Json:
        return {"reason": self.reason, "message": self.message, "type": self.type}


@dataclass(frozen=True, slots=True)
class Due:
    """A message to render and send. `key`: its key in the object's record; "" if it needs no record."""

    trigger: str
    index: int
    send: tuple[str, ...]
    to: Destination
    key: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class DueMessages:
    """`over`: keys of conditions that are no longer true. `problems`: failed conditions, dangling subscriptions."""

    due: tuple[Due, ...] = ()
    over: tuple[str, ...] = ()
    problems: tuple[ConfigurationProblem, ...] = ()


NOTHING = DueMessages()


def subscribed(
    configuration: Configuration, annotations: Mapping[str, str], labels: Mapping[str, str], *, general: bool = True
) -> tuple[Subscriptions, tuple[ConfigurationProblem, ...]]:
    """The destinations of each trigger: first from the configuration (if `general`), then from the annotations."""
    by_trigger: Subscriptions = {}
    for one in configuration.subscriptions if general else ():
        if one.selector is None or one.selector.matches(labels):
            for trigger in one.triggers:
                add(by_trigger, trigger, one.destinations)
    own, problems = from_annotations(annotations, configuration.defaults)
    for trigger, destinations in own.items():
        add(by_trigger, trigger, destinations)
    return by_trigger, tuple(problems)


def by_event(
    configuration: Configuration,
    subscriptions: Subscriptions,
    happening: Happening,
    values: Mapping[str, Any],
    state: Mapping[str, int],
    now: float,
    *,
    told: Callable[[str], bool] = lambda _: False,
    prefix: str = "",
) -> DueMessages:
    """Messages due because of an Event. `told`: whether a key's message is queued, or its condition just sent it."""
    name = trigger_of(happening.reason)
    trigger, destinations = configuration.triggers.get(name), subscriptions.get(name, [])
    if trigger is None or not destinations:
        return NOTHING
    variables = for_conditions(values, now)
    due: list[Due] = []
    problems: list[ConfigurationProblem] = []
    for condition in trigger.conditions:
        holds, once, trouble = _judged(name, condition, variables, now, empty=True)
        problems += trouble
        if not holds:
            continue
        for to in destinations:
            key = ""
            if condition.when is not None or once is not None:
                keys = spellings(name, condition, to, once=once, namespace=prefix)
                key = keys[0]
                if told(key) or (once is not None and any(one in state for one in keys)):
                    continue
            due.append(
                Due(
                    name,
                    condition.index,
                    condition.send,
                    to,
                    key,
                    identity_of(name, condition.index, to, happening.identity),
                )
            )
    return DueMessages(tuple(due), problems=tuple(problems))


def by_condition(
    configuration: Configuration,
    subscriptions: Subscriptions,
    values: Mapping[str, Any],
    state: State,
    now: float,
    *,
    told: Callable[[str], bool] = lambda _: False,
    prefix: str = "",
) -> DueMessages:
    """Messages due because a condition has become true, and the conditions that are no longer true."""
    variables: Mapping[str, Any] | None = None
    due: list[Due] = []
    over: list[str] = []
    problems: list[ConfigurationProblem] = []
    for name, destinations in subscriptions.items():
        trigger = configuration.triggers.get(name)
        if trigger is None:
            continue
        for condition in trigger.conditions:
            if condition.when is None:
                continue
            variables = variables or for_conditions(values, now)
            holds, once, trouble = _judged(name, condition, variables, now, empty=False)
            problems += trouble
            for to in destinations:
                keys = spellings(name, condition, to, once=once, namespace=prefix)
                known = [one for one in keys if one in state]
                if holds and not known and not told(keys[0]):
                    due.append(Due(name, condition.index, condition.send, to, keys[0]))
                elif not holds and condition.once_per is None:
                    over += known
    return DueMessages(tuple(due), tuple(over), tuple(problems))


def _judged(
    name: str, condition: TriggerCondition, values: Mapping[str, Any], now: float, *, empty: bool
) -> tuple[bool, str | None, list[ConfigurationProblem]]:
    """(whether the condition is true, the value of oncePer, problems). `empty`: the result without a condition."""
    problems: list[ConfigurationProblem] = []
    holds = empty
    if condition.when is not None:
        try:
            holds = condition.when.value(values, now) is True
        except ConditionError as error:
            holds = False
            problems.append(_failed(name, condition, "when", error))
    once: str | None = None
    if holds and condition.once_per is not None:
        try:
            once = condition.once_per.text_of(values, now)
        except ConditionError as error:
            problems.append(_failed(name, condition, "oncePer", error))
    return holds, once, problems


def identity_of(trigger: str, index: int, to: Destination, occurrence: str) -> str:
    """The identity of a message: condition, destination and occurrence of its Event; "" if each Event counts."""
    return f"{trigger}[{index}]:{to}:{occurrence}" if occurrence else ""


def once_of(condition: TriggerCondition, values: Mapping[str, Any], now: float) -> str | None:
    """The value of oncePer; None if there is none, or it fails."""
    if condition.once_per is None:
        return None
    try:
        return condition.once_per.text_of(for_conditions(values, now), now)
    except ConditionError:
        return None


def _failed(name: str, condition: TriggerCondition, what: str, error: ConditionError) -> ConfigurationProblem:
    return ConfigurationProblem(
        f"trigger.{name}", f"it failed, and counts as false: {error}", "warning", f"[{condition.index}].{what}"
    )


def dangling(configuration: Configuration, subscriptions: Subscriptions) -> list[ConfigurationProblem]:
    """Subscriptions of an object that name a missing trigger or service."""
    problems: list[ConfigurationProblem] = []
    for trigger, destinations in subscriptions.items():
        if trigger not in configuration.triggers:
            problems.append(
                ConfigurationProblem(f"subscription to {trigger}", f"there is no trigger {trigger}", "warning")
            )
        for to in destinations:
            if to.service not in configuration.services:
                problems.append(
                    ConfigurationProblem(f"subscription to {trigger}", f"there is no service {to.service}", "warning")
                )
    return problems
