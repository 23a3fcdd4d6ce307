"""Writes that are held back for a while: the API server refused them, or another writer undoes them.

The planner leaves such a write out and relies on nothing that would follow from it; everything else of the pass goes on. The
controller remembers what is held back (`controller/held.py`). A controller that starts anew remembers nothing: it tries the
write once and gets the same answer. The status keeps the sentence in a condition, for everybody who sees no more than that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from serinus.api.meta import Json
from serinus.api.rollout import RolloutStatus
from serinus.engine.core.plan import Action, HeldWrite

_TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"')
"""A moment differs each time that the same write is planned."""

CREATED, DELETED = "created", "deleted"

SHOWN = 3
"""Writes that one sentence names; the others are counted."""


def find_held(action: Action, held: Iterable[HeldWrite], now: float) -> HeldWrite | None:
    """What holds this write back; None where it may be tried."""
    for one in held:
        if now < one.until and (one.verb, one.kind, one.name) == (action.verb, action.kind, action.name):
            if one.fields is None:
                return one
            fields = fields_of(action)
            if fields <= one.fields if one.code == "FieldConflict" else fields == one.fields:
                return one
    return None


def fields_of(action: Action) -> frozenset[str]:
    """What the write sets, as `path=value`: each field of a patch; for a new object one entry that stands for all of it.

    Two writes with the same fields mean the same. The size of a new ReplicaSet is left out, which is decided last.
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


def path_of(parts: Iterable[str]) -> str:
    """As kubectl writes it: metadata.annotations[example.com/owner]."""
    return "".join(f".{p}" if re.fullmatch(r"[A-Za-z0-9_-]+", p) else f"[{p}]" for p in parts).removeprefix(".")


def text_of(value: Any) -> str:
    """A value as JSON, in which all moments are alike."""
    return _TIME.sub('"time"', msgspec.json.encode(value, order="sorted").decode())


def refusal(verb: str, kind: str, name: str, words: str) -> str:
    """The sentence of a refused write. `words`: of the API server."""
    return f"cannot {verb} {kind} {name}: {words}"


def words_of(held: HeldWrite) -> str:
    """What the API server said of a refused write."""
    return held.message.removeprefix(refusal(held.verb, held.kind, held.name, ""))


def summed(held: Iterable[HeldWrite]) -> str:
    """The sentences in one, which is bounded however many writes are held back."""
    sentences = list(dict.fromkeys(h.message for h in held))
    rest = f"; and {len(sentences) - SHOWN} more" if len(sentences) > SHOWN else ""
    return "; ".join(sentences[:SHOWN]) + rest


def known_from(status: RolloutStatus, actions: Iterable[Action], now: float) -> tuple[HeldWrite, ...]:
    """What is held back of these actions as the status tells it, for who does not see what the controller remembers."""
    found: list[HeldWrite] = []
    for condition in status.conditions:
        text = condition.message
        if condition.type == "WriteRefused":
            refused = (a for a in actions if refusal(a.verb, a.kind, a.name, "") in text)
            found += [HeldWrite(condition.type, a.verb, a.kind, a.name, text, now + 1) for a in refused]
        elif condition.type == "FieldConflict":
            found.append(HeldWrite(condition.type, "patch", "", "", text, now + 1))
    return tuple(found)
