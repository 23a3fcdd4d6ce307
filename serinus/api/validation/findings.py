"""Errors in an object: a finding names the field, the value found and the expected value.

The texts have Kubernetes' form: `<path>: Invalid value: <JSON>: <message>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from serinus.api.messages.cutting import shortened
from serinus.api.pods import go_json

SHOWN = 1_000
"""Characters of a value that a message shows."""


class Finding(msgspec.Struct, frozen=True):
    """One error. `message` is the whole text, including `path` (which is "" for the whole object)."""

    path: str
    message: str
    missing: tuple[str, str] | None = None
    """(kind, name) of the missing referenced object, if any. The finding disappears when the object appears."""
    of_update: bool = False
    """Whether the finding affects only updates, and neither running versions nor the first one."""


def invalid(path: str, value: Any, message: str, *, missing: tuple[str, str] | None = None) -> Finding:
    return Finding(path, f"{path}: Invalid value: {_shown(value)}: {message}", missing)


def of_update(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The same findings, marked as affecting only updates."""
    return (msgspec.structs.replace(finding, of_update=True) for finding in findings)


def required(path: str, message: str = "") -> Finding:
    return Finding(path, f"{path}: Required value" + (f": {message}" if message else ""))


def duplicate(path: str, value: Any) -> Finding:
    return Finding(path, f"{path}: Duplicate value: {_shown(value)}")


def not_found(path: str, value: Any) -> Finding:
    return Finding(path, f"{path}: Not found: {_shown(value)}")


def forbidden(path: str, message: str) -> Finding:
    return Finding(path, f"{path}: Forbidden: {message}")


def not_supported(path: str, value: str, *supported: str) -> Finding:
    choices = ", ".join(_shown(choice) for choice in supported)
    return Finding(path, f"{path}: Unsupported value: {_shown(value)}: supported values: {choices}")


def internal(path: str, message: str) -> Finding:
    return Finding(path, f"{path}: Internal error: {message}")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(shortened(value, SHOWN), ensure_ascii=False)
    plain = msgspec.to_builtins(value)
    return shortened(json.dumps(plain, separators=(",", ":"), ensure_ascii=False).translate(go_json.UNSAFE), SHOWN)
