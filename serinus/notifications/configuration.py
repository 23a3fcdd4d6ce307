"""A ConfigMap and its Secret as services, templates, triggers and subscriptions. Each key is independent.

An invalid key keeps its last valid version, and `problems` names it. All other keys work. Unchanged keys are not
parsed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serinus.api.values.selectors import Selector
from serinus.notifications.fields import load, nearest, read
from serinus.notifications.limits import KEYS as LIMIT_KEYS
from serinus.notifications.limits import NamespaceLimit, read_limit
from serinus.notifications.problems import ConfigurationError, ConfigurationProblem
from serinus.notifications.secret_references import filled
from serinus.notifications.services.registry import SERVICES
from serinus.notifications.subscriptions import Defaults, Destination, Subscription, read_subscriptions, recipient_of
from serinus.notifications.texts import TemplateDefinition, read_template
from serinus.notifications.triggers import Trigger, read_trigger


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """One `service.<type>[.<name>]`. `allowed`: patterns of permitted recipients; empty permits all."""

    name: str
    type: str
    options: Any = field(repr=False)
    allowed: tuple[str, ...] = ()
    secrets: frozenset[str] = field(default_factory=frozenset[str], repr=False)
    """Texts that must appear in no log, Event or status."""


@dataclass(frozen=True, slots=True)
class GlobalSubscription:
    triggers: tuple[str, ...]
    destinations: tuple[Destination, ...]
    selector: Selector | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A parsed key: its text, the values of the Secret that it names, the result, and its problems."""

    text: str
    secrets: tuple[tuple[str, bytes], ...]
    value: Any
    problems: tuple[ConfigurationProblem, ...]
    good: Any
    """The last valid version; None if there never was one."""


NO_DEFAULTS = Defaults()


@dataclass(frozen=True)
class Configuration:
    """`namespace`: of the ConfigMap. Everything by its name."""

    namespace: str = ""
    services: Mapping[str, ServiceDefinition] = field(default_factory=dict[str, ServiceDefinition])
    templates: Mapping[str, TemplateDefinition] = field(default_factory=dict[str, TemplateDefinition])
    triggers: Mapping[str, Trigger] = field(default_factory=dict[str, Trigger])
    defaults: Defaults = NO_DEFAULTS
    subscriptions: tuple[GlobalSubscription, ...] = ()
    secrets: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    problems: tuple[ConfigurationProblem, ...] = ()
    limits: Mapping[str, NamespaceLimit] = field(default_factory=dict[str, NamespaceLimit])
    """By key. Those of the controller's own configuration apply to the configurations of other namespaces."""
    known: Mapping[str, _Read] = field(default_factory=dict[str, _Read], repr=False)

    @property
    def has_conditions(self) -> bool:
        """Whether any trigger has a `when`."""
        return any(condition.when is not None for one in self.triggers.values() for condition in one.conditions)


EMPTY = Configuration()
_GROUPS = ("service", "template", "trigger", "defaultTriggers", "subscriptions")


def read_configuration(
    namespace: str, data: Mapping[str, str], secrets: Mapping[str, bytes], before: Configuration = EMPTY
) -> Configuration:
    """The configuration. It never fails: `problems` lists the errors. `before`: the previous configuration."""
    known = {key: _read_key(key, data[key], secrets, before.known.get(key)) for key in sorted(data)}
    problems = [problem for one in known.values() for problem in one.problems]
    values = {key: one.value if one.value is not None else one.good for key, one in known.items()}
    # A limit that was never valid allows nothing.
    limits = {
        key: value if value is not None else NamespaceLimit() for key, value in values.items() if key in LIMIT_KEYS
    }

    def named(group: str) -> dict[str, Any]:
        """The values of the keys `group.name`, by name."""
        parts = ((key.partition("."), value) for key, value in values.items() if value is not None)
        return {name: value for (kind, _, name), value in parts if kind == group and name}

    services: dict[str, ServiceDefinition] = {}
    for key, service in named("service").items():
        if service.name in services:
            text = f"there are two services of the name {service.name}: this one counts"
            problems.append(ConfigurationProblem(f"service.{key}", text, "warning"))
        services[service.name] = service
    templates: dict[str, TemplateDefinition] = named("template")
    triggers: dict[str, Trigger] = named("trigger")
    defaults = Defaults(values.get("defaultTriggers") or (), named("defaultTriggers"))
    raw_subscriptions: list[Subscription] = values.get("subscriptions") or []
    subscriptions = [one for entry in raw_subscriptions for one in _subscribed(entry, defaults)]
    problems += _dangling(services, templates, triggers, defaults, raw_subscriptions)
    return Configuration(
        namespace,
        services,
        templates,
        triggers,
        defaults,
        tuple(subscriptions),
        secrets,
        tuple(problems),
        limits,
        known,
    )


def _read_key(key: str, text: str, secrets: Mapping[str, bytes], before: _Read | None) -> _Read:
    group = key.partition(".")[0]
    used = tuple(sorted(one for one in secrets.items() if group == "service" and f"${one[0]}" in text))
    if before is not None and before.text == text and before.secrets == used:
        return before
    good = None if before is None else before.good if before.value is None else before.value
    try:
        value, problems = _understood(key, text, secrets)
    except ConfigurationError as error:
        keeps = "; its last good version stays in use" if good is not None else ""
        problem = ConfigurationProblem(key, error.message + keeps, field=error.field, proposal=error.proposal)
        return _Read(text, used, None, (problem,), good)
    return _Read(text, used, value, tuple(problems), value)


