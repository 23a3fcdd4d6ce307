"""Query parameters: a value of the wrong type is refused with the parameter and the value found."""

from __future__ import annotations

from collections.abc import Mapping

from serinus.local.apiserver.errors import StatusError, bad_request

LARGEST = 2**63 - 1
_SHOWN = 100
_TRUE, _FALSE = ("", "1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
"""A parameter without a value (`?watch`) is true, as in kube-apiserver."""


def shown(value: object) -> str:
    """A value for a message, shortened to a readable length."""
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def invalid_parameter(name: str, value: object, rule: str) -> StatusError:
    return bad_request(f'{name}: Invalid value: "{shown(value)}": {rule}')


def number(value: object) -> int | None:
    """The signed 64-bit integer of a text or number; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str):
        digits = value.removeprefix("-")
        # Not str.isdigit alone: it accepts other scripts' digits, and int() refuses thousands of digits.
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
            return None
        value = int(value)
    return value if -LARGEST <= value <= LARGEST else None


def whole(query: Mapping[str, str], name: str, *, least: int = -LARGEST) -> int | None:
    """The number of this parameter; None if absent or empty. Raises 400 if it is not a number or is below `least`."""
    text = query.get(name, "")
    if not text:
        return None
    value = number(text)
    if value is None or value < least:
        rule = "must be a whole number" + ("" if least < 0 else f", {least} or more")
        raise invalid_parameter(name, text, rule)
    return value


def truth(query: Mapping[str, str], name: str) -> bool:
    """Whether this parameter is true; False if absent. Raises 400 for any other text."""
    text = query.get(name)
    if text is None or text in _FALSE:
        return False
    if text not in _TRUE:
        raise invalid_parameter(name, text, "must be true or false")
    return True


def one_of(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The value of this parameter, "" if absent. Raises 400 for an unsupported value."""
    text = query.get(name, "")
    if text and text not in choices:
        raise invalid_parameter(name, text, "supported values: " + ", ".join(f'"{choice}"' for choice in choices))
    return text
