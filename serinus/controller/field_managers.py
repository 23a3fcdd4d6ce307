"""Finds the field manager that changes a field back, from one read of metadata.managedFields after repeated writes.

The cache does not hold managedFields, which would double its size.
"""

from __future__ import annotations

from typing import Any

from serinus.api.messages.counted import counted
from serinus.api.meta import Json
from serinus.api.resources import Resource
from serinus.api.served_kind import located
from serinus.engine.core.held_writes import leaves, path_of, text_of
from serinus.engine.core.plan import Action
from serinus.kube.client import Client
from serinus.kube.errors import NotFound

MANAGERS = 3
"""Maximum names in one sentence."""

LONGEST_VALUE = 80


async def sentence(client: Client, resource: Resource, namespace: str, action: Action) -> str:
    """Names the field and the manager that changes it back; "" if the object has the written values.

    ApiError if the API cannot be read.
    """
    what = f"{action.kind} {action.name}"
    try:
        space, name = located(action.name, namespace)
        live = await client.get(resource, name, space)
    except NotFound:
        return f"{what} was created several times, and another client deletes it each time"
    if action.verb != "patch":
        return ""
    undone = [(parts, text) for parts, text in leaves(action.body) if _value(live, parts) != text]
    if not undone:
        return ""
    parts, text = undone[0]
    more = f" (and {counted(len(undone) - 1, 'more field')})" if len(undone) > 1 else ""
    desired = "removed" if text == "null" else f"set to {_short(text)}"
    return (
        f"{path_of(parts)}{more} of {what} is {desired} and changed back each time: {_who(live, parts, client.manager)}"
    )


def _who(live: Json, parts: tuple[str, ...], ours: str) -> str:
    entries = [e for e in live["metadata"].get("managedFields") or [] if e.get("manager") not in (None, "", ours)]
    entries.sort(key=lambda e: e.get("time") or "", reverse=True)
    owners = _names(e for e in entries if _owns(e.get("fieldsV1") or {}, parts))
    if owners:
        return f"the field belongs to the field manager {owners} (metadata.managedFields)"
    # A removed field leaves no entry for the client that removed it, nor does a webhook. Other managers are only
    # candidates.
    others = _names(e for e in entries if not e.get("subresource"))
    also = f"; the object is also written by {others}" if others else ""
    return f"metadata.managedFields does not name who does it, the API server's audit log does{also}"


def _names(entries: Any) -> str:
    names = list(dict.fromkeys(f'"{e["manager"]}"' for e in entries))
    return ", ".join(names[:MANAGERS])


def _owns(fields: Json, parts: tuple[str, ...]) -> bool:
    """Whether fieldsV1 contains this field, or a parent that is owned as a whole."""
    for part in parts:
        below = fields.get(f"f:{part}")
        if below is None:
            return False
        if not below:
            return True
        fields = below
    return True


def _value(live: Json, parts: tuple[str, ...]) -> str:
    value: Any = live
    for part in parts:
        value = value.get(part) if isinstance(value, dict) else None
    return text_of(value)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
