"""App Mesh's VirtualNodes: the version whose pods a node selects, and the Rollout that writes it. Source: traffic routing, section 7.

A node has the name of its Rollout in the annotation MANAGED_BY. Argo Rollouts means to write it too, and loses it. The
canary node keeps the pods of its version for DRAIN seconds after its weight is 0; an annotation has the end of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.api.names import HASH, MANAGED_BY
from serinus.api.served_kind import ServedKind
from serinus.api.values.times import format_deadline, parse_time
from serinus.routing.router import Objects, Traffic, Write
from serinus.routing.writes import edited

Json = dict[str, Any]
GROUP, VERSIONS = "appmesh.k8s.aws", ("v1beta2",)
NODE = ServedKind(GROUP, "VirtualNode", "virtualnodes", VERSIONS)
NO_CANARY, NO_STABLE = "canary-hash", "stable-hash"
"""Hashes that no pod has, because two VirtualNodes must not select the same pods."""
DRAIN = 5.0
"""Seconds that proxies have to receive the weight 0, as for Ambassador."""
EMPTY_AFTER = "serinus.dev/empty-after"
"""Annotation of a canary node without weight that still selects pods."""


def another(name: str, node: Json, rollout: str) -> str:
    """The error for a node that another Rollout writes; "" for a free one and for that of this Rollout."""
    owner = _annotations(node).get(MANAGED_BY)
    if owner in (None, "", rollout):
        return ""
    return f"VirtualNode {name} is managed by Rollout {owner} (annotation {MANAGED_BY}): name another one, or remove the annotation"


def led(name: str, version: str, because: str, traffic: Traffic, objects: Objects) -> tuple[Write, ...]:
    """Makes the node select the pods with this hash."""
    return _edited(name, version, traffic.rollout, because, objects)


def drained(
    name: str, owner: str, because: str, traffic: Traffic, objects: Objects
) -> tuple[tuple[Write, ...], float | None]:
    """(writes, seconds until the next ones) that empty a canary node whose weight is observed to be 0.

    `owner`: the Rollout that keeps the node; "" if it lets the node go.
    """
    virtual_node = objects.get(NODE.key, name)
    if virtual_node is None:
        return (), None
    if hash_in(virtual_node) not in ("", NO_CANARY):
        until = _until(virtual_node, traffic.now)
        if until is None:

            def wait(node: Json) -> None:
                _note(node, EMPTY_AFTER, format_deadline(traffic.now + DRAIN))

            return edited(
                NODE, name, virtual_node, wait, f"proxies have {DRAIN:.0f} seconds to receive the weight 0"
            ), DRAIN
        if until > traffic.now:
            return (), until - traffic.now
    return _edited(name, NO_CANARY, owner, because, objects), None


def freed(name: str, because: str, objects: Objects) -> tuple[Write, ...]:
    """Makes the node select the pods of every version, as before the Rollout."""
    return _edited(name, "", "", because, objects)


def unmarked(name: str, node: Json) -> tuple[Write, ...]:
    """Frees a node of a Rollout that is gone. Without its configuration, an empty canary node stays empty."""
    owner = _annotations(node).get(MANAGED_BY)
    because = f"Rollout {owner} is gone or leads the VirtualNode no more"
    version = NO_CANARY if hash_in(node) == NO_CANARY else ""
    return edited(NODE, name, node, _selecting(version, ""), because)


def hash_in(node: Json) -> str:
    """The version that the node selects; "" if it selects pods of every version."""
    spec = node.get("spec")
    selector = spec.get("podSelector") if isinstance(spec, dict) else None
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    return str(labels.get(HASH) or "") if isinstance(labels, dict) else ""


def _edited(name: str, version: str, owner: str, because: str, objects: Objects) -> tuple[Write, ...]:
    node = objects.get(NODE.key, name)
    return edited(NODE, name, node, _selecting(version, owner), because) if node is not None else ()


def _selecting(version: str, owner: str) -> Callable[[Json], None]:
    """The edit to a version and an owner; "" removes the hash or the owner."""

    def select(node: Json) -> None:
        spec = node["spec"] if isinstance(node.get("spec"), dict) else {}
        selector = spec["podSelector"] if isinstance(spec.get("podSelector"), dict) else {}
        labels = selector["matchLabels"] if isinstance(selector.get("matchLabels"), dict) else {}
        labels = {**labels, HASH: version} if version else {key: value for key, value in labels.items() if key != HASH}
        node["spec"] = {**spec, "podSelector": {**selector, "matchLabels": labels}}
        _note(node, EMPTY_AFTER, "")
        _note(node, MANAGED_BY, owner)

    return select


def _annotations(node: Json) -> Json:
    return node["metadata"].get("annotations") or {}


def _note(node: Json, key: str, value: str) -> None:
    """Sets an annotation; "" removes it."""
    if value:
        node["metadata"]["annotations"] = {**_annotations(node), key: value}
    elif key in _annotations(node):
        node["metadata"]["annotations"] = {k: v for k, v in _annotations(node).items() if k != key}


def _until(node: Json, now: float) -> float | None:
    """The end of the drain. None if no drain has begun, or if this router cannot have written the time."""
    text = _annotations(node).get(EMPTY_AFTER)
    until = parse_time(text) if isinstance(text, str) else None
    return until if until is not None and until <= now + DRAIN + 1 else None
