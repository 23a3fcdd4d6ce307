"""Errors in the fields of a written object, in the Kubernetes API's format."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from serinus.api.validation.findings import Finding

_WORDS = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueRequired": "Required value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueNotFound": "Not found",
    "FieldValueTooLong": "Too long",
    "InternalError": "Internal error",
}
_TYPES = {words: name for name, words in _WORDS.items() if name != "FieldValueTypeInvalid"}
_WITHOUT_VALUE = ("FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong", "InternalError")


class FieldError(msgspec.Struct, frozen=True):
    """One error. `type` is a StatusCause's reason, `value` the value found (JSON)."""

    path: str
    type: str
    value: Any = None
    detail: str = ""

    def message(self) -> str:
        """`spec.x: Invalid value: "y": why`."""
        text = f"{self.path}: {_WORDS.get(self.type, self.type)}"
        if self.type not in _WITHOUT_VALUE:
            text += ": " + json.dumps(self.value, separators=(",", ":"), ensure_ascii=False)
        return f"{text}: {self.detail}" if self.detail else text


def of_finding(finding: Finding) -> FieldError:
    """Converts a finding of the shared checks to a field error."""
    head, _, rest = finding.message.removeprefix(f"{finding.path}: ").partition(": ")
    kind = _TYPES.get(head, "FieldValueInvalid")
    if kind in _WITHOUT_VALUE:
        return FieldError(finding.path, kind, None, rest)
    try:
        value, end = json.JSONDecoder().raw_decode(rest)
    except ValueError:
        return FieldError(finding.path, kind, None, rest)
    return FieldError(finding.path, kind, value, rest[end:].removeprefix(": "))
