"""Patches of JSON objects: RFC 6902, RFC 7396 and Kubernetes' strategic merge patch. Pure: inputs are not modified."""

from __future__ import annotations

from typing import Any

from serinus.api.pods.defaults import copied
from serinus.local.schema.kinds import Kind
from serinus.local.schema.patching.json_patches import PatchTooLarge, json_patch
from serinus.local.schema.patching.strategic import PatchError, merged

__all__ = ["PatchError", "PatchTooLarge", "json_patch", "merge_patch", "strategic_patch"]

Json = dict[str, Any]


def merge_patch(obj: Json, patch: Json) -> Json:
    """The object after a merge patch (RFC 7396): null removes, objects merge, all other values replace."""
    out = dict(obj)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            below = out.get(key)
            out[key] = merge_patch(below if isinstance(below, dict) else {}, value)
        else:
            out[key] = copied(value)
    return out


def strategic_patch(kind: Kind, obj: Json, patch: Json) -> Json:
    """The object after a strategic merge patch with the merge keys of the kind's schema. Raises PatchError."""
    if kind.custom:
        raise PatchError("strategic merge patch is not supported for custom resources")
    return merged(kind.node, obj, patch)
