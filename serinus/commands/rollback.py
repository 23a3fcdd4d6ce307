"""Rollback to an earlier revision: the existing revisions, the target, and whether the Rollout has it already.

Source: the command line, section 1 ("undo").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serinus.view.rollout_info import HASH, REVISION, Json


class NoRevision(Exception):
    """The requested revision does not exist. `known`: the existing ones, ascending."""

    def __init__(self, message: str, known: list[int]) -> None:
        super().__init__(message)
        self.message, self.known = message, known


def revisions(rollout: Json, replica_sets: Iterable[Json]) -> dict[int, Json]:
    """Revision -> pod template as its author wrote it, of the ReplicaSets that the Rollout controls.

    It excludes the hash label, metadata by role and anti-affinity, which Rollouts add to a ReplicaSet's template.
    """
    # Slow to import: not for `undo --help`.
    from serinus.api.pods.identity import stripped
    from serinus.api.pods.template_metadata import own_template

    uid, found = rollout["metadata"].get("uid"), dict[int, Json]()
    for rs in replica_sets:
        owners: list[Json] = rs["metadata"].get("ownerReferences") or []
        if any(o.get("controller") and o.get("uid") == uid for o in owners):
            labels, annotations = rs["metadata"].get("labels") or {}, rs["metadata"].get("annotations") or {}
            noted = str(annotations.get(REVISION) or "0")
            template = stripped(own_template(rs["spec"]["template"], annotations, labels))
            found[int(noted) if noted.isdigit() else 0] = template
    return found


def choose(history: dict[int, Json], asked: int, name: str) -> int:
    """The target revision; 0 means the one before the newest. NoRevision if there is none."""
    if asked > 0:
        if asked not in history:
            raise NoRevision(f"unable to find specified revision {asked} in history", sorted(history))
        return asked
    if len(history) < 2:
        raise NoRevision(f'no revision found for rollout "{name}"', sorted(history))
    return sorted(history)[-2]


def derives(current: Any, wanted: Any) -> bool:
    """Whether every value set in `current` is the same in `wanted`. Values absent from `current` may differ."""
    if isinstance(current, dict):
        if not current:
            return True
        return isinstance(wanted, dict) and all(derives(value, wanted.get(key)) for key, value in current.items())
    if isinstance(current, list):
        if not current:
            return True
        if not isinstance(wanted, list) or len(current) > len(wanted):
            return False
        return all(derives(ours, theirs) for ours, theirs in zip(current, wanted, strict=False))
    return current in (None, "", 0, False) or current == wanted


def selector_text(selector: Json) -> str:
    """A label selector as a query; empty for one that selects everything."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for need in selector.get("matchExpressions") or []:
        key, operator, values = str(need.get("key")), need.get("operator"), ",".join(need.get("values") or [])
        words = {"Exists": key, "DoesNotExist": f"!{key}", "In": f"{key} in ({values})"}
        parts.append(words.get(str(operator), f"{key} notin ({values})"))
    return ",".join(parts)


def without_hash(template: Json) -> Json:
    """The pod template as its author wrote it, without the ReplicaSet's label."""
    meta: Json = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": {**meta, "labels": labels}}
