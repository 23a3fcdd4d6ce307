"""Field ownership: managedFields, server-side apply and its conflicts. Source: KEP-555; Kubernetes docs, "Server-Side
Apply".

A manager is identified by name, operation, version and subresource. An apply owns the applied fields. An update owns
the fields that it changed, and removes them from other managers. Applying a value that another manager owns with a
different value is a conflict, unless forced.
"""

from __future__ import annotations

from typing import Any

from serinus.local.schema.kinds import Kind
from serinus.local.schema.nodes import SchemaNode
from serinus.local.schema.patching.apply_merge import merge, removed
from serinus.local.schema.patching.field_sets import (
    OWNED,
    Fields,
    all_of,
    difference,
    granular,
    is_fields,
    own_fields,
    parts,
    repeated,
    union,
    union_of,
    words,
)

Json = dict[str, Any]
MOST_UPDATERS = 10
MOST_NAMED = 200
"""Conflicts and repeated items in one response: each has a path, and there may be as many as fields in the object."""

BEFORE = "before-first-apply"
OLDEST = "ancient-changes"


class ApplyConflict(Exception):
    """Other managers own these fields with other values. `conflicts`: (manager, field path)."""

    def __init__(self, conflicts: list[tuple[str, str]], owners: list[str], count: int = 0) -> None:
        self.conflicts = conflicts
        count = max(count, len(conflicts))
        rest = f"\n- and {count - len(conflicts)} more" if count > len(conflicts) else ""
        if len(set(owners)) == 1:
            listed = f": {conflicts[0][1]}" if count == 1 else ":" + "".join(f"\n- {path}" for _, path in conflicts)
            text = f"{'conflict' if count == 1 else 'conflicts'} with {owners[0]}{listed}"
        else:
            paths: dict[str, list[str]] = {}
            for (_, path), owner in zip(conflicts, owners, strict=True):
                paths.setdefault(owner, []).append(path)
            text = "conflicts"
            for owner, theirs in paths.items():
                text += f" with {owner}:" + "".join(f"\n- {path}" for path in theirs) + "\n"
            text = text.rstrip()
        super().__init__(f"Apply failed with {count} {'conflict' if count == 1 else 'conflicts'}: {text}{rest}")


class ApplyRefused(Exception):
    """The applied object cannot be owned: list items have the same keys."""


def apply(
    kind: Kind, live: Json | None, applied: Json, *, manager: str, force: bool, now: str, subresource: str = ""
) -> Json:
    """The object after server-side apply, managedFields included. Raises ApplyConflict and ApplyRefused."""
    if twice := repeated(kind.node, applied):
        resource, name = kind.resource, (applied.get("metadata") or {}).get("name", "")
        told = ", ".join(
            f"{words(path[:-1])}: duplicate entries for key {words(path[-1:])}" for path in twice[:MOST_NAMED]
        )
        raise ApplyRefused(
            f"failed to create typed patch object ({name}; {resource.api_version}, Kind={resource.kind}): {told}"
        )
    applied_fields = own_fields(
        all_of(kind.node, applied, containers=False), has_status=kind.has_status, subresource=subresource
    )
    if live is None:
        return {
            **applied,
            "metadata": {
                **applied.get("metadata", {}),
                "managedFields": [_entry(kind, manager, "Apply", subresource, now, applied_fields)],
            },
        }
    entries = _entries(live) or _first_owner(kind, live, now)
    mine = next((e for e in entries if _is(e, kind, manager, "Apply", subresource)), None)
    others = [e for e in entries if e is not mine]
    conflicts, owners = _conflicts(kind, live, applied, applied_fields, others)
    if conflicts and not force:
        named = [(e["manager"], words(path)) for e, path in conflicts[:MOST_NAMED]]
        raise ApplyConflict(named, owners[:MOST_NAMED], len(conflicts))
    out = merge(kind.node, live, applied)
    if mine is not None:
        out = _given_up(kind.node, out, mine.get("fieldsV1", {}), applied_fields, others)
    lost: dict[int, Fields] = {}
    for entry, path in conflicts:
        _add_path(lost.setdefault(id(entry), {}), path)
    remaining = [_without(e, lost[id(e)]) if id(e) in lost else e for e in others]
    unchanged = mine is not None and mine.get("fieldsV1") == applied_fields
    entry = _entry(
        kind, manager, "Apply", subresource, mine.get("time", now) if mine and unchanged else now, applied_fields
    )
    out["metadata"] = {
        **out.get("metadata", {}),
        "managedFields": _sorted([e for e in remaining if e is not None] + [entry]),
    }
    return out


