"""Patches of JSON objects: RFC 6902, RFC 7396 and Kubernetes' strategic merge patch. Pure: what is given stays as it was."""

from __future__ import annotations

import re
from typing import Any

import jsonpatch
import jsonpointer

from serinus.api.pod_defaults import copied
from serinus.local.schema.kinds import Kind
from serinus.local.schema.strategic import PatchError, merged

__all__ = ["PatchError", "json_patch", "merge_patch", "strategic_patch"]

Json = dict[str, Any]
MOST_OPERATIONS = 10_000


def json_patch(obj: Json, ops: list[Json]) -> Json:
    """The object after the operations (RFC 6902). Raises PatchError."""
    if len(ops) > MOST_OPERATIONS:
        raise PatchError(f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(ops)}")
    try:
        result = jsonpatch.JsonPatch(ops).apply(copied(obj), in_place=True)
    except jsonpatch.JsonPatchTestFailed as error:
        said = re.sub(r" \(<class '\w+'>\)", "", str(error))  # what Python calls them is no matter of the user's
        raise PatchError(f"testing value failed: {said}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise PatchError(str(error)) from error
    except (TypeError, KeyError, AttributeError, ValueError, IndexError) as error:
        raise PatchError(f"the patch does not fit the object: {error}") from error
    if not isinstance(result, dict):
        raise PatchError("the patch must leave an object")
    return result


def merge_patch(obj: Json, patch: Json) -> Json:
    """The object after a merge patch (RFC 7396): null removes, objects merge, all else replaces."""
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
    """The object after a strategic merge patch, whose merge keys the kind's schema names. Raises PatchError."""
    if kind.custom:
        raise PatchError("strategic merge patch is not supported for custom resources")
    return merged(kind.node, obj, patch)
