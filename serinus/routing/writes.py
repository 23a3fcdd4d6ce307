"""Writes of routers: create, edit or delete an object. Fields of other writers are unchanged.

An edit is a JSON merge patch with the observed version as precondition. A merge patch replaces a list as a whole. If an
entry changes, the other entries are sent as read, and the precondition protects concurrent changes. A JSON patch by
index would need the same precondition, and fails with 422 instead of 409 on a mismatch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from serinus.api.decoding.merge_patch import difference
from serinus.api.pods.defaults import copied
from serinus.api.served_kind import ServedKind, located, unserved
from serinus.routing.router import Json, Objects, Traffic, Write


def edited(
    kind: ServedKind,
    name: str,
    seen: Json,
    edit: Callable[[Json], None],
    because: str,
    *,
    reason: str = "",
    message: str = "",
) -> tuple[Write, ...]:
    """The patch from `seen` to the result of `edit` on a copy; nothing if both are equal. `name` as in `Reference`."""
    after = copied(seen)
    edit(after)
    patch = difference(seen, after)
    if not patch:
        return ()
    meta = seen["metadata"]
    uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
    return (Write("patch", kind.key, name, patch, because, reason, message, uid, version),)


def created(
    kind: ServedKind,
    name: str,
    body: Json,
    because: str,
    *,
    traffic: Traffic,
    objects: Objects,
    owned: bool = True,
    reason: str = "",
    message: str = "",
) -> Write:
    """A new object, in the version that the API server serves. `owned`: deleted with the Rollout."""
    space, own = located(name, traffic.namespace)
    metadata: Json = {**(body.get("metadata") or {}), "name": own, "namespace": space}
    if owned:
        metadata["ownerReferences"] = [traffic.owner]
    whole = {"apiVersion": f"{kind.group}/{objects.version(kind)}", "kind": kind.kind, **body, "metadata": metadata}
    return Write("create", kind.key, name, whole, because, reason, message)


def removed(kind: ServedKind, name: str, seen: Json, because: str, *, reason: str = "", message: str = "") -> Write:
    """The deletion of the observed object, but of no later one with its name."""
    meta = seen["metadata"]
    uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
    return Write("delete", kind.key, name, {}, because, reason, message, uid, version)


def controls(uid: str, seen: Json) -> bool:
    """Whether the Rollout with this uid controls the object."""
    owners: list[Json] = seen["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


def weight_reason(traffic: Traffic) -> str:
    """The reason of a write that changes weights."""
    return f"the canary gets {traffic.weight} of {traffic.max_weight}"


def foreign_weights(
    backends: Iterable[Json], traffic: Traffic, default: int = 0, *, key: str = "name"
) -> dict[str, int]:
    """Weight by name of the backends that are not the Rollout's. `default`: of a backend without a weight."""
    ours = {traffic.canary_service, traffic.stable_service, *(each.service_name for each in traffic.additional)}
    weights: dict[str, int] = {}
    for backend in backends:
        name, weight = str(backend.get(key) or "(unnamed)"), backend.get("weight", default)
        if name not in ours and isinstance(weight, int) and weight > 0:
            weights[name] = weights.get(name, 0) + weight
    return weights


def foreign_weight(backends: Iterable[Json], traffic: Traffic, default: int = 0) -> int:
    """Sum of the weights of backends that are not the Rollout's Services. `default`: of a backend without a weight."""
    return sum(foreign_weights(backends, traffic, default).values())


def twice(backends: Iterable[Json], traffic: Traffic, *, key: str = "name") -> str:
    """The error for a Service of the Rollout that has more entries than the other one; "" without one.

    Each entry gets the whole weight. With two entries for the canary and one for the stable Service, weight 20 would be
    a third of the requests. Two entries for both, such as two ports, keep the shares.
    """
    names = [backend.get(key) for backend in backends]
    counts = {name: names.count(name) for name in (traffic.canary_service, traffic.stable_service)}
    return uneven(*counts.items())


def uneven(one: tuple[str, int], other: tuple[str, int]) -> str:
    """The error for (name, number of entries) of both sides of a Rollout; "" for equal numbers."""
    (name, more), (_, less) = (one, other) if one[1] > other[1] else (other, one)
    if more == less or not less:
        return ""
    return f"{name} is listed {more} times, and each entry would get its weight: leave {less}"


def shares(traffic: Traffic, foreign: int) -> tuple[int, int]:
    """(canary, stable) if backends of others have `foreign`, less than `max_weight`: the rest is divided in proportion.

    The canary gets at least 1 for a weight above 0. The stable Service gets 0 if its weight is 0.
    """
    left = traffic.max_weight - foreign
    if traffic.stable_weight <= 0:
        return left, 0
    canary = min(left, max(1, traffic.weight * left // traffic.max_weight)) if traffic.weight else 0
    return canary, left - canary


def beside_others(where: str, others: Mapping[str, int], ours: tuple[int, int], trials: int = 0) -> str:
    """The sentence of `RouteResult.shared`; "" without others. `ours`: the weights of the canary and of the stable version.

    `trials`: the weights of an experiment's Services together.
    """
    if not others:
        return ""
    total = sum(ours) + trials + sum(others.values())
    named = ", ".join(f"{name} (weight {weight})" for name, weight in others.items())
    return f"{where} also leads to {named}: the canary gets {ours[0]} of {total}, the stable version {ours[1]}"


def in_places(entries: Sequence[Any], mine: Sequence[Any], desired: Sequence[Any], *, last: bool = False) -> list[Any]:
    """`entries` of a list with `desired` in place of `mine`; the others keep their places.

    Entries of `desired` without a place come first, or last.
    """
    places = sum(each in mine for each in entries)
    more = max(0, len(desired) - places)
    first = desired[: len(desired) - more] if last else desired[more:]
    fill = iter(first)
    filled = [next(fill, None) if each in mine else each for each in entries]
    remaining = [each for each in filled if each is not None]
    return [*remaining, *desired[len(desired) - more :]] if last else [*desired[:more], *remaining]


def not_found(kind: ServedKind, name: str, objects: Objects) -> str:
    """The error for a missing object, in Kubernetes' words, or the error that its kind is not installed."""
    if not objects.is_served(kind):
        return unserved(kind)
    return f'{kind.group_resource} "{located(name, objects.namespace)[1]}" not found'