def track(kind: Kind, old: Json | None, new: Json, *, manager: str, now: str, subresource: str = "") -> list[Json]:
    """The managedFields of `new` after `manager` wrote it over `old` without apply: new entries, no modifications."""
    entries = _entries(new) if _has_entries(new) else _entries(old or {})
    changed, gone = _compared(kind.node, old or {}, new)
    changed, gone = (own_fields(f, has_status=kind.has_status, subresource=subresource) for f in (changed, gone))
    if not changed and not gone:
        return entries
    taken = union(changed, gone) if changed and gone else changed or gone
    out: list[Json] = []
    mine: Json | None = None
    for entry in entries:
        if _is(entry, kind, manager, "Update", subresource):
            mine = entry
        elif (left := _without(entry, taken)) is not None:
            out.append(left)
    before = mine.get("fieldsV1", {}) if mine else {}
    rest = (difference(before, gone) or {}) if before and gone else before
    fields = union(rest, changed) if rest and changed else rest or changed
    if fields:
        time = mine.get("time", now) if mine and fields == before else now
        out.append(_entry(kind, manager, "Update", subresource, time, fields))
    return _sorted(_capped(out))


def _compared(node: SchemaNode, old: Any, new: Any) -> tuple[Fields, Fields]:
    """(added or changed, removed) fields of two granular values."""
    before, after = parts(node, old), parts(node, new)
    changed: Fields = {}
    gone: Fields = {}
    for key, (below, value) in after.items():
        if key not in before:
            fields = all_of(below, value, containers=True)
            changed[key] = {OWNED: {}, **fields} if fields and (key[0] != "f" or not below.fields) else fields
            continue
        was = before[key][1]
        if was is value or was == value:
            continue
        if granular(below, value) and granular(below, was):
            inner, lost = _compared(below, was, value)
            if inner:
                changed[key] = inner
            if lost:
                gone[key] = lost
        else:
            changed[key] = {}
    for key, (below, value) in before.items():
        if key not in after:
            fields = all_of(below, value, containers=True)
            gone[key] = {OWNED: {}, **fields} if fields else {}
    return changed, gone


def _conflicts(
    kind: Kind, live: Json, applied: Json, applied_fields: Fields, others: list[Json]
) -> tuple[list[tuple[Json, tuple[str, ...]]], list[str]]:
    """Fields that other managers own and for which the applied object has another value."""
    different: list[tuple[str, ...]] = []
    _different(kind.node, live, applied, applied_fields, (), different)
    paths: Fields = {}
    for path in different:
        _add_path(paths, path)
    order = {path: i for i, path in enumerate(different)}
    conflicts: list[tuple[Json, tuple[str, ...]]] = []
    owners: list[str] = []
    for entry in others if different else ():
        theirs: list[tuple[str, ...]] = []
        _shared(paths, entry.get("fieldsV1", {}), (), theirs)
        conflicts += [(entry, path) for path in sorted(theirs, key=order.__getitem__)]
        owners += [_described(entry)] * len(theirs)
    return conflicts, owners


def _different(
    node: SchemaNode,
    live: Any,
    applied: Any,
    applied_fields: Fields,
    path: tuple[str, ...],
    paths: list[tuple[str, ...]],
) -> None:
    have = parts(node, live)
    for key, (below, value) in parts(node, applied).items():
        if key not in applied_fields or key not in have:
            continue
        was = have[key][1]
        if was == value:
            continue
        if granular(below, value) and granular(below, was) and applied_fields[key]:
            _different(below, was, value, applied_fields[key], (*path, key), paths)
        elif not (granular(below, value) and granular(below, was)):
            paths.append((*path, key))


