"""PATCH in its four forms, of objects and of their subresources.

Source: Kubernetes API concepts, "Patching resources"; RFC 6902, RFC 7396, KEP-555 (apply).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from serinus.kube.wire import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from serinus.local.apiserver.body import known_fields, object_of
from serinus.local.apiserver.failure import Failure, bad_request, unsupported_media
from serinus.local.apiserver.write import Writer, load
from serinus.local.schema.kinds import Kind
from serinus.local.schema.managed import ApplyConflict, apply
from serinus.local.schema.patches import PatchError, json_patch, merge_patch, strategic_patch

Json = dict[str, Any]


def patch(writer: Writer, kind: Kind, media: str, value: Any, namespace: str, name: str, query: Mapping[str, str], agent: str, warnings: list[str], *, custom: bool, sub: str = "") -> tuple[bytes, bool]:
    """(the object's JSON after it, whether it was created). Raises Failure."""
    if media == APPLY_PATCH:
        return _apply(writer, kind, value, namespace, name, query, warnings, sub)
    live = writer.live(kind.resource, namespace, name)
    patched = _patched(kind, media, live, value, custom=custom)
    obj = known_fields(kind, object_of(patched, kind.resource), query, warnings)
    return writer.update(kind, live, obj, query, agent, sub=sub), False


def _patched(kind: Kind, media: str, live: Json, value: Any, *, custom: bool) -> Json:
    try:
        if media == JSON_PATCH:
            if not isinstance(value, list):
                raise bad_request("error decoding patch: a JSON patch is a list of operations")
            return json_patch(live, value)
        if not isinstance(value, dict):
            raise bad_request("error decoding patch: the patch must be an object")
        if media == MERGE_PATCH:
            return merge_patch(live, value)
        if media == STRATEGIC_PATCH and not custom:
            return strategic_patch(kind, live, value)
    except PatchError as error:
        raise Failure(422, "Invalid", f"the server rejected our request due to an error in our request: {error}") from error
    accepted = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH] if custom else [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH]
    raise unsupported_media(f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}")


def _apply(writer: Writer, kind: Kind, value: Any, namespace: str, name: str, query: Mapping[str, str], warnings: list[str], sub: str) -> tuple[bytes, bool]:
    manager = query.get("fieldManager", "")
    if not manager:
        raise Failure(422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch")
    applied = known_fields(kind, object_of(value, kind.resource), query, warnings)
    if applied["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    applied["metadata"].setdefault("name", name)
    entry = writer.store.get(kind.resource.group_resource, (namespace, name))
    live = load(entry) if entry else None
    try:
        wanted = apply(kind, live, applied, manager=manager, force=query.get("force") in ("true", "1"), now=writer.now, subresource=sub)
    except ApplyConflict as error:
        causes = [{"reason": "FieldManagerConflict", "message": f'conflict with "{who}"', "field": path} for who, path in error.conflicts]
        raise Failure(409, "Conflict", str(error), details={"causes": causes}) from error
    if live is None:
        return writer.create(kind, wanted, namespace, query, manager, warnings, name=name, tracked=wanted["metadata"].get("managedFields", [])), True
    if "resourceVersion" not in applied["metadata"]:
        wanted["metadata"].pop("resourceVersion", None)
    return writer.update(kind, live, copy.deepcopy(wanted), query, manager, sub=sub, tracked=True), False
