"""The object's record of sent conditions: the reference's annotation, parsed and limited in size.

Key: `[<oncePer value>:][<namespace of the ConfigMap>:]<trigger>:[<i>].<hash>:<service>:<recipient>`, value: Unix
seconds. If there are too many entries, those of a condition become one, whose `~` and digests stand for the
destinations.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

import msgspec

from serinus.notifications.subscriptions import Destination
from serinus.notifications.triggers import TriggerCondition

MOST_ENTRIES = 30
MOST_BYTES = 4096
LONGEST = 120
"""Characters of a value or a recipient. Longer ones are stored as a digest."""

DIGEST = 6
"""Characters of the digest of a destination. Two of 1,000 destinations have the same one with a chance of 1 in 8,000."""

_KEY = re.compile(r"(.*?\[\d+\]\.[\w-]{27}):(.+)", re.DOTALL)
"""A condition and its destination."""

State = dict[str, int]


def key_of(
    trigger: str, condition: TriggerCondition, to: Destination, *, once: str | None = None, namespace: str = ""
) -> str:
    """`namespace`: of a ConfigMap outside the controller's own namespace. `once`: the value of oncePer."""
    parts = [] if once is None else [_short(once)]
    parts += [namespace] if namespace else []
    return ":".join([*parts, trigger, condition.key, to.service, _short(to.recipient)])


def full_key_of(
    trigger: str, condition: TriggerCondition, to: Destination, *, once: str | None = None, namespace: str = ""
) -> str:
    """The key as the reference writes it, in full length."""
    parts = [] if once is None else [once]
    parts += [namespace] if namespace else []
    return ":".join([*parts, trigger, condition.key, to.service, to.recipient])


def spellings(
    trigger: str, condition: TriggerCondition, to: Destination, *, once: str | None = None, namespace: str = ""
) -> tuple[str, ...]:
    """All keys under which the record may have a message, the own one first."""
    key = key_of(trigger, condition, to, once=once, namespace=namespace)
    full = full_key_of(trigger, condition, to, once=once, namespace=namespace)
    return tuple(dict.fromkeys((key, full, "".join(_digested(key)))))


def _digested(key: str) -> tuple[str, str]:
    """(the key up to its destination and `~`, a digest of the destination). The digest is "" for another text."""
    match = _KEY.fullmatch(key)
    if match is None:
        return key, ""
    before, to = match.groups()
    if to.startswith("~"):
        return f"{before}:~", to[1:]
    digest = hashlib.sha1(to.encode(), usedforsecurity=False).digest()[:4]
    return f"{before}:~", base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return "~" + hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def read_state(text: str) -> State:
    """The entries of the annotation; none if it cannot be read."""
    try:
        entries = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {
        one: int(value)
        for key, value in entries.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
        for one in _unpacked(key)
    }


def _unpacked(key: str) -> list[str]:
    """The keys of the destinations of an entry."""
    before, mark, digests = key.rpartition(":~")
    if not mark or _KEY.fullmatch(key) is None or len(digests) % DIGEST or _digested(key)[1] != digests:
        return [key]
    return [f"{before}:~{digests[at : at + DIGEST]}" for at in range(0, len(digests), DIGEST)]


def _packed(state: Mapping[str, int]) -> State:
    """One entry for each condition with several destinations, as old as its newest destination."""
    groups: dict[str, dict[str, str]] = {}
    for key in sorted(state):
        before, digest = _digested(key)
        groups.setdefault(before, {})[digest] = key
    packed: State = {}
    for before, keys in groups.items():
        key = before + "".join(sorted(keys)) if len(keys) > 1 else next(iter(keys.values()))
        packed[key] = max(state[one] for one in keys.values())
    return packed


def written(state: Mapping[str, int]) -> str:
    """The annotation: sorted keys, at most MOST_ENTRIES of the newest and MOST_BYTES. "" without entries."""
    if len(state) > MOST_ENTRIES or sum(len(key) + 14 for key in state) > MOST_BYTES:
        state = _packed(state)
    newest = sorted(state.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_ENTRIES]
    while newest:
        text = msgspec.json.encode(dict(sorted(newest))).decode()
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        if len(text) <= MOST_BYTES:
            return text
        newest.pop()
    return ""
