"""Strategic merge patch: objects merge, lists merge by the schema's key, and directives control the rest.

Source: Kubernetes' "Strategic Merge Patch" page: `$patch`, `$deleteFromPrimitiveList`, `$setElementOrder`, `$retainKeys`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from serinus.api.pods.defaults import copied
from serinus.local.schema.nodes import ANYTHING, SchemaNode
from serinus.local.schema.patching.identity import identities, identity

Json = dict[str, Any]
_DELETE, _ORDER, _RETAIN, _PATCH = "$deleteFromPrimitiveList/", "$setElementOrder/", "$retainKeys", "$patch"
_GONE = object()
_LONGEST_SHOWN = 200


class PatchError(Exception):
    """The patch is unreadable or does not apply to the object."""


def merged(node: SchemaNode, obj: Json, patch: Json) -> Json:
    """The object after the patch. Raises PatchError."""
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {k: copied(v) for k, v in patch.items() if k != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"Unknown patch type found: {directive}")
    out = dict(obj)
    if _RETAIN in patch:
        retained = identities(_list_of(patch[_RETAIN], _RETAIN))
        out = {k: v for k, v in out.items() if k in retained}
    for name, value in patch.items():
        if not name.startswith("$"):
            _field(node, out, name, value)
    _directives(node, out, patch)
    return out


def _field(node: SchemaNode, out: Json, name: str, value: Any) -> None:
    child = node.fields.get(name) or node.values or ANYTHING
    strategies, key = node.merges.get(name, (frozenset[str](), ""))
    old = out.get(name)
    if value is None:
        out.pop(name, None)
    elif isinstance(value, dict):
        if value.get(_PATCH) == "delete":
            out.pop(name, None)
        elif "replace" in strategies:
            out[name] = copied(value)
        else:
            out[name] = merged(child, old if isinstance(old, dict) else {}, value)
    elif isinstance(value, list) and "merge" in strategies:
        items: list[Any] = list(old) if isinstance(old, list) else []
        out[name] = _by_key(child.items or ANYTHING, items, value, key, name) if key else _added(items, value)
    else:
        out[name] = copied(value)


def _by_key(item: SchemaNode, old: list[Any], patch: list[Any], key: str, name: str) -> list[Any]:
    """Merges lists of objects by key; new items come last."""
    entries: list[Json] = []
    for entry in patch:
        if not isinstance(entry, dict):
            raise PatchError(f"the items of {name} must be objects, found {_cut(entry)}")
        entries.append(entry)
    if any(e == {_PATCH: "replace"} for e in entries):
        return [copied(e) for e in entries if _PATCH not in e]
    return _merged_by_key(item, old, entries, key)


def _merged_by_key(item: SchemaNode, old: list[Any], entries: list[Json], key: str) -> list[Any]:
    out: list[Any] = list(old)
    places: dict[Hashable, list[int]] = {}
    for i, have in enumerate(out):
        if isinstance(have, dict):
            places.setdefault(identity(have.get(key)), []).append(i)
    for entry in entries:
        if key not in entry:
            raise PatchError(f"map: {_cut(entry)} does not contain declared merge key: {key}")
        identifier = identity(entry[key])
        at = places.get(identifier, ())
        if entry.get(_PATCH) == "delete":
            for i in places.pop(identifier, ()):
                out[i] = _GONE
        elif at:
            out[at[0]] = merged(item, out[at[0]], entry)
        else:
            places[identifier] = [len(out)]
            out.append(merged(item, {}, {k: v for k, v in entry.items() if k != _PATCH}))
    return [have for have in out if have is not _GONE]


def _added(old: list[Any], new: list[Any]) -> list[Any]:
    have = identities(old)
    return old + [v for v in new if identity(v) not in have]


def _directives(node: SchemaNode, out: Json, patch: Json) -> None:
    for directive, value in patch.items():
        if directive.startswith(_DELETE):
            name, gone = directive.removeprefix(_DELETE), identities(_list_of(value, directive))
            if isinstance(out.get(name), list):
                out[name] = [v for v in out[name] if identity(v) not in gone]
    for directive, value in patch.items():
        if directive.startswith(_ORDER):
            name = directive.removeprefix(_ORDER)
            if isinstance(out.get(name), list):
                key = node.merges.get(name, (frozenset[str](), ""))[1]
                out[name] = _ordered(out[name], _list_of(value, directive), key)
        elif directive.startswith("$") and directive not in (_PATCH, _RETAIN) and not directive.startswith(_DELETE):
            raise PatchError(f"Unknown directive in the patch: {directive}")


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """Items in the given order; each of the others stays behind its predecessor."""

    def key_of(item: Any) -> Hashable:
        return identity(item.get(key) if key and isinstance(item, dict) else item)

    rank: dict[Hashable, int] = {}
    for i, ordered in enumerate(order):
        rank.setdefault(key_of(ordered), i)
    run: list[Any] = []
    leading, named = run, list[tuple[int, list[Any]]]()
    for item in items:
        at = rank.get(key_of(item))
        if at is None:
            run.append(item)
        else:
            run = [item]
            named.append((at, run))
    named.sort(key=lambda pair: pair[0])
    return leading + [item for _, items in named for item in items]


def _list_of(value: Any, directive: str) -> list[Any]:
    if not isinstance(value, list):
        raise PatchError(f"{directive} must be a list, found {_cut(value)}")
    return value


def _cut(value: Any) -> str:
    """The value for a message, shortened to a readable length."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
