"""Held writes: the API server refused them, or another writer undoes them.

The planner leaves a held write out and does not rely on its effects. The rest of the pass continues. The controller
stores held writes in memory (`controller/held_writes.py`). After a restart it tries the write once and gets the same answer. A
condition in the status contains the sentence, for clients that read only the status.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from serinus.api.meta import Json
from serinus.api.rollout import RolloutStatus
from serinus.engine.core.plan import Action, HeldWrite

_TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"')
"""Times differ each time the same write is planned."""

CREATED, DELETED = "created", "deleted"

SHOWN = 3
"""Writes that one sentence names; the others are counted."""


def find_held(action: Action, held: Iterable[HeldWrite], now: float) -> HeldWrite | None:
    """The held write that blocks this action; None if the action may be tried."""
    for one in held:
        if now < one.until and (one.verb, one.kind, one.name) == (action.verb, action.kind, action.name):
            if one.fields is None:
                return one
            fields = fields_of(action)
            if fields <= one.fields if one.code == "FieldConflict" else fields == one.fields:
                return one
    return None


def fields_of(action: Action) -> frozenset[str]:
    """The fields that the write sets, as `path=value`. A new object has one entry for the whole object.

    Two writes with the same fields are equivalent. The size of a new ReplicaSet is left out: it is decided last.
    """
    if action.verb == "patch":
        return frozenset(f"{path_of(parts)}={text}" for parts, text in leaves(action.body))
    if action.verb == "create":
        spec = {k: v for k, v in (action.body.get("spec") or {}).items() if k != "replicas"}
        return frozenset({f"{CREATED}={hashlib.sha256(text_of({**action.body, 'spec': spec}).encode()).hexdigest()}"})
    return frozenset({f"{DELETED}={action.uid}"})


def leaves(patch: Json, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """(keys from the top, value as `text_of` gives it) of each field that a merge patch sets; a list is one value."""
    for key, value in patch.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), text_of(value)


@lru_cache(maxsize=4096)
def path_of(parts: tuple[str, ...]) -> str:
    """The path in kubectl's form: metadata.annotations[example.com/owner]."""
    return "".join(f".{p}" if re.fullmatch(r"[A-Za-z0-9_-]+", p) else f"[{p}]" for p in parts).removeprefix(".")


def text_of(value: Any) -> str:
    """A value as JSON, with each time replaced by one placeholder."""
    text = msgspec.json.encode(value, order="sorted").decode()
    return _TIME.sub('"time"', text) if 'Z"' in text else text


def refusal(verb: str, kind: str, name: str, words: str) -> str:
    """The sentence for a refused write. `words`: the API server's message."""
    return f"cannot {verb} {kind} {name}: {words}"


def words_of(held: HeldWrite) -> str:
    """The API server's message for a refused write."""
    return held.message.removeprefix(refusal(held.verb, held.kind, held.name, ""))


def summed(held: Iterable[HeldWrite]) -> str:
    """The sentences in one. Its length is bounded for any number of held writes."""
    sentences = list(dict.fromkeys(h.message for h in held))
    rest = f"; and {len(sentences) - SHOWN} more" if len(sentences) > SHOWN else ""
    return "; ".join(sentences[:SHOWN]) + rest


def known_from(status: RolloutStatus, actions: Iterable[Action], now: float) -> tuple[HeldWrite, ...]:
    """The held writes among these actions according to the status, for clients without the controller's memory."""
    held: list[HeldWrite] = []
    for condition in status.conditions:
        text = condition.message
        if condition.type == "WriteRefused":
            refused = (a for a in actions if refusal(a.verb, a.kind, a.name, "") in text)
            held += [HeldWrite(condition.type, a.verb, a.kind, a.name, text, now + 1) for a in refused]
        elif condition.type == "FieldConflict":
            held.append(HeldWrite(condition.type, "patch", "", "", text, now + 1))
    return tuple(held)
