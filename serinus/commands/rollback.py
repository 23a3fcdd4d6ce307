"""Rollback to an earlier revision: the existing revisions, the target, and whether the Rollout has it already.

Source: the command line, section 1 ("undo").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serinus.commands.decision import Refusal, TemplateChange
from serinus.commands.holder import Holder
from serinus.view.rollout_info import HASH, REVISION, Json


class NoRevision(Refusal):
    """The requested revision does not exist."""


class SameTemplate(Refusal):
    """The current template is that of the requested revision."""


def earlier(rollout: Json, replica_sets: Iterable[Json], asked: int) -> tuple[int, Json]:
    """(revision, pod template) of the target; `asked` 0 means the one before the newest. Raises NoRevision."""
    history = revisions(rollout, replica_sets)
    if asked > 0:
        if asked not in history:
            known = ", ".join(map(str, sorted(history))) or "none"
            raise NoRevision(f"unable to find specified revision {asked} in history", f"Revisions: {known}")
        return asked, history[asked]
    if len(history) < 2:
        raise NoRevision(f'no revision found for rollout "{rollout["metadata"]["name"]}"')
    chosen = sorted(history)[-2]
    return chosen, history[chosen]


def undo(holder: Holder, obj: Json, target: tuple[int, Json], asked: int) -> TemplateChange:
    """Replace the pod template in `obj`, the object of `holder`, by that of `target`, an answer of `earlier`.

    Raises SameTemplate.
    """
    revision, template = target
    if derives(without_hash(holder.template(obj)), template):
        raise SameTemplate(f"The current template is that of revision {asked} already.")
    return TemplateChange(
        holder.resource,
        obj,
        [{"op": "replace", "path": holder.path, "value": template}],
        f"{holder.path} of {holder.resource.singular} '{obj['metadata']['name']}' = that of revision {revision}",
    )


def revisions(rollout: Json, replica_sets: Iterable[Json]) -> dict[int, Json]:
    """Revision -> pod template as its author wrote it, of the ReplicaSets that the Rollout controls.

    It excludes the hash label, metadata by role and anti-affinity, which Rollouts add to a ReplicaSet's template.
    """
    # Slow to import: not for `undo --help`.
    from serinus.api.pods.identity import stripped
    from serinus.api.pods.template_metadata import own_template

    uid, templates = rollout["metadata"].get("uid"), dict[int, Json]()
    for rs in replica_sets:
        owners: list[Json] = rs["metadata"].get("ownerReferences") or []
        if any(o.get("controller") and o.get("uid") == uid for o in owners):
            labels, annotations = rs["metadata"].get("labels") or {}, rs["metadata"].get("annotations") or {}
            noted = str(annotations.get(REVISION) or "0")
            template = stripped(own_template(rs["spec"]["template"], annotations, labels))
            templates[int(noted) if noted.isdigit() else 0] = template
    return templates


def derives(current: Any, target: Any) -> bool:
    """Whether every value set in `current` is the same in `target`. Values absent from `current` may differ."""
    if isinstance(current, dict):
        if not current:
            return True
        return isinstance(target, dict) and all(derives(value, target.get(key)) for key, value in current.items())
    if isinstance(current, list):
        if not current:
            return True
        if not isinstance(target, list) or len(current) > len(target):
            return False
        return all(derives(ours, theirs) for ours, theirs in zip(current, target, strict=False))
    return current in (None, "", 0, False) or current == target


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
