"""Subscriptions: annotations of the object, and general subscriptions of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from serinus.notifications.fields import load, read
from serinus.notifications.names import SUBSCRIBE, SUBSCRIPTIONS
from serinus.notifications.problems import ConfigurationError, ConfigurationProblem


class Destination(NamedTuple):
    service: str
    recipient: str

    def __str__(self) -> str:
        return f"{self.service}:{self.recipient}"


class Subscription(msgspec.Struct):
    """One entry of `subscriptions` of a ConfigMap."""

    recipients: list[str] = []
    triggers: list[str] = []
    selector: str = ""


class SubscriptionList(msgspec.Struct):
    """The value of `subscriptions` in a ConfigMap."""

    entries: list[Subscription] = []


class _Place(msgspec.Struct):
    service: str = ""
    recipients: list[str] = []


class _SubscriptionEntry(msgspec.Struct):
    trigger: list[str] = []
    destinations: list[_Place] = []


class _SubscriptionList(msgspec.Struct):
    entries: list[_SubscriptionEntry] = []


class Defaults(NamedTuple):
    """Triggers of subscriptions without one. `services`: those that replace `triggers` for their service."""

    triggers: tuple[str, ...] = ()
    services: Mapping[str, tuple[str, ...]] = {}

    def of(self, service: str) -> tuple[str, ...]:
        return self.services.get(service, self.triggers)


Subscriptions = dict[str, list[Destination]]


def from_annotations(
    annotations: Mapping[str, str], defaults: Defaults
) -> tuple[Subscriptions, list[ConfigurationProblem]]:
    """The destinations of each trigger from the annotations, without duplicates, and the invalid annotations."""
    by_trigger: Subscriptions = {}
    problems: list[ConfigurationProblem] = []
    for key in sorted(annotations):
        value = annotations[key]
        if key.startswith(SUBSCRIPTIONS):
            problems += _list(key, value, defaults, by_trigger)
            continue
        if not key.startswith(SUBSCRIBE):
            continue
        first, *rest = key.removeprefix(SUBSCRIBE).split(".")
        recipients = [part.strip() for part in value.split(";") if part.strip()] or ([""] if not value.strip() else [])
        service, triggers = (rest[0], (first,)) if rest else (first, defaults.of(first))
        for trigger in triggers:
            add(by_trigger, trigger, (Destination(service, recipient) for recipient in recipients))
    return by_trigger, problems


def _list(key: str, value: str, defaults: Defaults, by_trigger: Subscriptions) -> list[ConfigurationProblem]:
    try:
        holder, unknown = read({"entries": load(value) or []}, _SubscriptionList, holder="entries")
    except ConfigurationError as error:
        return [ConfigurationProblem(key, error.message, field=error.field)]
    for entry in holder.entries:
        for place in entry.destinations:
            for trigger in entry.trigger or defaults.of(place.service):
                add(by_trigger, trigger, (Destination(place.service, recipient) for recipient in place.recipients))
    return [
        ConfigurationProblem(key, "this field means nothing", "warning", path, near and f"did you mean {near}?")
        for path, near in unknown
    ]


def recipient_of(text: str) -> Destination:
    """`service:recipient` of a ConfigMap. A second colon is part of the recipient."""
    service, _, recipient = text.partition(":")
    return Destination(service, recipient)


def add(by_trigger: Subscriptions, trigger: str, destinations: Iterable[Destination]) -> None:
    """Add the destinations that the trigger does not have yet."""
    known = by_trigger.setdefault(trigger, [])
    known += [one for one in dict.fromkeys(destinations) if one not in known]


def read_subscriptions(value: Any) -> tuple[list[Subscription], list[tuple[str, str]]]:
    """(entries of `subscriptions` of a ConfigMap, unknown fields). ConfigurationError names the field."""
    holder, unknown = read({"entries": value or []}, SubscriptionList, holder="entries")
    return holder.entries, unknown
