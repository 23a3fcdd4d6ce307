"""The object's record of sent conditions: the reference's annotation, parsed and limited in size.

Key: `[<oncePer value>:][<namespace of the ConfigMap>:]<trigger>:[<i>].<hash>:<service>:<recipient>`, value: Unix
seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from serinus.notifications.subscriptions import Destination
from serinus.notifications.triggers import Condition

MOST_ENTRIES = 30
MOST_BYTES = 4096
LONGEST = 120
"""Characters of a value or a recipient. Longer ones are stored as a digest."""

State = dict[str, int]


def key_of(trigger: str, condition: Condition, to: Destination, *, once: str | None = None, namespace: str = "") -> str:
    """`namespace`: of a ConfigMap outside the controller's own namespace. `once`: the value of oncePer."""
    parts = [] if once is None else [_short(once)]
    parts += [namespace] if namespace else []
    return ":".join([*parts, trigger, condition.key, to.service, _short(to.recipient)])


def full_key_of(
    trigger: str, condition: Condition, to: Destination, *, once: str | None = None, namespace: str = ""
) -> str:
    """The key as the reference writes it, in full length."""
    parts = [] if once is None else [once]
    parts += [namespace] if namespace else []
    return ":".join([*parts, trigger, condition.key, to.service, to.recipient])


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return "~" + hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def read_state(text: str) -> State:
    """The entries of the annotation; none if it cannot be read."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        key: int(value)
        for key, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def written(state: Mapping[str, int]) -> str:
    """The annotation: sorted keys, at most MOST_ENTRIES of the newest and MOST_BYTES. "" without entries."""
    newest = sorted(state.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_ENTRIES]
    while newest:
        text = msgspec.json.encode(dict(sorted(newest))).decode()
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        if len(text) <= MOST_BYTES:
            return text
        newest.pop()
    return ""
