"""The reports of gateways about a route: `status.parents`. Source: Gateway API, RouteParentStatus.

A controller sets the conditions Accepted and ResolvedRefs of each parent, with the generation of the route that they
are about. A parent without these conditions says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.routing.confirmations import is_behind, is_late, is_refused

Json = dict[str, Any]
Parent = tuple[Any, ...]


def unconfirmed(kind: str, name: str, route: Json) -> str | None:
    """Why the route is not in force at all of its gateways, as a sentence; "" if it is. None if none of them reports."""
    answers = list(_answers(kind, name, route))
    return next(filter(None, answers), "") if answers else None


def _answers(kind: str, name: str, route: Json) -> Iterator[str]:
    meta = route["metadata"]
    space, generation = str(meta.get("namespace") or ""), meta.get("generation")
    reports = list(_reports(route, space))
    # A controller that is gone leaves its report. Another controller's report about the same parent replaces it.
    known = {parent for parent, conditions in reports if not _behind(conditions, generation)}
    for parent, conditions in reports:
        late = _behind(conditions, generation)
        if late and parent in known:
            continue
        reporter = f"{parent[0]} {parent[2]}/{parent[1]}"
        refused = next((each for each in conditions if each.get("status") != "True"), None)
        if late:
            yield is_late(kind, name, reporter, late[0].get("observedGeneration"), generation)
        else:
            yield is_refused(kind, name, reporter, refused) if refused is not None else ""


def _reports(route: Json, space: str) -> Iterator[tuple[Parent, list[Json]]]:
    """(parent of the route, its conditions) where it has any."""
    status = route.get("status")
    named = [_parent(ref, space) for ref in _objects(route["spec"].get("parentRefs"))]
    for each in _objects(status.get("parents")) if isinstance(status, dict) else []:
        ref = each.get("parentRef")
        if isinstance(ref, dict) and (parent := _parent(ref, space)) in named:
            conditions = [c for c in _objects(each.get("conditions")) if c.get("type") in ("Accepted", "ResolvedRefs")]
            if conditions:
                yield parent, conditions


def _behind(conditions: list[Json], generation: Any) -> list[Json]:
    return [each for each in conditions if is_behind(each.get("observedGeneration"), generation)]


def _parent(ref: Json, space: str) -> Parent:
    """(kind, name, namespace, section, port); kind and namespace have defaults."""
    parts = (ref.get("kind") or "Gateway", ref.get("name"), ref.get("namespace") or space)
    return tuple(str(part) for part in (*parts, ref.get("sectionName"), ref.get("port")))


def _objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
