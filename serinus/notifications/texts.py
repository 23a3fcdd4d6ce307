"""Renders the templates of a configuration: one message with a section for each type of service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serinus.notifications.fields import nearest, read
from serinus.notifications.problems import ConfigurationError
from serinus.notifications.services.registry import SECTIONS
from serinus.notifications.step_numbers import adds_one
from serinus.notifications.templates.errors import TemplateError
from serinus.notifications.templates.template import Template

MESSAGE = "message"
PER_SERVICE = "webhook"
"""The section with a part for each service name."""

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A section: its values as written, and its texts that are templates."""

    kind: type[msgspec.Struct]
    values: dict[str, Any]
    templates: tuple[tuple[Place, Template], ...]

    def render(self, variables: Mapping[str, Any], now: float, where: str) -> dict[str, Any]:
        rendered = _copied(self.values)
        for place, template in self.templates:
            try:
                text = template.render(variables, now)
            except TemplateError as error:
                raise TemplateError(f"{where}.{_shown(place)}: {error}") from None
            _put(rendered, place, text)
        return rendered


@dataclass(frozen=True, slots=True)
class TemplateDefinition:
    """One `template.<name>`. `parts`: by section, those of webhooks by `webhook.<service name>`."""

    name: str
    message: Template | None
    parts: Mapping[str, Part]
    source: Any = field(compare=False, default=None)
    """The source as written."""
    unknown: tuple[tuple[str, str], ...] = ()
    adds_one: bool = False
    """Whether the template adds 1 to the step index, as templates for Argo Rollouts do (`step_numbers`)."""


@dataclass(frozen=True, slots=True)
class Notification:
    """`section`: the rendered section of the requested type; None if no template has one."""

    message: str
    section: Any = None


def read_template(name: str, value: Any) -> TemplateDefinition:
    """The template of a configuration's key. ConfigurationError names the field, the line in it, and a proposal."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigurationError(
            "expected a map with 'message' or parts for services, found a text", proposal="write {message: ..}"
        )
    message = _message(value)
    parts: dict[str, Part] = {}
    unknown: list[tuple[str, str]] = []
    known = {field.lower(): field for field in (MESSAGE, *SECTIONS)}
    for written, given in value.items():
        section = known.get(written.lower())
        if section is None:
            unknown.append((written, nearest(written, list(known.values()))))
        elif section == PER_SERVICE:
            parts |= _parts_of_services(section, given, unknown)
        elif section != MESSAGE and given is not None:
            parts[section] = _part(section, given, section, unknown)
    counts = any(adds_one(text) for _, text in _texts(value, ()))
    return TemplateDefinition(name, message, parts, value, tuple(unknown), counts)


def _message(value: Mapping[str, Any]) -> Template | None:
    """The text for services without a section of their own; None if the template has none."""
    message: Template | None = None
    for written, given in value.items():
        if written.lower() == MESSAGE.lower():
            if not isinstance(given, str | None):
                raise ConfigurationError("expected a text", MESSAGE)
            message = _template(given or "", MESSAGE)
    return message


def _parts_of_services(section: str, given: Any, unknown: list[tuple[str, str]]) -> dict[str, Part]:
    if not isinstance(given, dict | None):
        raise ConfigurationError("expected a map from the names of services to their parts", section)
    fields = ((f"{section}.{service}", each) for service, each in (given or {}).items())
    return {where: _part(section, each, where, unknown) for where, each in fields}


def _part(section: str, given: Any, where: str, unknown: list[tuple[str, str]]) -> Part:
    kind = SECTIONS[section].Section
    fields, more = read(given if given is not None else {}, kind, where)
    unknown += more
    values: dict[str, Any] = msgspec.to_builtins(fields)
    templates = [(place, _template(text, f"{where}.{_shown(place)}")) for place, text in _texts(values, ())]
    return Part(kind, values, tuple(one for one in templates if not one[1].plain))


def _template(text: str, where: str) -> Template:
    try:
        return Template(text)
    except TemplateError as error:
        raise ConfigurationError(str(error), where, _advice(error.message)) from None


def _advice(message: str) -> str:
    if "'['" in message:
        return 'write (index .list 0).field, or index .map "key"'
    if "bad character" in message and any(mark in message for mark in ("'-'", "'/'")):
        return 'a key with - or / is read with: index .map "the/key"'
    if message.startswith('unexpected "\\'):
        return "quotes inside {{ }} are not escaped"
    return ""


def _texts(value: Any, place: Place) -> list[tuple[Place, str]]:
    if isinstance(value, str):
        return [(place, value)]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [text for key, item in pairs for text in _texts(item, (*place, key))]


def _shown(place: Place) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _put(value: Any, place: Place, text: str) -> None:
    for step in place[:-1]:
        value = value[step]
    value[place[-1]] = text


def render(
    definitions: Sequence[TemplateDefinition], service: str, kind: str, variables: Mapping[str, Any], now: float
) -> Notification:
    """One notification from several templates, for a type of service. TemplateError names template and field.

    A message that is not empty replaces that of an earlier template. Sections of most types are replaced as a whole.
    """
    owner = next((one for one in SECTIONS.values() if one.type == kind), None)
    message = ""
    merged: dict[str, Any] | None = None
    section: type[msgspec.Struct] | None = None
    for definition in definitions:
        try:
            if definition.message is not None:
                message = definition.message.render(variables, now) or message
        except TemplateError as error:
            raise TemplateError(f"template {definition.name}: message: {error}") from None
        if owner is None:
            continue
        part = definition.parts.get(f"{PER_SERVICE}.{service}" if owner.section == PER_SERVICE else owner.section)
        if part is None:
            continue
        values = part.render(variables, now, f"template {definition.name}: {owner.section}")
        if owner.merges and merged is not None:
            values = merged | {key: value for key, value in values.items() if value}
        merged, section = values, part.kind
    if section is None:
        return Notification(message)
    return Notification(message, msgspec.convert(merged, section))
