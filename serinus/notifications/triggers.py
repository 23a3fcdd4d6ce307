"""Triggers: conditions, and the templates that they send."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serinus.analysis.expr.errors import ConditionError
from serinus.analysis.expr.expression import Expression
from serinus.notifications.fields import read
from serinus.notifications.problems import ConfigurationError


class _Written(msgspec.Struct, rename="camel"):
    when: str = ""
    send: list[str] = []
    once_per: str = ""
    description: str = ""


class _Holder(msgspec.Struct):
    conditions: list[_Written] = []


@dataclass(frozen=True, slots=True)
class TriggerCondition:
    """One entry of a trigger. `key`: its name in the state of an object, `[i].hash`."""

    index: int
    when_text: str
    send: tuple[str, ...]
    once_per_text: str = ""
    description: str = ""
    when: Expression | None = field(default=None, compare=False)
    once_per: Expression | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        digest = hashlib.sha1(self.when_text.encode(), usedforsecurity=False).digest()
        return f"[{self.index}].{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


@dataclass(frozen=True, slots=True)
class Trigger:
    name: str
    conditions: tuple[TriggerCondition, ...]
    unknown: tuple[tuple[str, str], ...] = ()
    """Unknown fields, with the most similar known ones."""


def read_trigger(name: str, value: Any) -> Trigger:
    """The trigger of a configuration's key. ConfigurationError names the field."""
    if value is not None and not isinstance(value, list):
        raise ConfigurationError(
            "expected a list of conditions, found a map or a text", proposal="begin each one with '- '"
        )
    holder, unknown = read({"conditions": value or []}, _Holder, holder="conditions")
    conditions: list[TriggerCondition] = []
    for index, written in enumerate(holder.conditions):
        where = f"[{index}]"
        conditions.append(
            TriggerCondition(
                index,
                written.when,
                tuple(written.send),
                written.once_per,
                written.description,
                _expression(written.when, f"{where}.when"),
                _expression(written.once_per, f"{where}.oncePer"),
            )
        )
    return Trigger(name, tuple(conditions), tuple(unknown))


def _expression(text: str, where: str) -> Expression | None:
    if not text.strip():
        return None
    try:
        return Expression(text)
    except ConditionError as error:
        raise ConfigurationError(f"cannot read {text!r}: {error}", where) from None
