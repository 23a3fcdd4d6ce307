"""Labels and annotations that pods carry by their role, without a new revision (`canaryMetadata`, `stableMetadata`, …).

What was injected is remembered as JSON in an annotation of the ReplicaSet, so that it can be taken back exactly.
Source: canary strategy, section 7.
"""

from __future__ import annotations

import msgspec

from serinus.api.meta import Json
from serinus.api.names import EPHEMERAL_METADATA
from serinus.api.rollout import PodMetadata
from serinus.api.workloads import Pod, ReplicaSet

NOTHING = PodMetadata()


def recorded_metadata(annotation: str | None) -> PodMetadata:
    """What an annotation says was injected; nothing where there is none or it cannot be read."""
    if not annotation:
        return NOTHING
    try:
        return msgspec.json.decode(annotation, type=PodMetadata)
    except msgspec.MsgspecError:
        return NOTHING


def merged(template: Json, wanted: PodMetadata | None) -> Json:
    """A copy of the pod template with `wanted` on top of its metadata."""
    if not wanted or not (wanted.labels or wanted.annotations):
        return template
    meta: Json = dict(template.get("metadata") or {})
    for part, values in (("labels", wanted.labels), ("annotations", wanted.annotations)):
        if values:
            meta[part] = {**(meta.get(part) or {}), **values}
    return {**template, "metadata": meta}


def record(wanted: PodMetadata | None) -> str | None:
    """The annotation's value; None for nothing."""
    return msgspec.json.encode(wanted).decode() if wanted and (wanted.labels or wanted.annotations) else None


def metadata_patch(
    have_labels: dict[str, str], have_annotations: dict[str, str], before: PodMetadata, wanted: PodMetadata
) -> Json:
    """Merge patch of an object's metadata: what was injected before and is no longer wanted goes, the rest is set."""
    patch: Json = {}
    for part, have, old, new in (
        ("labels", have_labels, before.labels, wanted.labels),
        ("annotations", have_annotations, before.annotations, wanted.annotations),
    ):
        change: Json = {k: v for k, v in new.items() if have.get(k) != v}
        change |= {k: None for k in old if k not in new and k in have}
        if change:
            patch[part] = change
    return patch


def replica_set_patch(rs: ReplicaSet, wanted: PodMetadata | None) -> Json | None:
    """Merge patch that makes the ReplicaSet's template carry `wanted`; None when it does."""
    want, before = wanted or NOTHING, recorded_metadata(rs.metadata.annotations.get(EPHEMERAL_METADATA))
    meta = rs.spec.template.get("metadata") or {}
    change = metadata_patch(meta.get("labels") or {}, meta.get("annotations") or {}, before, want)
    noted = record(want)
    if not change and noted == rs.metadata.annotations.get(EPHEMERAL_METADATA):
        return None
    patch: Json = {"metadata": {"annotations": {EPHEMERAL_METADATA: noted}}}
    if change:
        patch["spec"] = {"template": {"metadata": change}}
    return patch


def pod_patch(pod: Pod, before: PodMetadata, wanted: PodMetadata | None) -> Json | None:
    """Merge patch for a running pod; None when it has everything."""
    change = metadata_patch(pod.metadata.labels, pod.metadata.annotations, before, wanted or NOTHING)
    return {"metadata": change} if change else None