def _shared(paths: Fields, fields: Fields, path: tuple[str, ...], leaves: list[tuple[str, ...]]) -> None:
    """Adds the leaves of `paths` that are in `fields`. The smaller set determines the running time."""
    if not paths:
        leaves.append(path)
        return
    for key in paths if len(paths) <= len(fields) else fields:
        if key in paths and key in fields:
            _shared(paths[key], fields[key], (*path, key), leaves)


def _given_up(node: SchemaNode, out: Json, before: Fields, applied_fields: Fields, others: list[Json]) -> Json:
    """The object without fields of the previous apply that are neither applied now nor owned by another manager."""
    dropped = difference(before, applied_fields)
    if dropped and others:
        dropped = difference(dropped, union_of(_with_parents(entry.get("fieldsV1", {})) for entry in others))
    return removed(node, out, dropped) if dropped else out


def _with_parents(fields: Fields) -> Fields:
    """The set with its containers: an owner of a list item's part keeps the item."""
    return {OWNED: {}, **{k: _with_parents(v) if v else v for k, v in fields.items()}}


def _add_path(fields: Fields, path: tuple[str, ...]) -> None:
    """Adds a leaf to the set. No path may pass through another path's leaf."""
    for key in path:
        fields = fields.setdefault(key, {})


def _entries(obj: Json) -> list[Json]:
    """The readable entries. Clients may send invalid ones; others were stored before validation existed."""
    entries: Any = (obj.get("metadata") or {}).get("managedFields") or []
    return [entry for entry in entries if _readable(entry)]


def _has_entries(obj: Json) -> bool:
    """Whether the object has managedFields. As in kube-apiserver, one unreadable entry invalidates all."""
    entries: Any = (obj.get("metadata") or {}).get("managedFields")
    return isinstance(entries, list) and all(_readable(entry) for entry in entries)


def _readable(entry: Any) -> bool:
    if not isinstance(entry, dict) or not entry.get("manager") or not is_fields(entry.get("fieldsV1")):
        return False
    return all(
        isinstance(entry.get(name, ""), str) for name in ("manager", "operation", "apiVersion", "time", "subresource")
    )


def _first_owner(kind: Kind, live: Json, now: str) -> list[Json]:
    """The entry of an unknown writer, for an object without managedFields."""
    fields = own_fields(_compared(kind.node, {}, live)[0], has_status=False, subresource="")
    return [_entry(kind, BEFORE, "Update", "", now, fields)]


def _entry(kind: Kind, manager: str, operation: str, subresource: str, time: str, fields: Fields) -> Json:
    entry: Json = {
        "manager": manager,
        "operation": operation,
        "apiVersion": kind.resource.api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return entry | ({"subresource": subresource} if subresource else {})


def _is(entry: Json, kind: Kind, manager: str, operation: str, subresource: str) -> bool:
    return (
        entry["manager"] == manager
        and entry.get("operation") == operation
        and entry.get("subresource", "") == subresource
        and entry.get("apiVersion") == kind.resource.api_version
    )


def _described(entry: Json) -> str:
    sub = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
    version = f" using {entry.get('apiVersion', '')}" if entry.get("operation") == "Update" else ""
    return f'"{entry["manager"]}"{sub}{version}'


def _without(entry: Json, fields: Fields) -> Json | None:
    """The entry without these fields; None if it owns no others."""
    left = difference(entry["fieldsV1"], fields)
    return None if left is None else {**entry, "fieldsV1": left}


def _sorted(entries: list[Json]) -> list[Json]:
    """Sorts apply entries first, then by time and name."""
    return sorted(entries, key=lambda e: (e.get("operation") != "Apply", e.get("time", ""), e["manager"]))


def _capped(entries: list[Json]) -> list[Json]:
    """Limits the list to ten updaters: the oldest are merged into one."""
    updaters = sorted((e for e in entries if e.get("operation") == "Update"), key=lambda e: e.get("time", ""))
    surplus = len(updaters) - MOST_UPDATERS
    if surplus <= 0:
        return entries
    ancient = updaters[: surplus + 1]
    fields = union_of(entry["fieldsV1"] for entry in ancient)
    old = {id(entry) for entry in ancient}
    merged = {**ancient[-1], "manager": OLDEST, "fieldsV1": fields}
    merged.pop("subresource", None)
    return [e for e in entries if id(e) not in old] + [merged]
