"""Labels and annotations that pods carry by their role, without a new revision (`canaryMetadata`, `stableMetadata`, …).

A key that is no longer wanted gets the template's own value, or is removed if the template has none. Pods are compared
with the desired metadata, not with the last write, so a failed write is repeated. Source: canary strategy, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from serinus.api.meta import Json
from serinus.api.names import EPHEMERAL_METADATA, TEMPLATE_METADATA
from serinus.api.pods.template_metadata import PARTS, Own, injected, own_values, recorded
from serinus.api.rollout import PodMetadata
from serinus.api.workloads import Pod, ReplicaSet


def merged(template: Json, desired: PodMetadata | None) -> Json:
    """A copy of the pod template with `desired` on top of its metadata."""
    if not desired or not (desired.labels or desired.annotations):
        return template
    meta: Json = dict(template.get("metadata") or {})
    for part, values in (("labels", desired.labels), ("annotations", desired.annotations)):
        if values:
            meta[part] = {**(meta.get(part) or {}), **values}
    return {**template, "metadata": meta}


def notes(template: Json, desired: PodMetadata | None) -> dict[str, str]:
    """Annotations of a new ReplicaSet of this template that carries `desired` from its creation."""
    meta, values = template.get("metadata") or {}, _by_part(desired)
    own: Own = {part: {k: v for k, v in (meta.get(part) or {}).items() if k in values[part]} for part in PARTS}
    noted = {EPHEMERAL_METADATA: _written(values), TEMPLATE_METADATA: _written(own)}
    return {key: value for key, value in noted.items() if value is not None}


def never_had_role_metadata(rs: ReplicaSet) -> bool:
    """Whether no role ever added a label or an annotation to it."""
    return EPHEMERAL_METADATA not in rs.metadata.annotations and TEMPLATE_METADATA not in rs.metadata.annotations


def has_no_role_metadata(rs: ReplicaSet, desired: PodMetadata | None, template: Json | None = None) -> bool:
    """Whether no patch is needed: the role adds nothing, never added anything, and no key of `template` is lost.

    Parameters as of `MetadataTargets`, which gives the same answer more slowly. This holds for most ReplicaSets.
    """
    if (desired and (desired.labels or desired.annotations)) or not never_had_role_metadata(rs):
        return False
    asked, have = (template or {}).get("metadata"), rs.spec.template.get("metadata") or {}
    return not asked or not any((asked.get(part) or {}).keys() - (have.get(part) or {}).keys() for part in PARTS)


class MetadataTargets:
    """The desired metadata of a ReplicaSet's template and pods: the value of each key that is or was injected.

    `template`: the Rollout's, for the ReplicaSet of the current template. Its own values win. A key of it that the
    ReplicaSet's template has lost is restored (Argo Rollouts deletes the template's own key with an injected one).
    """

    def __init__(self, rs: ReplicaSet, desired: PodMetadata | None, template: Json | None = None) -> None:
        self._rs, self._desired = rs, _by_part(desired)
        notes, have = rs.metadata.annotations, rs.spec.template.get("metadata") or {}
        before = _by_part(injected(notes))
        own = own_values(notes, rs.metadata.labels)
        asked = (template or {}).get("metadata") or {}
        for part in PARTS:
            source: Json = (asked if template is not None else have).get(part) or {}
            for key in self._desired[part]:
                own[part].setdefault(key, source.get(key))
            if template is not None:
                lost = [key for key in source if key not in (have.get(part) or {})]
                own[part] |= {key: source.get(key) for key in (*own[part], *lost)}
        self.values: dict[str, dict[str, str | None]] = {part: {**own[part], **self._desired[part]} for part in PARTS}
        """By part: key → value; None for a key that should be absent."""
        known = recorded(notes)
        self._own: Own = {
            part: {
                key: value
                for key, value in own[part].items()
                if value is not None or key in known[part] or (key in before[part] and key not in self._desired[part])
            }
            for part in PARTS
        }

    def replica_set_patch(self) -> Json | None:
        """Merge patch that makes the ReplicaSet's template carry the values; None when it does."""
        meta, have = self._rs.spec.template.get("metadata") or {}, self._rs.metadata.annotations
        change = self._change(meta.get("labels") or {}, meta.get("annotations") or {})
        noted: Json = {}
        if _by_part(injected(have)) != self._desired:
            noted[EPHEMERAL_METADATA] = _written(self._desired)
        if recorded(have) != self._own:
            noted[TEMPLATE_METADATA] = _written(self._own)
        patch: Json = {"metadata": {"annotations": noted}} if noted else {}
        if change:
            patch["spec"] = {"template": {"metadata": change}}
        return patch or None

    def pod_patch(self, pod: Pod) -> Json | None:
        """Merge patch for a running pod; None when it has everything."""
        change = self._change(pod.metadata.labels, pod.metadata.annotations)
        return {"metadata": change} if change else None

    def _change(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Json:
        change: Json = {}
        for part, have in (("labels", labels), ("annotations", annotations)):
            differs = {key: value for key, value in self.values[part].items() if have.get(key) != value}
            if differs:
                change[part] = differs
        return change


def _by_part(metadata: PodMetadata | None) -> dict[str, dict[str, str]]:
    return dict(zip(PARTS, (metadata.labels, metadata.annotations) if metadata else ({}, {}), strict=True))


def _written(values: Mapping[str, Mapping[str, str | None]]) -> str | None:
    """An annotation's value; None for nothing."""
    values_by_part = {part: values[part] for part in PARTS if values[part]}
    return msgspec.json.encode(values_by_part).decode() if values_by_part else None