def _understood(key: str, text: str, secrets: Mapping[str, bytes]) -> tuple[Any, list[ConfigurationProblem]]:
    group, _, name = key.partition(".")
    if group == "service" and name:
        return _service(key, text, secrets)
    if group == "template" and name:
        template = read_template(name, load(text))
        return template, _strays(key, template.unknown)
    if group == "trigger" and name:
        trigger = read_trigger(name, load(text))
        return trigger, _strays(key, trigger.unknown, {"condition": "when", "conditions": "when", "template": "send"})
    if group == "defaultTriggers":
        holder, _ = read({"names": load(text) or []}, _Names, holder="names")
        return tuple(holder.names), []
    if key == "subscriptions":
        entries, unknown = read_subscriptions(load(text))
        for at, entry in enumerate(entries):
            try:
                Selector.parse(entry.selector)
            except ValueError as error:
                raise ConfigurationError(str(error), f"[{at}].selector") from None
        return entries, _strays(key, unknown)
    if key in LIMIT_KEYS:
        return read_limit(load(text)), []
    near = nearest(group.partition("-")[0], list(_GROUPS))
    advice = f"did you mean {near}.{name}?" if near and name else f"did you mean {near}?" if near else ""
    return None, [ConfigurationProblem(key, "this key means nothing", "warning", proposal=advice)]


class _Names(msgspec.Struct):
    names: list[str] = []


def _strays(
    key: str, unknown: Iterable[tuple[str, str]], meant: Mapping[str, str] | None = None
) -> list[ConfigurationProblem]:
    problems: list[ConfigurationProblem] = []
    for path, near in unknown:
        likely = (meant or {}).get(path.rpartition(".")[2].lower(), near)
        advice = f"did you mean {likely}?" if likely else ""
        problems.append(ConfigurationProblem(key, "this field means nothing", "warning", path, advice))
    return problems


def _service(key: str, text: str, secrets: Mapping[str, bytes]) -> tuple[ServiceDefinition, list[ConfigurationProblem]]:
    parts = key.split(".")
    if len(parts) > 3 or not all(parts):
        raise ConfigurationError(f"invalid service key; expected 'service.<type>(.<name>)' but got '{key}'")
    kind, name = parts[1], parts[-1]
    service = SERVICES.get(kind)
    if service is None:
        near = nearest(kind, list(SERVICES))
        raise ConfigurationError(
            f"service type '{kind}' is not supported", proposal=f"did you mean {near}?" if near else ""
        )
    written = load(text)
    if not isinstance(written, dict | None):
        raise ConfigurationError("expected a map of options, found a list or a text")
    given, missing = filled(written or {}, secrets)
    allowed = given.pop("allowedRecipients", None) or []
    options, unknown = read(given, service.Options)
    wrong = service.check(options)
    if wrong:
        raise ConfigurationError(wrong)
    problems = _strays(key, unknown)
    problems += [
        ConfigurationProblem(key, f"the Secret has no key {name[1:]}: the text {name} is used as it is", "warning")
        for name in missing
    ]
    patterns = tuple(str(one) for one in allowed) if isinstance(allowed, list) else (str(allowed),)
    return ServiceDefinition(name, kind, options, patterns, _secret_texts(written or {}, secrets)), problems


def _secret_texts(written: Any, secrets: Mapping[str, bytes]) -> frozenset[str]:
    """Values of the Secret that the options name."""
    shown = repr(written)
    return frozenset(value.decode("utf-8", "replace") for key, value in secrets.items() if f"${key}" in shown and value)


def _subscribed(entry: Subscription, defaults: Defaults) -> list[GlobalSubscription]:
    selector = Selector.parse(entry.selector) if entry.selector else None
    subscriptions: list[GlobalSubscription] = []
    for text in entry.recipients:
        destination = recipient_of(text)
        triggers = tuple(entry.triggers) or defaults.triggers
        subscriptions.append(GlobalSubscription(triggers, (destination,), selector))
    return subscriptions


def _dangling(
    services: Mapping[str, ServiceDefinition],
    templates: Mapping[str, TemplateDefinition],
    triggers: Mapping[str, Trigger],
    defaults: Defaults,
    subscriptions: list[Subscription],
) -> list[ConfigurationProblem]:
    """References to missing objects of the configuration."""
    problems: list[ConfigurationProblem] = []

    def refer(key: str, name: str, what: str, known: Mapping[str, Any], where: str = "") -> None:
        if name not in known:
            near = nearest(name, list(known))
            advice = f"did you mean {near}?" if near else ""
            problems.append(ConfigurationProblem(key, f"there is no {what} {name}", "warning", where, advice))

    sends = ((trigger.name, one) for trigger in triggers.values() for one in trigger.conditions)
    for trigger_name, condition in sends:
        for name in condition.send:
            refer(f"trigger.{trigger_name}", name, "template", templates, f"[{condition.index}].send")
    by_key = {"defaultTriggers": defaults.triggers}
    by_key |= {f"defaultTriggers.{service}": names for service, names in defaults.services.items()}
    for key, name in ((key, name) for key, names in by_key.items() for name in names):
        refer(key, name, "trigger", triggers)
    for at, entry in enumerate(subscriptions):
        for name in entry.triggers:
            refer("subscriptions", name, "trigger", triggers, f"[{at}].triggers")
        for text in entry.recipients:
            refer("subscriptions", recipient_of(text).service, "service", services, f"[{at}].recipients")
    return problems
